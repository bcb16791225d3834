"""States of the bank's side: limits, blocks, dates, signatures, odd data (pse-pboc 2, 3, 4.9, 5).

Data change the profile (`_changed`), use goes through a terminal's visit (`_visited`).
"""

from collections.abc import Callable, Mapping
from typing import Final

from sscard.card import Card
from sscard.env import Env
from sscard.errors import ProfileError
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.perso.profile import Profile
from sscard.sample import new_card
from sscard.states.debit import Debit, Objects, Settings
from sscard.states.state import Overrides, State, by_name
from sscard.states.visit import Visit

__all__ = ["BANK_STATES"]

_TRACK_2, _EXPIRY, _EFFECTIVE, _CDOL1 = 0x57, 0x5F24, 0x5F25, 0x8C
_LOWER, _UPPER, _ATC, _LAST_ONLINE_ATC = 0x9F58, 0x9F59, 0x9F36, 0x9F13
_DISCRETIONARY = 0xBF0C
_DYNAMIC = 0x21
"""AIP byte 1: DDA and CDA."""
_BLOCK, _CARD_BLOCK = Command(0x84, 0x1E, 0, 0), Command(0x84, 0x16, 0, 0)


# ---- states that are data ------------------------------------------------------------------------


def _changed(name: str, meaning: str, change: Callable[[Debit], Settings]) -> State:
    """A state whose card is made from other data."""

    def make(profile: str, overrides: Overrides, env: Env | None) -> Card:
        settings = change(Debit.of(Profile.load(profile, overrides)))
        return new_card(Profile.load(profile, {**settings, **overrides}), env=env)

    return State(name, meaning, make)


def _dated(effective: str, expiry: str) -> Callable[[Debit], Settings]:
    """Dates YYMMDD in their records and on track 2; the certificates keep theirs."""

    def change(debit: Debit) -> Settings:
        before = debit.find(_EXPIRY).hex()
        dates = {_EXPIRY: bytes.fromhex(expiry), _EFFECTIVE: bytes.fromhex(effective)}

        def dated(objects: Objects) -> Objects:
            return [
                (tag, _track_2(value, expiry) if tag == _TRACK_2 else dates.get(tag, value))
                for tag, value in objects
            ]

        settings = debit.with_records(dated)
        if debit.is_certified:
            month = before[2:4] + before[:2]
            settings |= debit.with_oda(issuer_expiry=month, icc_expiry=month)
        return settings

    return change


def _track_2(value: bytes, expiry: str) -> bytes:
    """Return track 2 with another YYMM behind the separator."""
    pan, _, rest = value.hex().partition("d")
    return bytes.fromhex(f"{pan}d{expiry[:4]}{rest[4:]}")


def _signed(**values: object) -> Callable[[Debit], Settings]:
    """Other certificates or signatures, made by the table [oda]."""

    def change(debit: Debit) -> Settings:
        if not debit.is_certified:
            raise ProfileError(f"{debit.profile.name}: no record has an issuer certificate (90)")
        return debit.with_oda(**values)

    return change


def _tampered(debit: Debit) -> Settings:
    """A wrong SSAD, and no better method than SDA that a terminal could use instead."""
    static_only = debit.with_aip(lambda aip: bytes((aip[0] & ~_DYNAMIC,)) + aip[1:])
    return _signed(flaws=["ssad"])(debit) | static_only


def _without_cdol1(debit: Debit) -> Settings:
    return debit.with_records(lambda objects: [item for item in objects if item[0] != _CDOL1])


def _odd(debit: Debit) -> Settings:
    """Everything in another order, unknown tags, an empty optional object, lengths above 127."""
    unknown: Objects = [(0xDF20, b"\xab\xcd"), (0xC1, b""), (0x9F0B, b"")]

    def record(objects: Objects) -> Objects:
        return [*unknown, *reversed(objects), (0xDF21, bytes(range(0x50)))]

    def template(objects: Objects) -> Objects:
        return [unknown[0], *reversed(objects)]

    return debit.with_records(record) | debit.with_fci(template)


def _over_the_limits(debit: Debit) -> Settings:
    """More transactions since the last online one than both limits allow."""
    limits = [debit.risk(tag) for tag in (_LOWER, _UPPER)]
    held = [limit[0] for limit in limits if limit is not None]
    if not held:
        raise ProfileError(f"{debit.profile.name}: the card has no consecutive offline limit")
    atc = (max(held) + 1).to_bytes(2, "big")
    return debit.with_risk({_ATC: atc, _LAST_ONLINE_ATC: b"\0\1"})


