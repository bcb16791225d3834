"""The flows with an HSM in place of a PSAM: `_HSM_Step1`, `2`, `3` (ssse-lb002 5.3, 8).

Step 1 collects what the HSM computes with and leaves the card powered; the next step plays what
came back. The first of two challenges is the session factor, so the card has to keep several:
`challenge_policy = history:4` (3.8). What a flow has reached is a value, and a step that does
not fit it finds no connection (-12).
"""

import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.text import bcd
from sscard.keys.padding import pad80_if_needed
from sscard.spec.online import Proof
from sscard.terminal import medical, pin
from sscard.terminal.crypto_source import Mac1, card_key, named_key
from sscard.terminal.errors import ApduError
from sscard.terminal.medical import Area, Opened
from sscard.terminal.national.basic import basic_text
from sscard.terminal.national.card_files import (
    AuthType,
    Target,
    read_all,
    targets,
    updates,
    way,
    write_all,
)
from sscard.terminal.national.codes import Code, code_of_sw
from sscard.terminal.national.debits import parse_pay_info, result
from sscard.terminal.national.equipment import Equipment
from sscard.terminal.national.failures import NationalError
from sscard.terminal.national.holder import Trust, ask, ask_new
from sscard.terminal.national.key_address import address_of
from sscard.terminal.national.session import Session

__all__ = ["PUK", "HsmSteps"]

RK, PUK = 0x0A, 0x06
"""KIDs of RK_SSSE and PUK (ssse-lb002 4.1)."""
_STRING = 16
"""Bytes of one of the HSM's strings: a cryptogram of 8 bytes and the 8 it enciphers."""
_MAC = 4
_ALGORITHM_CODES = {0x00: "01", 0x01: "01", 0x02: "02", 0x04: "03"}


@dataclass(frozen=True, slots=True)
class BasicRead:
    """Between the steps of a basic read: the challenges of the internal authentication."""

    session: Session
    factor: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Files:
    """Between the steps of reading or writing: the files, and the key they all want."""

    session: Session
    found: tuple[Target, ...]
    kid: int
    writing: bool


@dataclass(frozen=True, slots=True)
class PukWanted:
    """Between the first two steps of a PIN service: the PUK is to be proved."""

    session: Session
    reload: bool


@dataclass(frozen=True, slots=True)
class CommandWanted:
    """Between the last two: the HSM makes a command that begins with `header`."""

    session: Session
    reload: bool
    header: bytes


@dataclass(frozen=True, slots=True)
class Debit:
    """Between the steps of a debit: the purchase that the card has opened."""

    session: Session
    opened: Opened


Pending: TypeAlias = BasicRead | Files | PukWanted | CommandWanted | Debit
P = TypeVar("P", BasicRead, Files, PukWanted, CommandWanted, Debit)


