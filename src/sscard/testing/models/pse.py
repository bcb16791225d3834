"""An independent model of the PSE's debit application: what a card must answer, and then knows.

Written from pse-pboc 1 to 5 alone; it shares the wire format with what it checks, no more. Keys
are somebody else's (`Crypto`), so its cryptograms can be those of any library. It follows a card
command by command: `exchange` takes an APDU and the card's response, says what is wrong with it,
and becomes what the card must be now.

It predicts status word and data of every command of 2.2 for a finished application. It abstains,
and says why, from commands elsewhere than in the PSE and from GET DATA of the COS's objects.
"""

import hashlib
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

from sscard.iso import tlv
from sscard.iso.apdu import Command, MalformedApdu
from sscard.testing.models.pse_risk import BLANK, Bits, Rules, State, first, second
from sscard.testing.models.pse_scripts import SCRIPTS, Scripts
from sscard.testing.models.pse_values import (
    AC_ITEMS,
    DIRECTORY,
    READABLE,
    Crypto,
    Debit,
    PsePolicy,
    PseSession,
    concatenated,
    dol,
    dol_length,
    inner,
    picked,
)
from sscard.testing.models.ssse_values import Answer, NotModelledError, Refused

__all__ = ["Answer", "NotModelledError", "PseModel", "PsePolicy"]

_CLASSES: Final = {
    0xA8: 0x80, 0x20: 0x00, 0x88: 0x00, 0xAE: 0x80, 0x82: 0x00, 0xCA: 0x80, 0xB2: 0x00,
    0x84: 0x00, 0xC0: 0x00, 0x1E: 0x84, 0x18: 0x84, 0x16: 0x84, 0x24: 0x84, 0xDA: 0x04,
    0xDC: 0x04,
}  # fmt: skip
"""The one class of each instruction of 2.2."""
_IN_THE_DIRECTORY: Final = (0xB2, 0xCA, 0x84, 0xC0)
_KNOWN_TO_THE_COS: Final = frozenset((0x82, 0xC0, 0xCA, 0xD4, 0xE0, 0xE2, 0xE4, 0xE6, 0xE8, 0xEE))


