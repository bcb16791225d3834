"""The issuer's scripts as the model of the PSE has them (pse-pboc 2.2, 3, 4.8, 5.6)."""

from sscard.iso.apdu import Command
from sscard.testing.models.pse_risk import State
from sscard.testing.models.pse_values import CHANGEABLE, Crypto, Debit, PsePolicy, PseSession, inner
from sscard.testing.models.ssse_values import Answer, Refused

__all__ = ["SCRIPTS", "Scripts"]

SCRIPTS = (0x1E, 0x18, 0x16, 0x24, 0xDA, 0xDC)

_MAC = 4
_COUNT_MOST = 15


class Scripts:
    """The part of the model that takes scripts."""

    debit: Debit
    crypto: Crypto
    policy: PsePolicy
    session: PseSession
    state: State
    card_blocked: bool

    def script(self, command: Command) -> Answer:
        """Follow a script command: tag and length, session, MAC, then what it asks."""
        here, data = self.session, command.data
        open_now = (
            here.state in ("ONLINE", "OPEN", "SCRIPT") and here.scripts and here.issuer != "bad"
        )
        wrong = self._form(command)
        if wrong:
            if open_now:
                self.state["scf"] = 1
            raise Refused(wrong)
        if not open_now:
            raise Refused("6985")
        if here.state == "SCRIPT":
            self.state["scc"] = min(_COUNT_MOST, self.state["scc"] + 1)
        header = bytes((command.cla, command.ins, command.p1, command.p2, len(data)))
        if data[-_MAC:] != self.crypto.script_mac(here.atc, here.ac1, header, data[:-_MAC]):
            self.state["scf"] = 1
            here.scripts = False
            raise Refused("6988")
        try:
            self._do(command, data[:-_MAC])
        except Refused:
            self.state["scf"] = 1
            raise
        return Answer()

    @staticmethod
    def check_parameters(command: Command) -> None:
        """P1 and P2 of a script (2.2)."""
        ins, p1, p2 = command.ins, command.p1, command.p2
        right = not p1 and not p2
        if ins == 0x24:
            right = not p1 and p2 in (0, 1, 2)
        elif ins == 0xDA:
            right = True
        elif ins == 0xDC:
            right = p2 & 7 == 4 and 1 <= p2 >> 3 <= 30
        if not right:
            raise Refused("6A86")

    def _form(self, command: Command) -> str:
        """Return the refusal of an unknown tag or a wrong length."""
        length = len(command.data) - _MAC
        if command.ins == 0xDA:
            held = self.debit.elements.get(self._tag(command))
            if self._tag(command) not in CHANGEABLE or held is None:
                return "6A80"
            return "" if length == len(held) else "6700"
        if command.ins == 0xDC:
            return "" if length > 0 else "6700"
        wanted = 16 if command.ins == 0x24 and command.p2 else 0
        return "" if length == wanted else "6700"

    @staticmethod
    def _tag(command: Command) -> str:
        return f"{command.p1:02X}{command.p2:02X}"

    def _do(self, command: Command, data: bytes) -> None:
        debit = self.debit
        if command.ins == 0x1E:
            debit.blocked = debit.blocked or "now"
        elif command.ins == 0x18:
            debit.blocked = "" if debit.blocked == "now" else debit.blocked
        elif command.ins == 0x16:
            self.card_blocked = self.session.outlives_block = True
        elif command.ins == 0x24:
            self._pin(command.p2, data)
        elif command.ins == 0xDA:
            self._put(self._tag(command), data)
        else:
            self._update(command.p2 >> 3, command.p1, data)

    def _pin(self, p2: int, data: bytes) -> None:
        debit = self.debit
        if debit.pin is None:
            raise Refused("6985")
        if p2:
            with_current = 2 if self.policy.pse_pin_change_roles == "swapped" else 1
            current = debit.pin if p2 == with_current else None
            try:
                debit.pin = self.crypto.new_pin(self.session.atc, data, current)
            except ValueError:
                raise Refused("6A80") from None
        debit.tries = debit.tries_max

    def _put(self, tag: str, data: bytes) -> None:
        elements = self.debit.elements
        limit = elements.get("9F77")
        if tag == "9F79" and limit is not None and data.hex() > limit.hex():
            raise Refused(self.policy.pse_put_data_limit)
        elements[tag] = data

    def _update(self, sfi: int, number: int, data: bytes) -> None:
        debit = self.debit
        if sfi == (inner(debit.template, 0x9F4D) or b"\0")[0]:
            raise Refused("6981")
        records = debit.records.get(sfi)
        if records is None:
            raise Refused("6A82")
        if not 1 <= number <= len(records):
            raise Refused("6A83")
        room = debit.rooms[sfi]
        others = sum(1 + len(held) for at, held in enumerate(records) if at != number - 1)
        if len(data) > room.record_max or others + 1 + len(data) > room.capacity:
            raise Refused(self.policy.pse_long_record)
        records[number - 1] = data
