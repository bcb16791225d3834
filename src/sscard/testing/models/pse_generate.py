"""GENERATE AC as the model of the PSE has it: the answer, its cryptogram, the log.

Source: pse-pboc 2.6, 4.4 to 4.6, 5.3, 5.4, 7.
"""

import hashlib

from sscard.iso import tlv
from sscard.iso.apdu import Command
from sscard.testing.models.pse_risk import Rules, first, second
from sscard.testing.models.pse_scripts import Scripts
from sscard.testing.models.pse_values import AC_ITEMS, concatenated, dol, dol_length, inner, picked
from sscard.testing.models.ssse_values import Answer, Refused

__all__ = ["Generating"]


class Generating(Scripts):
    """The part of the model that decides, and what decisions are made from."""

    # --- lists and states ---------------------------

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


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()
