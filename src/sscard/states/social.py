"""States of the social side; data are overlays on the profile (`profiles/states`).

Source: ssse-lb002 3.7, 3.10, 4.7, 4.8, 8.
"""

from collections.abc import Callable, Mapping
from typing import Final

from sscard.card import Card
from sscard.env import Env
from sscard.errors import ProfileError
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import purse
from sscard.keys.block import Algorithm
from sscard.perso import sources
from sscard.perso.model import Directory, Key
from sscard.perso.profile import Profile
from sscard.perso.script import carry_out, hand_over, initialise
from sscard.perso.steps import Step, Steps, authenticate, protected, select_name
from sscard.sample import blank_card, new_card
from sscard.spec.codes import ACCESS_OPERAND, KEY_TYPES, MASTER_GRANT
from sscard.states.state import Overrides, State, by_name

__all__ = ["SOCIAL_STATES"]

_MEDICAL, _LOG = 0xDF04, 0xEF08
_WRONG_IRK = "ascii:COUNTERFEIT-IRK1"
_TERMINAL = bytes.fromhex("999901000001")
_MOMENT = bytes.fromhex("20240120093000")
_LOADED_FEN, _DEBITED_FEN = 100_00, 1_00


# ---- states that are data ------------------------------------------------------------------------


def _overlay(name: str) -> State:
    def make(profile: str, overrides: Overrides, env: Env | None) -> Card:
        return new_card(Profile.load(profile, overrides, state=name), env=env)

    return State(name, sources.state_title(name), make)


def _counterfeit(profile: str, overrides: Overrides, env: Env | None) -> Card:
    """What everybody can read is copied from the genuine card, its MAC too; the IRK cannot be."""
    genuine = _environment(Profile.load(profile, overrides))
    irk = _key(genuine, "internal", 0)
    issuer = next((file for file in genuine.files if file.fid == 0xEF05), None)
    records = () if issuer is None else issuer.records
    code = next((record[2:] for record in records if record[0] == 0x01), None)
    if code is None:
        raise ProfileError(f"{profile}: there is no identification code to copy")
    forged = {
        "ssse.ef.EF05.values.01": f"0x{code.hex()}",
        f"ssse.key.{irk.name}.value": _WRONG_IRK,
    }
    return new_card(profile, {**overrides, **forged}, env=env)


def _unpersonalised(profile: str, overrides: Overrides, env: Env | None) -> Card:
    loaded = Profile.load(profile, overrides)
    card = blank_card(loaded, env=env)
    activation = card.power_on()
    carry_out(initialise(loaded), activation.transmit)
    for ddf in loaded.environments:
        carry_out(hand_over(loaded, ddf), activation.transmit)
    activation.power_off()
    return card


# ---- states that come from use -------------------------------------------------------------------


def _used(name: str, meaning: str, use: Callable[[Profile], Steps]) -> State:
    """A state to which `use` leads a finished card; all its commands succeed."""

    def make(profile: str, overrides: Overrides, env: Env | None) -> Card:
        loaded = Profile.load(profile, overrides)
        _environment(loaded)
        card = new_card(loaded, env=env)
        activation = card.power_on()
        carry_out(use(loaded), activation.transmit)
        activation.power_off()
        return card

    return State(name, meaning, make)


def _pin_blocked(profile: str, overrides: Overrides, env: Env | None) -> Card:
    """Wrong PINs until no try is left."""
    loaded = Profile.load(profile, overrides)
    ddf = _environment(loaded)
    pin = _pin(ddf)
    card = new_card(loaded, env=env)
    activation = card.power_on()
    carry_out(select_name(ddf.name, ddf.df_name), activation.transmit)
    wrong = pin.value[:-1] + bytes((pin.value[-1] ^ 0x01,))
    answer = b""
    for _ in range(pin.tries & 0x0F):
        answer = activation.transmit(_verify(wrong).build())
    assert SW.of(answer) == SW.tries_left(0)
    activation.power_off()
    return card


def _block(p2: int) -> Callable[[Profile], Steps]:
    """APPLICATION BLOCK of the SSSE with all its applications; `p2` 01 for good."""
    return lambda profile: _locked(profile, "APPLICATION BLOCK", Command(0x84, 0x1E, 0x00, p2))


def _card_block(profile: Profile) -> Steps:
    return _locked(profile, "CARD BLOCK", Command(0x84, 0x16, 0x00, 0x00))


def _locked(profile: Profile, name: str, command: Command) -> Steps:
    """Prove the lock key of the SSSE, then send a command with the MAC of `block_mode`."""
    ddf = _environment(profile)
    lock = _lock_key(ddf)
    by_lock_key = profile.option("block_mode") == "mac_with_LK"
    yield from select_name(ddf.name, ddf.df_name)
    if not by_lock_key:
        yield from authenticate(lock.name, lock)
    stk = next((key for key in ddf.keys if key.type == KEY_TYPES["stk"]), None)
    key = lock if by_lock_key else stk
    if key is None:
        raise ProfileError(f"{ddf.name} has no STK: nobody can send it a MAC")
    yield from protected(name, key, command, session=profile.option("sm_mode") == "session")


