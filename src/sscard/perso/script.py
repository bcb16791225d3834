"""A profile as the APDU script that brings it onto a blank card, through the card's own commands.

The order is that of cos 4.5: transport key, MF and card master key; both environments created
and handed over to their first master keys; then, environment by environment, the owner replaces
that key by his own, makes keys and files, fills them, makes the directories below, loads the PIN
last and ends the personalisation.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from sscard.errors import ProfileError, SscardError
from sscard.iso.sw import SW
from sscard.perso.cps import Dgis, by_dgi, card_dgis, store_in_channel
from sscard.perso.model import Channel, Directory
from sscard.perso.profile import Profile
from sscard.perso.steps import (
    Steps,
    authenticate,
    create_directory,
    create_file,
    create_key_file,
    end_personalisation,
    fill_file,
    select_name,
    store_data,
    write_key,
)

__all__ = [
    "Perso",
    "PersonalisationError",
    "carry_out",
    "hand_over",
    "initialise",
    "personalise",
    "script",
    "storing",
    "take_over",
]


Perso = Literal["native", "cps"]
"""How the data of the bank's applications go in."""


class Storing(NamedTuple):
    """The secure channel that DGIs go through; whether its C-MACs start from enciphered ones."""

    channel: Channel
    encrypts_icv: bool


class PersonalisationError(SscardError):
    """The card answered a step of personalisation with something else than success."""


def personalise(
    profile: Profile, transmit: Callable[[bytes], bytes], perso: Perso = "native"
) -> list[tuple[bytes, bytes]]:
    """Send the whole script to a blank card; return every (APDU, response) in order.

    `perso`: how the bank's data go in, as `script` takes it.
    Errors: PersonalisationError naming the step, its command (key data masked) and the status
    word; the card is then as far as it got.
    """
    return carry_out(script(profile, perso), transmit)


def carry_out(steps: Steps, transmit: Callable[[bytes], bytes]) -> list[tuple[bytes, bytes]]:
    """Send steps to a card and hand each the data of its answer. Errors: as `personalise`."""
    log: list[tuple[bytes, bytes]] = []
    step = next(steps, None)
    while step is not None:
        apdu = step.apdu
        response = transmit(apdu)
        log.append((apdu, response))
        sw = SW.of(response)
        if sw != SW.OK and sw >> 8 != 0x61:
            raise PersonalisationError(f"step {len(log)}, {step}: {sw} {sw.meaning}")
        try:
            step = steps.send(response[:-2])
        except StopIteration:
            break
    return log


def script(profile: Profile, perso: Perso = "native") -> Steps:
    """Yield the steps that personalise a blank card; send each one's response data back.

    `perso`: "native" stores the DGIs of the PSE under its owner's proof, "cps" through the
    secure channel, card keys and PIN with them (pse-pboc 9). Errors: ProfileError for "cps"
    without [pse.channel].
    """
    yield from initialise(profile)
    for ddf in profile.environments:
        yield from hand_over(profile, ddf)
    for ddf in profile.environments:
        yield from take_over(ddf, storing(profile, ddf, perso))


def storing(profile: Profile, ddf: Directory, perso: Perso) -> Storing | None:
    """Return how the DGIs of an environment are stored: None for the plain form."""
    if perso == "native" or ddf is not profile.pse:
        return None
    if ddf.channel is None:
        raise ProfileError(f"{profile.name}: CPS personalisation needs [pse.channel] with a KMC")
    return Storing(ddf.channel, profile.option("icv_encryption") == "on")


def initialise(profile: Profile) -> Steps:
    """MF, its key file, CMK under TK, then both environments under the CMK (cos 4.5, 1-7)."""
    cm, tk = profile.cm, profile.transport_key
    assert cm.master is not None  # the profile checks it
    yield from authenticate("transport key", tk)
    yield from create_directory(cm)
    yield from create_key_file(cm)
    yield from write_key(tk, cm.master)
    yield from authenticate("CMK", cm.master)
    for ddf in profile.environments:
        yield from create_directory(ddf, is_ddf=True)


def hand_over(profile: Profile, ddf: Directory) -> Steps:
    """The CMK's last act in an environment: its first master key (cos 4.5, 8-12)."""
    cmk, first = profile.cm.master, ddf.transport or ddf.master
    assert cmk is not None
    assert first is not None
    yield from select_name(ddf.name, ddf.df_name)
    yield from authenticate("CMK", cmk)
    yield from create_key_file(ddf)
    yield from write_key(cmk, first)


def take_over(ddf: Directory, storing: Storing | None = None) -> Steps:
    """The owner's part, from the update of his master key to the end (cos 4.5, 14-22)."""
    master = ddf.master
    assert master is not None
    yield from select_name(ddf.name, ddf.df_name)
    if ddf.transport is not None:
        yield from authenticate(f"first master key of {ddf.name}", ddf.transport)
        yield from write_key(ddf.transport, master, replace=True)
    yield from authenticate(f"master key of {ddf.name}", master)
    for key in (*ddf.keys, *(storing.channel.keys if storing is not None else ())):
        yield from write_key(master, key)
    for file in ddf.files:
        yield from create_file(file)
    for file in ddf.files:
        yield from fill_file(file, ddf.line_key(file.sm_update))
    for adf in ddf.directories:
        yield from _application(ddf, adf, storing)
        yield from select_name(ddf.name, ddf.df_name)
        yield from authenticate(f"master key of {ddf.name}", master)
    if ddf.pin is not None:
        yield from write_key(master, ddf.pin)
    yield from _stored(ddf, ddf.dgis, storing)
    yield from end_personalisation(ddf.name, master)


def _stored(directory: Directory, dgis: Dgis, storing: Storing | None) -> Steps:
    if storing is None:
        return store_data(directory.name, dgis)
    return store_in_channel(
        directory.name, storing.channel, dgis, encrypts_icv=storing.encrypts_icv
    )


def _application(ddf: Directory, adf: Directory, storing: Storing | None) -> Steps:
    """An ADF: made and filled by the environment's owner, then keyed.

    Its own master key, if it has one, goes in after the data: writing it clears the proof of
    the environment's, and the override on data with it (cos 2.3). Data that want line protection
    need a key first: they go in at the end, the environment's owner having come back.
    """
    owner = ddf.master
    assert owner is not None
    yield from create_directory(adf)
    if adf.key_slots or adf.files or adf.dgis:
        yield from select_name(adf.name, adf.df_name)
    if adf.key_slots:
        yield from create_key_file(adf)
    for file in adf.files:
        yield from create_file(file)
    for file in adf.files:
        if not file.protected_update:
            yield from fill_file(file)
    if adf.master is not None:
        yield from write_key(owner, adf.master)
        yield from authenticate(f"master key of {adf.name}", adf.master)
        owner = adf.master
    in_channel = () if storing is None or not adf.dgis else by_dgi(adf)
    for key in (*adf.keys, *((adf.pin,) if adf.pin is not None else ())):
        if key not in in_channel:
            yield from write_key(owner, key)
    yield from _stored(adf, card_dgis(adf) if in_channel else adf.dgis, storing)
    waiting = [file for file in adf.files if file.protected_update]
    if waiting:
        assert ddf.master is not None
        yield from select_name(ddf.name, ddf.df_name)
        yield from authenticate(f"master key of {ddf.name}", ddf.master)
        yield from select_name(adf.name, adf.df_name)
    for file in waiting:
        yield from fill_file(file, adf.line_key(file.sm_update) or ddf.line_key(file.sm_update))