class PseModel(Scripts):
    """One card's PSE with a debit application."""

    def __init__(self, debit: Debit, crypto: Crypto, policy: PsePolicy | None = None) -> None:
        self.debit = debit
        self.crypto = crypto
        self.policy = policy or PsePolicy()
        self.session = PseSession()
        self.state: State = dict(BLANK)
        self.state["atc"] = int.from_bytes(debit.elements.get("9F36", b""), "big")
        self.state["lo"] = int.from_bytes(debit.elements.get("9F13", b""), "big")
        self.card_blocked = False
        self.challenge = b""
        self.search: tuple[bytes, int] | None = None
        self.expected = Answer()
        """What the response just followed should have been."""

    # --- following a card ---------------------------

    def exchange(self, raw: bytes, response: bytes) -> str:
        """Follow one command; return what is wrong with the response, or ""."""
        answer = self.expected = self._answer(raw, response)
        sw, data = response[-2:].hex().upper(), response[:-2]
        if answer.sw and not any(fnmatchcase(sw, pattern) for pattern in answer.sw):
            return f"answered {sw}, not {' or '.join(answer.sw)}"
        if answer.data is not None and data != answer.data:
            return f"answered {data.hex().upper() or '-'}, not {answer.data.hex().upper() or '-'}"
        return ""

    def reset(self) -> None:
        """The power failed: what is not committed is gone (5.5)."""
        self.session, self.challenge, self.search = PseSession(), b"", None

    def _answer(self, raw: bytes, response: bytes) -> Answer:
        try:
            command = Command.parse(raw)
        except MalformedApdu:
            return Answer(("6700",))
        challenge, self.challenge = self.challenge, b""
        try:
            if (command.cla, command.ins) == (0x00, 0xA4):
                return self._select(command)
            if self.session.place == "MF":
                return Answer.abstain("the MF is the COS's")
            if self.session.place == "":
                return Answer(("6A81",))
            return self._execute(command, challenge, response)
        except Refused as refusal:
            return Answer(refusal.sw)

    # --- SELECT (1.2) ---------------------------

    def _select(self, command: Command) -> Answer:
        here = self.session
        to_mf = (command.p1, command.p2, command.data) == (0, 0, b"\x3f\x00")
        if not to_mf and here.place in {"MF", ""} and command.p1 != 4:
            return Answer.abstain("outside the PSE these are the COS's")
        if not to_mf and (command.p1 != 4 or command.p2 not in (0, 2)):
            raise Refused("6A86")
        if not to_mf and not 5 <= len(command.data) <= 16:
            raise Refused("6700")
        if to_mf:
            self.session, self.search = PseSession(), None
            return Answer(("9000",), None)
        place = self._named(command.data, again=command.p2 == 2)
        if not place:
            if here.place == "ADF" and self.policy.pse_failed_select == "reset":
                self.session = PseSession("ADF", "SELECTED")
            raise Refused("6A82")
        if self.card_blocked:
            self.session = PseSession("")
            raise Refused("6A81")
        self.session = PseSession(place, "SELECTED" if place == "ADF" else "")
        name = DIRECTORY if place == "PSE" else self.debit.name
        template = self.debit.directory_template if place == "PSE" else self.debit.template
        blocked = place == "ADF" and self.debit.blocked
        return Answer(
            ("6283" if blocked else "9000",), tlv.encode(0x6F, tlv.encode(0x84, name) + template)
        )

    def _named(self, name: bytes, *, again: bool) -> str:
        """Return the place a name finds, a full one before the beginning of one."""
        names = {DIRECTORY: "PSE", self.debit.name: "ADF"}
        found = [names[name]] if name in names else []
        found = found or [at for full, at in names.items() if full.startswith(name)]
        index = 0
        if again:
            if self.search is not None and self.search[0] == name:
                index = self.search[1] + 1
            elif self.policy.pse_next_name == "6A82":
                return ""
        self.search = (name, index)
        return found[index] if index < len(found) else ""

    # --- the order of checks (2.1) ---------------------------

    def _execute(self, command: Command, challenge: bytes, response: bytes) -> Answer:
        ins, here = command.ins, self.session
        if command.cla & 0x03:
            raise Refused("6E00")
        if here.place == "PSE" and ins not in _IN_THE_DIRECTORY:
            if ins == 0x82 and command.cla == 0 and len(command.data) == 10:
                raise Refused("6E00")
            if ins in _KNOWN_TO_THE_COS:
                return Answer.abstain("the directory takes its owner's commands, too")
            raise Refused("6D00")
        if ins not in _CLASSES:
            if ins in _KNOWN_TO_THE_COS:
                return Answer.abstain("a command of the COS")
            raise Refused("6D00")
        if command.cla != _CLASSES[ins]:
            raise Refused("6E00")
        if ins in SCRIPTS:
            self.check_parameters(command)
        else:
            self._check_parameters(command)
        if self.card_blocked and not here.outlives_block and ins != 0xC0:
            raise Refused("6A81")
        if ins in SCRIPTS:
            return self.script(command)
        self._check_length(command)
        handlers: dict[int, Callable[[Command], Answer]] = {
            0xA8: self._gpo,
            0x20: partial(self._verify, challenge=challenge),
            0x88: self._internal,
            0xAE: self._generate,
            0x82: self._external,
            0xCA: self._get_data,
            0xB2: self._read_record,
            0x84: partial(self._get_challenge, response=response),
            0xC0: self._get_response,
        }
        return handlers[ins](command)

    def _check_parameters(self, command: Command) -> None:
        """P1 and P2, and the one Lc that is the same on every card."""
        p1, p2 = command.p1, command.p2
        parameters = {
            0xA8: not p1 and not p2,
            0x20: not p1 and p2 in (0x80, 0x88),
            0x88: not p1 and not p2,
            0xAE: p1 & 0xC0 != 0xC0 and not p2,
            0x82: not p1 and not p2,
            0xB2: p2 & 7 == 4,
            0x84: not p1 and not p2,
        }
        if not parameters.get(command.ins, True):
            raise Refused("6A86")
        if command.ins == 0x82 and len(command.data) != 10:
            raise Refused("6700")

    def _check_length(self, command: Command) -> None:
        """An Lc that is this card's, whatever the state."""
        length = len(command.data)
        wanted = {
            0xA8: 2 + dol_length(self._pdol),
            0x20: 8 if command.p2 == 0x80 else self.debit.key_size,
            0x88: dol_length(self._list(0x9F49, bytes.fromhex("9F3704"))),
        }
        if length != wanted.get(command.ins, length):
            raise Refused("6700")

    @property
    def _pdol(self) -> tuple[tuple[int, int], ...]:
        return dol(inner(self.debit.template, 0x9F38))

    def _list(self, tag: int, otherwise: bytes = b"") -> tuple[tuple[int, int], ...]:
        """A list of the records of SFI 1 to 10, the first there is."""
        for sfi in sorted(self.debit.records):
            for record in self.debit.records[sfi] if sfi <= 10 else ():
                try:
                    held = dict(reversed(tlv.parse(inner(record, 0x70))))
                except tlv.TlvError:
                    continue
                if tag in held:
                    return dol(held[tag])
        return dol(otherwise)

    def _need(self, *states: str) -> None:
        if self.session.state not in states:
            raise Refused("6985")

    # --- reading (2.3, 2.5) ---------------------------

    def _get_data(self, command: Command) -> Answer:
        tag = f"{command.p1:02X}{command.p2:02X}"
        if self.session.place == "PSE" or tag not in READABLE:
            return Answer.abstain("an object of the COS")
        value = self.debit.elements.get(tag)
        if tag == "9F36":
            value = self.state["atc"].to_bytes(2, "big")
        if tag == "9F13":
            value = self.state["lo"].to_bytes(2, "big")
        if tag == "9F17":
            value = None if self.debit.pin is None else bytes((self.debit.tries,))
        if tag == "9F4F" and value is None and self.policy.pse_log_format_absent == "empty":
            value = b""
        if value is None:
            raise Refused("6A88")
        return Answer(data=tlv.encode(int(tag, 16), value))

    def _read_record(self, command: Command) -> Answer:
        sfi, number = command.p2 >> 3, command.p1
        if not sfi:
            raise Refused("6A82")
        if not number and self.policy.pse_record_zero == "6A86":
            raise Refused("6A86")
        early = self.session.state == "SELECTED" and sfi <= 10
        if early and self.policy.pse_read_before_gpo == "6985":
            raise Refused("6985")
        if self.session.place == "PSE":
            records = self.debit.directory_records if sfi == 1 else None
        elif sfi == self._log_sfi:
            records = self.debit.log
        else:
            records = self.debit.records.get(sfi)
        if records is None:
            raise Refused("6A82")
        if not 1 <= number <= len(records):
            raise Refused("6A83")
        return Answer(data=records[number - 1])

    def _get_challenge(self, command: Command, response: bytes) -> Answer:
        self.challenge = response[:-2]
        return Answer(("9000", "6700"), None)

    def _get_response(self, command: Command) -> Answer:
        raise Refused(self.policy.pse_empty_get_response)

    # --- opening (3) ---------------------------

    def _gpo(self, command: Command) -> Answer:
        self._need("SELECTED")
        debit = self.debit
        if debit.blocked == "ever":
            raise Refused("6985")
        if command.data[0] != 0x83:
            raise Refused("6A80")
        if command.data[1] != len(command.data) - 2:
            raise Refused("6700")
        self.state["atc"] += 1
        if self.state["atc"] == 0xFFFF:
            debit.blocked = "ever"
            raise Refused("6985")
        self.session = PseSession(
            "ADF", "INITIATED", self.state["atc"], debit.aip, command.data[2:]
        )
        return Answer(data=tlv.encode(0x80, debit.aip + debit.afl))

    # --- VERIFY (2.4, 4.10) ---------------------------

    def _verify(self, command: Command, challenge: bytes) -> Answer:
        if self.policy.verify_state != "any":
            self._need("INITIATED")
        debit, here = self.debit, self.session
        reports = here.state in ("INITIATED", "ONLINE")
        bits = Bits(here.cvr if reports else 0)
        if debit.pin is None:
            raise Refused(self.policy.pin_absent)
        block = command.data
        if command.p2 == 0x88:
            block = self._plain(command.data, challenge)
        digits = _pin_of(block)
        if not digits and block and self.policy.pin_malformed == "6A80":
            raise Refused("6A80")
        again = bits.get(2, 3)
        bits.put(2, 3)
        if not debit.tries:
            bits.put(2, 2)
            bits.put(3, 7)
            here.cvr = bits.raw if reports else here.cvr
            raise Refused("6983" if again else "6984")
        if digits == debit.pin:
            debit.tries = debit.tries_max
            bits.put(2, 2, value=False)
            here.cvr = bits.raw if reports else here.cvr
            here.exceeded = False
            return Answer()
        debit.tries -= 1
        bits.put(2, 2)
        if not debit.tries:
            here.exceeded = True
            bits.put(3, 7)
            if debit.elements.get("9F52", b"\0\0")[1] & 0x80:
                bits.put(3, 2)
                debit.blocked = debit.blocked or "now"
        here.cvr = bits.raw if reports else here.cvr
        raise Refused(f"63C{debit.tries:X}")

    def _plain(self, data: bytes, challenge: bytes) -> bytes:
        plain = self.crypto.decipher(data)
        right = plain[:1] == b"\x7f" and len(challenge) == 8 and plain[9:17] == challenge
        if right:
            return plain[1:9]
        if self.policy.pin_decipherment == "wrong":
            return b""
        raise Refused("6984")

    # --- authentication (4.7, 4.9) ---------------------------

    def _internal(self, command: Command) -> Answer:
        self._need("INITIATED")
        here = self.session
        if not here.aip[0] & 0x20:
            raise Refused("6985")
        bits = Bits(here.cvr)
        bits.put(4, 2)
        here.cvr = bits.raw
        dynamic = b"\x02" + here.atc.to_bytes(2, "big")
        return Answer(data=tlv.encode(0x80, self.crypto.signature(dynamic, command.data)))

    def _external(self, command: Command) -> Answer:
        here = self.session
        self._need("ONLINE", "OPEN")
        offered = here.state == "OPEN" or here.aip[0] & 0x04
        if not offered and self.policy.pse_arpc_unsupported == "6985":
            raise Refused("6985")
        if here.issuer is not None:
            here.issuer = "bad"
            raise Refused("6985")
        if command.data[:8] == self.crypto.arpc(here.atc, here.ac1, command.data[8:]):
            here.issuer = command.data[8:].decode("latin-1")
            return Answer()
        here.issuer = "bad"
        raise Refused("6300")

    # --- GENERATE AC (2.6, 5.3, 5.4) ---------------------------

    def _generate(self, command: Command) -> Answer:
        here = self.session
        if self.policy.pse_ac_reserved_bits == "6A86" and command.p1 & 0x2F:
            self._need("INITIATED", "ONLINE")
            raise Refused("6A86")
        self._need("INITIATED", "ONLINE")
        is_first = here.state == "INITIATED"
        entries = self._list(0x8C if is_first else 0x8D)
        if len(command.data) != dol_length(entries):
            raise Refused("6700")
        if not is_first and command.p1 & 0xC0 == 0x80:
            raise Refused("6985")
        with_cda = bool(command.p1 & 0x10)
        if with_cda and not here.aip[0] & 0x01:
            if self.policy.pse_cda_unsupported != "ignore":
                raise Refused("6985")
            with_cda = False
        values = picked(entries, command.data)
        missing = any(tag not in values for tag, _ in AC_ITEMS)
        if missing and self.policy.pse_missing_ac_item == "6985":
            raise Refused("6985")
        asked = ("AAC", "TC", "ARQC")[command.p1 >> 6]
        if is_first:
            return self._first(asked, values, command.data, with_cda=with_cda)
        return self._second(asked, values, command.data, with_cda=with_cda)

    def _first(
        self, asked: str, values: dict[int, bytes], data: bytes, *, with_cda: bool
    ) -> Answer:
        here, debit = self.session, self.debit
        tries, was_blocked = self._tries, bool(debit.blocked)
        answer, cid, cvr, after, blocks = first(
            self._tags(), self.state, _terminal(values), asked,
            aip=here.aip[0], cvr=here.cvr, tries=tries, exceeded=here.exceeded,
            blocked=was_blocked, rules=self._rules,
        )  # fmt: skip
        with_cda = with_cda and answer != "AAC"
        here.cvr = int.from_bytes(bytes.fromhex(cvr)[1:], "big") | (2 if with_cda else 0)
        self.state = after
        said = here.pdol_data + data if with_cda else None
        ac, response = self._response(cid, values, said)
        here.ac1, here.cdol1_data = ac, data
        if blocks:
            debit.blocked = debit.blocked or "now"
            if not was_blocked and self.policy.pse_pin_blocks == "6985":
                here.state = "FINISHED"
                raise Refused("6985")
        if answer == "TC" or (answer == "AAC" and self.policy.pse_log_declined == "on"):
            self._write_log(values, picked(self._pdol, here.pdol_data))
        without_pin = tries == 0 and self.policy.pse_open_without_pin == "yes"
        here.state = "OPEN" if was_blocked or without_pin else "FINISHED"
        if answer == "ARQC":
            here.state = "ONLINE"
        return Answer(data=response)

    def _second(
        self, asked: str, values: dict[int, bytes], data: bytes, *, with_cda: bool
    ) -> Answer:
        here = self.session
        answer, cid, cvr, after = second(
            self._tags(), self.state, _terminal(values), asked,
            aip=here.aip[0], cvr=here.cvr, arc=values.get(0x8A, b"").decode("latin-1"),
            issuer=here.issuer, tries=self._tries, blocked=bool(self.debit.blocked),
            rules=self._rules,
        )  # fmt: skip
        with_cda = with_cda and answer != "AAC"
        here.cvr = int.from_bytes(bytes.fromhex(cvr)[1:], "big") | (2 if with_cda else 0)
        self.state = after
        said = here.pdol_data + here.cdol1_data + data if with_cda else None
        response = self._response(cid, values, said)[1]
        if answer == "TC" or self.policy.pse_log_declined == "on":
            first_values = picked(self._list(0x8C), here.cdol1_data)
            self._write_log(first_values, values, picked(self._pdol, here.pdol_data))
        here.state = "SCRIPT"
        return Answer(data=response)

    def _response(
        self, cid: int, values: dict[int, bytes], said: bytes | None
    ) -> tuple[bytes, bytes]:
        """Return the cryptogram and the response; `said` is what CDA signs of the terminal's."""
        here = self.session
        counter, cvr = here.atc.to_bytes(2, "big"), b"\x03" + here.cvr.to_bytes(3, "big")
        message = concatenated(AC_ITEMS, values) + here.aip + counter + cvr
        ac, iad = self.crypto.cryptogram(here.atc, message), self._issuer_data(cvr)
        if said is None and self.policy.pse_ac_format == "80":
            return ac, tlv.encode(0x80, bytes((cid,)) + counter + ac + iad)
        head = tlv.encode(0x9F27, bytes((cid,))) + tlv.encode(0x9F36, counter)
        tail = tlv.encode(0x9F10, iad)
        if said is None:
            return ac, tlv.encode(0x77, head + tlv.encode(0x9F26, ac) + tail)
        hashed = _sha1(said + head + tail)
        dynamic = b"\x02" + counter + bytes((cid,)) + ac + hashed
        signed = self.crypto.signature(dynamic, concatenated(((0x9F37, 4),), values))
        return ac, tlv.encode(0x77, head + tlv.encode(0x9F4B, signed) + tail)

    def _issuer_data(self, cvr: bytes) -> bytes:
        """Return 9F10: what was personalised, the CVR and current amounts put in (4.6)."""
        template = self.debit.issuer_data
        fixed = template[:3] + cvr + template[7:8]
        balance = self.debit.elements.get("9F79", bytes(6))[1:]
        limit = self.debit.elements.get("9F54", bytes(6))[1:]
        available = self.debit.elements.get("9F5D", bytes(6))[1:]
        spent = bytes.fromhex(f"{self.state['ctta']:012d}")[1:]
        amounts = {
            1: balance, 2: spent, 3: balance + spent, 4: spent + limit, 5: available,
        }.get(template[9] if len(template) > 9 else 0)  # fmt: skip
        if amounts is None:
            return fixed + template[8:]
        content = template[9:10] + amounts + self.crypto.idd_mac(self.session.atc, amounts)
        return fixed + bytes((len(content),)) + content

    # --- the data of risk management (5.1) ---------------------------

    @property
    def _tries(self) -> int | None:
        return None if self.debit.pin is None else self.debit.tries

    @property
    def _rules(self) -> Rules:
        return Rules(
            self.policy.pse_approving_arcs == "referrals",
            self.policy.pse_declined_counts == "yes",
            self.policy.pse_conversion == "rounded",
        )

    def _tags(self) -> dict[str, object]:
        held: dict[str, object] = dict(self.debit.elements)
        for tag, value in self.debit.elements.items():
            if tag in ("9F54", "9F5C", "9F75"):
                held[tag] = int(value.hex())
            elif tag == "9F73":
                held[tag] = value.hex()
            elif tag not in ("9F51", "9F57", "9F76"):
                held[tag] = int.from_bytes(value, "big")
        return held

    # --- the log (7) ---------------------------

    @property
    def _log_sfi(self) -> int:
        return (inner(self.debit.template, 0x9F4D) or b"\0")[0]

    def _write_log(self, *sources: dict[int, bytes]) -> None:
        debit = self.debit
        entries = dol(debit.elements.get("9F4F", b""))
        if not self._log_sfi or not entries:
            return
        own = {int(tag, 16): value for tag, value in debit.elements.items()}
        own[0x9F36] = self.session.atc.to_bytes(2, "big")
        record = concatenated(entries, *sources, own)
        record = record[: debit.log_length].ljust(debit.log_length, b"\0")
        debit.log = [record, *debit.log][: debit.log_records]


def _terminal(values: dict[int, bytes]) -> dict[str, object]:
    return {
        "9F02": int(values.get(0x9F02, b"\0").hex()),
        "5F2A": values.get(0x5F2A, bytes(2)),
        "9F1A": values.get(0x9F1A, bytes(2)),
        "95": int.from_bytes(values.get(0x95, b""), "big"),
    }


def _pin_of(block: bytes) -> str:
    """Return the digits of a format 2 PIN block; "" when it is none (2.4)."""
    text = block.hex().upper()
    length = int(text[1], 16) if text else 0
    digits, filler = text[2 : 2 + length], text[2 + length :]
    if len(text) != 16 or text[0] != "2" or not 4 <= length <= 12:
        return ""
    return digits if digits.isdecimal() and not filler.strip("F") else ""


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()