def _counted(atc: int) -> Callable[[Debit], Settings]:
    """An ATC reached, the last transaction online."""
    value = atc.to_bytes(2, "big")
    return lambda debit: debit.with_risk({_ATC: value, _LAST_ONLINE_ATC: value})


# ---- states that come from use -------------------------------------------------------------------


def _visited(
    name: str,
    meaning: str,
    use: Callable[[Visit, Debit], None],
    change: Callable[[Debit], Settings] = lambda debit: {},
) -> State:
    """A state to which `use` leads a card, of other data if `change` wants them."""

    def make(profile: str, overrides: Overrides, env: Env | None) -> Card:
        settings = change(Debit.of(Profile.load(profile, overrides)))
        loaded = Profile.load(profile, {**settings, **overrides})
        debit = Debit.of(loaded)
        card = new_card(loaded, env=env)
        activation = card.power_on()
        use(Visit(debit, activation.transmit), debit)
        activation.power_off()
        return card

    return State(name, meaning, make)


def _spend_pin(visit: Visit, debit: Debit) -> None:
    """Wrong PINs in one transaction, until no try is left."""
    pse = debit.profile.pse
    pin = debit.directory.pin or (None if pse is None else pse.pin)
    if pin is None:
        raise ProfileError(f"{debit.profile.name}: the debit application has no PIN")
    visit.begin()
    wrong = Command(0x00, 0x20, 0x00, 0x80, bytes.fromhex("2C999999999999FF"))
    for left in reversed(range(pin.tries & 0x0F)):
        visit.send(wrong, SW.tries_left(left))


def _ask_online(visit: Visit, debit: Debit) -> None:
    visit.begin()
    visit.ask_online()


def _with_script(command: Command, *, wrong: bool = False) -> Callable[[Visit, Debit], None]:
    """An online transaction that the issuer approves, and a script behind it."""

    def use(visit: Visit, debit: Debit) -> None:
        visit.begin()
        visit.ask_online()
        visit.settle()
        visit.script(command, wrong=wrong)

    return use


def _use_up(visit: Visit, debit: Debit) -> None:
    visit.begin(SW.CONDITIONS)


BANK_STATES: Final[Mapping[str, State]] = by_name(
    _changed(
        "pse-offline-limit-reached",
        "more offline transactions than both limits allow: the bank's card asks to go online",
        _over_the_limits,
    ),
    _changed("pse-last-atc", "the bank's card has one transaction left", _counted(0xFFFD)),
    _visited(
        "pse-atc-exhausted",
        "the bank's card has no transaction left: SELECT 6283, GET PROCESSING OPTIONS 6985",
        _use_up,
        _counted(0xFFFE),
    ),
    _visited("pse-pin-blocked", "the last try of the bank's PIN is spent: 6984", _spend_pin),
    _visited(
        "pse-arqc-pending",
        "an online transaction was not completed: the next one tells, and goes online",
        _ask_online,
    ),
    _visited(
        "pse-app-blocked",
        "the bank's application is blocked until a script unblocks it: SELECT 6283, AAC",
        _with_script(_BLOCK),
    ),
    _visited(
        "pse-card-blocked",
        "the bank's side is dead after CARD BLOCK: 6A81",
        _with_script(_CARD_BLOCK),
    ),
    _visited(
        "pse-script-failed",
        "the last issuer script had a wrong MAC",
        _with_script(_BLOCK, wrong=True),
    ),
    _changed("pse-expired", "the bank's card expired in 2020", _dated("150116", "200115")),
    _changed("pse-not-yet-effective", "valid only from 2040 on", _dated("400101", "491231")),
    _changed(
        "pse-expired-issuer-certificate",
        "the issuer's certificate expired in January 2020",
        _signed(issuer_expiry="0120"),
    ),
    _changed(
        "pse-unknown-ca",
        "the certificate names a CA key that no terminal has",
        _signed(ca_index="FE"),
    ),
    _changed(
        "pse-wrong-issuer-key",
        "card certificate and SSAD are signed by another issuer than the certified one",
        _signed(signer="issuer-other"),
    ),
    _changed("pse-tampered-ssad", "a wrong SSAD, and nothing but SDA to check", _tampered),
    _changed("pse-missing-cdol", "no record has a CDOL1", _without_cdol1),
    _changed(
        "pse-odd-tlvs",
        "a sound card: unknown tags, empty objects, another order, lengths of two bytes",
        _odd,
    ),
)
"""The states of a debit application by name."""