def _lock_key(ddf: Directory) -> Key:
    """Return the key that the directory's `admin` condition names (ssse-lb002 4.7)."""
    first, second = divmod(ddf.admin, 0x100)
    if first & ACCESS_OPERAND and not second:
        grant = first & 0x0F
        if grant == MASTER_GRANT and ddf.master is not None:
            return ddf.master
        for key in ddf.keys:
            if key.type == KEY_TYPES["external"] and key.grant == grant:
                return key
    raise ProfileError(f"{ddf.name}: no single key may block it")


def _fill_log(profile: Profile) -> Steps:
    """Load the medical account, then debit it once for every record of its log."""
    ddf = _environment(profile)
    medical = next((adf for adf in ddf.directories if adf.fid == _MEDICAL), None)
    if medical is None:
        raise ProfileError(f"{profile.name}: there is no medical account")
    dlk, dpk = _key(medical, "load", 1), _key(medical, "purchase", 1)
    if {dlk.algorithm, dpk.algorithm} != {Algorithm.TDES}:
        raise ProfileError(
            f"{profile.name}: the medical account works with 3DES keys only:"
            " set algorithm = 3des for DLK, DPK and DTK of DF04"
        )
    log = next(file for file in medical.files if file.fid == _LOG)
    account = 1 if profile.option("medical_account") == "deposit" else 2
    yield from select_name(ddf.name, ddf.df_name)
    yield Step("verify PIN", _verify(_pin(ddf).value), secret=True)
    yield from select_name(medical.name, medical.df_name)
    yield from _load(account, dlk.value)
    for number in range(1, log.record_count + 1):
        yield from _debit(account, dpk.value, number)


def _load(account: int, dlk: bytes) -> Steps:
    """INITIALIZE FOR LOAD and CREDIT FOR LOAD. Source: ssse-lb002 3.10; pse-pboc 8."""
    load = purse.Transaction(_LOADED_FEN, account, _TERMINAL, _MOMENT)
    begun = yield _initialize(0x00, account, load)
    key = purse.load_key(dlk, begun[8:12], int.from_bytes(begun[4:6], "big"))
    data = _MOMENT + purse.load_mac2(key, load)
    yield Step("credit for load", Command(0x80, 0x52, 0x00, 0x00, data))


def _debit(account: int, dpk: bytes, number: int) -> Steps:
    """INITIALIZE FOR PURCHASE and DEBIT FOR PURCHASE. Source: ssse-lb002 3.10."""
    debit = purse.Transaction(_DEBITED_FEN, 4 + account, _TERMINAL, _MOMENT)
    begun = yield _initialize(0x01, account, debit)
    key = purse.purchase_key(dpk, begun[11:15], int.from_bytes(begun[4:6], "big"), number)
    data = number.to_bytes(4, "big") + _MOMENT + purse.purchase_mac1(key, debit)
    yield Step(f"debit {number}", Command(0x80, 0x54, 0x01, 0x00, data))


def _initialize(p1: int, account: int, transaction: purse.Transaction) -> Step:
    data = b"\x01" + transaction.amount_fen.to_bytes(4, "big") + _TERMINAL
    return Step("initialize", Command(0x80, 0x50, p1, account, data))


def _verify(digits: bytes) -> Command:
    return Command(0x00, 0x20, 0x00, 0x00, digits)


# ---- what a profile must have --------------------------------------------------------------------


def _environment(profile: Profile) -> Directory:
    if profile.ssse is None:
        raise ProfileError(f"{profile.name} has no SSSE: the states for testers are of that")
    return profile.ssse


def _pin(ddf: Directory) -> Key:
    if ddf.pin is None:
        raise ProfileError(f"{ddf.name} has no PIN")
    return ddf.pin


def _key(directory: Directory, kind: str, id_: int) -> Key:
    key = directory.key(KEY_TYPES[kind], id_)
    if key is None:
        raise ProfileError(f"{directory.name} has no {kind} key {id_:02X}")
    return key


SOCIAL_STATES: Final[Mapping[str, State]] = by_name(
    State(
        "pin-blocked", "the last try of the PIN is spent: 6983 until it is reloaded", _pin_blocked
    ),
    *map(_overlay, sources.state_names()),
    _used("app-blocked-temporary", "the SSSE is blocked until it is unblocked", _block(0)),
    _used("app-blocked-permanent", "the SSSE is blocked for good", _block(1)),
    _used("card-blocked", "the SSSE is dead after CARD BLOCK: 6A81", _card_block),
    State(
        "wrong-irk", "a counterfeit: a genuine card's data on a chip without its IRK", _counterfeit
    ),
    State(
        "unpersonalised",
        "handed over to the owners of its environments, which are empty",
        _unpersonalised,
    ),
    _used("full-log", "every record of the medical account's log is a debit", _fill_log),
)
"""The states of the SSSE by name."""