class HsmSteps:
    """The flow that was begun in a reader, if one was."""

    def __init__(self, equipment: Equipment, trust: Trust) -> None:
        self._equipment = equipment
        self._trust = trust
        self._pending: Pending | None = None

    def end(self) -> None:
        """Give up a flow that was begun; its card loses its power."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.session.close()

    # ---- basic read ----

    def read_basic(self, i_type: int) -> str:
        """Step 1: `region|historical|algorithm|card id|R1|R2|R3|R4|device|`.

        R3 and R4 are empty for a card whose holder data everybody may read.
        """
        session = self._trust.meet(self._equipment, i_type)
        with _closed_on_error(session):
            card, challenge = session.card, session.visit.channel.challenge
            factor, data = challenge(), challenge()
            outer = (challenge(), challenge()) if session.holder_data_want_a_key else (b"", b"")
        self._pending = BasicRead(session, factor, data)
        head = (card.region, card.historical.hex().upper(), session.algorithm)
        values = (card.code, factor, data, *outer)
        return _fields(*head, *(value.hex().upper() for value in values), self._equipment.device)

    def read_basic_2(self, strings: str) -> str:
        """Step 2, `inner|outer|`: the card's proof is compared, RK_SSSE proved, EF06 read.

        Errors: -21 for a card that is not genuine, -23 for an inner string that is not about
        R2, -41, -42, the card's status word.
        """
        with self._finish(BasicRead) as flow:
            session, visit = flow.session, flow.session.visit
            wanted = 2 if session.holder_data_want_a_key else 1
            inner, *outer = _strings(strings, wanted)
            if inner[8:] != flow.data:
                raise NationalError(Code.INPUT_ILLEGAL, "the first string is not about R2")
            reply = visit.answer_of_card(flow.factor, flow.data)
            if reply.sw != SW.OK:
                raise NationalError(code_of_sw(reply.sw))
            proof = Proof(flow.factor, flow.data, reply.data)
            if not visit.accept_proof(proof, inner[:8]):
                raise NationalError(Code.NOT_GENUINE)
            self._trust.remember(session, proof)
            for string_ in outer:
                _prove(session, RK, string_)
            return basic_text(session)

    # ---- files ----

    def read_card(self, i_type: int, card_info: str, file_addr: str) -> str:
        """Step 1: `algorithm|key address|R1|R2|`.

        Errors: -2204 when no key is wanted, -14 for files that want different keys.
        """
        return self._files(i_type, card_info, file_addr, writing=False)

    def read_card_2(self, strings: str) -> str:
        """Step 2: prove the key and read."""
        with self._finish(Files, writing=False) as flow:
            _prove(flow.session, flow.kid, *_strings(strings, 1))
            return read_all(flow.session, flow.found, lambda _: None)

    def write_card(self, i_type: int, card_info: str, file_addr: str) -> str:
        """Step 1: as `read_card`."""
        return self._files(i_type, card_info, file_addr, writing=True)

    def write_card_2(self, strings: str, write_data: str) -> str:
        """Step 2: prove the key and write; data that do not fit cost no try of the key."""
        with self._finish(Files, writing=True) as flow:
            wanted = updates(flow.found, write_data)
            _prove(flow.session, flow.kid, *_strings(strings, 1))
            write_all(flow.session, wanted, lambda _: None)
            return ""

    def _files(self, i_type: int, card_info: str, file_addr: str, *, writing: bool) -> str:
        session = self._trust.meet(self._equipment, i_type)
        with _closed_on_error(session):
            found = targets(session, file_addr)
            session.require(card_info)
            rules = [target.file.update if writing else target.file.read for target in found]
            ways = [way(rule, AuthType.KEY) for rule in rules]
            kids = {kid for proofs in ways for kid in proofs.kids}
            if not kids:
                raise NationalError(Code.NO_HSM_NEEDED)
            if len(kids) > 1 or len({target.place for target in found}) > 1:
                raise NationalError(Code.ARGUMENT, "one flow proves one key of one directory")
            if any(proofs.pin for proofs in ways):
                self._verify(session)
            session.visit.enter(found[0].place)
            (kid,) = kids
            asked = _asked(session, address_of(card_key(kid, found[0].place)))
        self._pending = Files(session, found, kid, writing)
        return asked

    # ---- the PIN ----

    def puk(self, i_type: int, card_info: str, *, reload: bool) -> str:
        """Step 1: `algorithm|address of the PUK|R1|R2|`."""
        session = self._trust.meet(self._equipment, i_type)
        with _closed_on_error(session):
            session.require(card_info)
            self._trust.require(session)
            asked = _asked(session, address_of(card_key(PUK, "SSSE")))
        self._pending = PukWanted(session, reload)
        return asked

    def puk_2(self, strings: str, *, reload: bool) -> str:
        """Step 2: prove the PUK; `algorithm|key address|R|command header|new PIN|`."""
        with self._finish(PukWanted, reload=reload) as flow:
            session = flow.session
            _prove(session, PUK, *_strings(strings, 1))
            digits = ask_new(self._equipment) if reload else ""
            block = 16 if session.algorithm == "03" else 8
            plain = bytes((len(digits) // 2,)) + bcd(digits) if digits else b""
            size = len(pad80_if_needed(plain, block)) + _MAC if digits else _MAC
            header = bytes((0x84, 0x24, 0x00, int(reload), size))
            address = address_of(named_key(f"{self._equipment.dialect.pin_sm_key}@SSSE"))
            factor = session.visit.channel.challenge()
            self._pending = CommandWanted(session, reload, header)
            made = (factor.hex().upper(), header.hex().upper(), digits)
            return _fields(session.algorithm, address, *made)

    def puk_3(self, apdu: str, *, reload: bool) -> str:
        """Step 3: send the command. Errors: -41, -42, -23 for another command."""
        with self._finish(CommandWanted, reload=reload) as flow:
            command = _hex(apdu.strip("|"), len(flow.header) + flow.header[4])
            if command[: len(flow.header)] != flow.header:
                raise NationalError(Code.INPUT_ILLEGAL, "another command than was asked for")
            flow.session.visit.channel.send(Command.parse(command))
            return ""

    # ---- money ----

    def debit(self, i_type: int, card_info: str, pay_info: str) -> str:
        """Step 1: `algorithm|key address|random|sequence|amount|type|terminal|moment|`."""
        pay = parse_pay_info(pay_info, self._equipment.clock())
        session = self._trust.meet(self._equipment, i_type)
        with _closed_on_error(session):
            session.require(card_info)
            self._verify(session)
            if session.visit.initial_pin:
                raise NationalError(Code.PIN_INITIAL)
            terminal = bcd(self._equipment.terminal)
            opened = medical.begin(session.visit, pay.amount_fen, pay.at, terminal)
        self._pending = Debit(session, opened)
        request, purchase = opened.request, opened.request.transaction
        return _fields(
            _ALGORITHM_CODES.get(request.algorithm, session.algorithm),
            address_of(named_key("DPK@DF04")),
            request.random.hex().upper(),
            f"{request.sequence:04X}",
            f"{purchase.amount_fen:08X}",
            f"{purchase.kind:02X}",
            purchase.terminal.hex(),
            purchase.moment.hex(),
        )

    def debit_2(self, strings: str) -> str:
        """Step 2, `terminal transaction number|moment|MAC1|`: debit."""
        with self._finish(Debit) as flow:
            parts = strings.split("|")
            if len(parts) < 3:
                raise NationalError(Code.ARGUMENT, "pKey is number|moment|MAC1|")
            sizes = (4, 7, _MAC)
            number, moment, mac = (_hex(*pair) for pair in zip(parts, sizes, strict=False))
            purchase = flow.opened.request.transaction
            if moment != purchase.moment:
                raise NationalError(Code.INPUT_ILLEGAL, "another moment than was asked for")
            mac1 = Mac1(int.from_bytes(number, "big"), mac)
            receipt = medical.finish(flow.session.visit, flow.opened, mac1, Area.CITY)
            return result(purchase, receipt)

    # ---- how ----

    def _verify(self, session: Session) -> None:
        self._trust.require(session)
        pin.verify(session.visit, ask(self._equipment))

    @contextmanager
    def _finish(self, kind: type[P], **expected: bool) -> Iterator[P]:
        """Yield the flow that was begun, if it is of this kind, and end it after the step.

        Errors: `NationalError` -12 when none was; another one ends.
        """
        pending, self._pending = self._pending, None
        fits = isinstance(pending, kind) and all(
            getattr(pending, name) is value for name, value in expected.items()
        )
        try:
            if not isinstance(pending, kind) or not fits:
                raise NationalError(Code.NOT_CONNECTED, "step 1 of this flow was not made")
            yield pending
        finally:
            if pending is not None and self._pending is None:
                pending.session.close()


@contextmanager
def _closed_on_error(session: Session) -> Iterator[None]:
    """Close a session that no flow will come of."""
    try:
        yield
    except BaseException:
        session.close()
        raise


def _asked(session: Session, address: str) -> str:
    """Return what an HSM needs for an external authentication: two challenges of the card."""
    first, second = session.visit.channel.challenge(), session.visit.channel.challenge()
    return _fields(session.algorithm, address, first.hex().upper(), second.hex().upper())


def _prove(session: Session, kid: int, string_: bytes) -> None:
    """Play a string: EXTERNAL AUTHENTICATE. Errors: the status word, with the likely reason."""
    try:
        session.visit.prove(kid, string_[:8], string_[8:])
    except ApduError as error:
        if error.tries_left is None:
            raise
        why = "the card must keep its last four challenges (challenge_policy history:4)"
        raise NationalError(code_of_sw(error.sw), why) from error


def _strings(text: str, count: int) -> list[bytes]:
    """Read the HSM's strings, each with `|` behind it. Errors: `NationalError` -41, -42."""
    parts = text.rstrip("|").split("|")
    if len(parts) != count:
        raise NationalError(Code.CRYPTO_LENGTH, f"{count} strings are needed, not {len(parts)}")
    return [_hex(part, _STRING) for part in parts]


def _hex(text: str, size: int) -> bytes:
    """Read `size` bytes in hex. Errors: `NationalError` -41, -42."""
    if not set(text) <= set(string.hexdigits):
        raise NationalError(Code.CRYPTO_CHARACTERS)
    if len(text) != 2 * size:
        raise NationalError(Code.CRYPTO_LENGTH, f"{2 * size} digits are needed, not {len(text)}")
    return bytes.fromhex(text)


def _fields(*values: str) -> str:
    return "".join(f"{value}|" for value in values)
