"""An independent model of the PSE's debit application: what a card must answer, and then knows.

Written from pse-pboc 1 to 5 alone; it shares the wire format with what it checks, no more. Keys
are somebody else's (`Crypto`), so its cryptograms can be those of any library. It follows a card
command by command: `exchange` takes an APDU and the card's response, says what is wrong with it,
and becomes what the card must be now.

It predicts status word and data of every command of 2.2 for a finished application. It abstains,
and says why, from commands elsewhere than in the PSE and from GET DATA of the COS's objects.
"""

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from typing import Final

from sscard.iso import tlv
from sscard.iso.apdu import Command, MalformedApdu
from sscard.testing.models.pse_generate import Generating
from sscard.testing.models.pse_risk import BLANK, Bits, State
from sscard.testing.models.pse_scripts import SCRIPTS
from sscard.testing.models.pse_values import (
    DIRECTORY,
    READABLE,
    Crypto,
    Debit,
    PsePolicy,
    PseSession,
    dol_length,
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


class PseModel(Generating):
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


def _pin_of(block: bytes) -> str:
    """Return the digits of a format 2 PIN block; "" when it is none (2.4)."""
    text = block.hex().upper()
    length = int(text[1], 16) if text else 0
    digits, filler = text[2 : 2 + length], text[2 + length :]
    if len(text) != 16 or text[0] != "2" or not 4 <= length <= 12:
        return ""
    return digits if digits.isdecimal() and not filler.strip("F") else ""
