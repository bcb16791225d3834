"""STORE DATA in its plain form, under the environment's master key (pse-pboc 9, 9.2).

The secure channel is the other way in; both end in the same files and key records.
"""

from collections.abc import Callable
from functools import partial

from sscard.apps.pse import records
from sscard.apps.pse.application import DATA_FILE, KEY_FILE, Application
from sscard.apps.pse.grouping import Place, cut, place_of, stored
from sscard.apps.pse.layout import build_entries, parse_entries
from sscard.apps.pse.transaction import Idle, Selected
from sscard.cos import access
from sscard.cos.commands import ANY_LC, CommandTable
from sscard.cos.domain import Domain
from sscard.cos.layout import DomainState
from sscard.cos.objects import Kind
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["PERSONALISATION", "store_data"]

PERSONALISATION = CommandTable("PSE personalisation")

_REF = "pse-pboc 9.2"
_LAST = 0x80
_ENCRYPTION, _ALL_ENCRYPTED = 0x60, 0x60
_ENCRYPTIONS = (0x00, 0x20, 0x60)


@PERSONALISATION.command(
    0x80,
    0xE2,
    "STORE DATA",
    p1=frozenset(last | how for last in (0, _LAST) for how in _ENCRYPTIONS),
    p2=None,
    lc=ANY_LC,
    ref=_REF,
)
def store_data(domain: Domain, command: Command) -> bytes:
    """Take one block of DGIs; the last one puts the application into use.

    Refuses: 6985 after the last block, 6982 without the owner's proof, 6A86 another block
    number, 6A80 malformed data, 6A88 a DGI that is unknown or has no file, 6A84 no room.
    """
    card = Application(domain)
    if card.body.personalised:
        raise Refusal(SW.CONDITIONS, "the application is personalised", _REF)
    if not _owner_proved(domain) or command.p1 & _ENCRYPTION == _ALL_ENCRYPTED:
        raise Refusal(SW.SECURITY_STATUS, "neither way of personalisation is open", "pse-pboc 9")
    state = domain.session.app
    progress = state if isinstance(state, Idle) else Idle()
    if command.p2 != progress.block:
        raise Refusal(SW.WRONG_P1P2, f"block {progress.block:02X} comes next", _REF)
    groups, rest = cut(progress.rest + command.data)
    last = bool(command.p1 & _LAST)
    if last and rest:
        raise Refusal(SW.WRONG_DATA, "the last block ends inside a DGI", _REF)
    for dgi, value in groups:
        _store(card, dgi, value)
    then: Idle | Selected = Idle(progress.block + 1 & 0xFF, rest)
    if last:
        _write_file(card, DATA_FILE, card.body._replace(personalised=True).build())
        domain.after_commit(domain.refresh_restriction)
        then = Selected() if card.node.parent is not None else Idle()
    domain.after_commit(partial(setattr, domain.session, "app", then))
    return b""


def _owner_proved(domain: Domain) -> bool:
    own, environment = domain.masks()
    return domain.state == DomainState.OWNED and bool((own | environment) & access.MASTER_BIT)


def _store(card: Application, dgi: int, value: bytes) -> None:
    """Put one DGI into the transaction."""
    place = place_of(dgi, directory=card.node.parent is None)
    if place is Place.SECRETS:
        why = f"DGI {dgi:04X} comes through the secure channel only"
        raise Refusal(SW.SECURITY_STATUS, why, "pse-pboc 9")
    writer = _WRITERS.get(place)
    if writer is None:
        raise Refusal(SW.DATA_NOT_FOUND, f"DGI {dgi:04X} is unknown here", _REF)
    writer(card, dgi, value)


def _store_record(card: Application, dgi: int, value: bytes) -> None:
    node = card.node.by_sfi.get(dgi >> 8)
    if node is None or node.kind != Kind.LINEAR_VARIABLE or node.damaged:
        raise Refusal(SW.DATA_NOT_FOUND, f"there is no record file {dgi >> 8:02X}", "pse-pboc 9")
    records.put(card.domain.store, node, dgi & 0xFF, value)


def _store_data(card: Application, dgi: int, value: bytes) -> None:
    _write_file(card, DATA_FILE, stored(card.body, dgi, value).build())


def _store_rsa(card: Application, dgi: int, value: bytes) -> None:
    node = card.file(KEY_FILE)
    held = parse_entries(card.domain.store.read(node.body, node.header.body_length))
    _write_file(card, KEY_FILE, build_entries({**held, dgi: value}))


def _store_pin_tries(card: Application, dgi: int, value: bytes) -> None:
    """9010: try counter and limit of the PIN, which must have been loaded."""
    pin = card.pin
    if pin is None:
        raise Refusal(SW.DATA_NOT_FOUND, "there is no PIN to count the tries of", "pse-pboc 9.3")
    if len(value) != 2 or not value[0] <= value[1] or not 1 <= value[1] <= 15:
        raise Refusal(SW.WRONG_DATA, "9010 is a counter up to a limit of 1 to 15", "pse-pboc 9.3")
    left, limit = value
    initial = min(max(left, 1), 14)  # a header byte of FF would mean unlimited
    changed = pin._replace(tries=limit << 4 | initial, tries_left=left)
    card.domain.store.write(pin.address, changed.build())
    card.domain.after_commit(card.domain.keys.forget)


_WRITERS: dict[Place, Callable[[Application, int, bytes], None]] = {
    Place.RECORD: _store_record,
    Place.DATA: _store_data,
    Place.RSA_KEY: _store_rsa,
    Place.PIN_TRIES: _store_pin_tries,
}


def _write_file(card: Application, fid: int, content: bytes) -> None:
    """Put the used part of EF90 or EF91 into the transaction; what it no longer reaches is FF."""
    node = card.file(fid)
    length = node.header.body_length
    if len(content) > length:
        raise Refusal(SW.NO_SPACE, f"{fid:04X} is full", "pse-pboc 9")
    before = card.domain.store.read(node.body, length).rstrip(b"\xff")
    card.domain.store.write(node.body, content.ljust(len(before), b"\xff"))
