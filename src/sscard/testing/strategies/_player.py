"""Who carries a session out: knows what was answered, and makes each command when it is due.

Source: ssse-lb002 3, 4; pse-pboc 2, 4, 8.
"""

from collections.abc import Mapping
from typing import Final

from sscard.iso import tlv
from sscard.iso.apdu import Command
from sscard.keys import purse
from sscard.keys import session as proofs
from sscard.testing.line_protection import LineProtection
from sscard.testing.models.pse_values import concatenated, inner
from sscard.testing.models.ssse_values import MASTER
from sscard.testing.strategies._orders import Exchanged, Guarded, Holder, Order, Port

__all__ = ["Player"]

_SSSE_NAME: Final = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
_STK, _PUK = 0x02, 0x06
_PLACE: Final = bytes.fromhex("999901000001")
_MOMENT: Final = bytes.fromhex("20260701103045")
_LOAD_ANSWER, _PURCHASE_ANSWER = 16, 15
_TERMINAL: Final[Mapping[int, bytes]] = {
    0x95: bytes.fromhex("0000008000"), 0x9A: bytes.fromhex("260701"), 0x9C: b"\0",
    0x5F2A: b"\x01\x56", 0x9F1A: b"\x01\x56", 0x9F21: bytes.fromhex("103045"),
    0x9F4E: b"TEST MERCHANT 000001",
}  # fmt: skip


class Player:
    """Knows what was answered: the challenge, the counter, the first cryptogram."""

    def __init__(self, holder: Holder, port: Port) -> None:
        self.holder = holder
        self.port = port
        self.exchanges: list[Exchanged] = []
        self.used = self.used_mac = bytes(8)
        self.pin = holder.pin
        self.bank_pin = (holder.debit.pin or "") if holder.debit is not None else ""
        self.atc = 0
        self.cryptogram = b""
        self.second = False

    def carry_out(self, order: Order) -> None:
        """Make the commands of an order and send them."""
        getattr(self, f"_{order.what}")(order)

    def _send(self, order: Order, apdu: bytes) -> bytes:
        response = self.port.transmit(apdu)
        self.exchanges.append(Exchanged(order, apdu, response))
        return response[:-2] if response[-2:] == b"\x90\0" else b""

    def _done(self, order: Order, apdu: bytes) -> bool:
        self._send(order, apdu)
        return self.exchanges[-1].sw == "9000"

    def _command(
        self, order: Order, header: str, data: bytes = b"", le: int | None = None
    ) -> bytes:
        cla, ins, p1, p2 = bytes.fromhex(header)
        return self._send(order, Command(cla, ins, p1, p2, data, le).build())

    def _sent_mac(self, order: Order, mac: bytes) -> bytes:
        """Return a MAC of 4 bytes as the order has it: right, one bit wrong, or the last one."""
        sent = spoilt(mac, order.fault)
        if order.fault == "stale" and self.used_mac[:4] != mac:
            sent = self.used_mac[:4]
        self.used_mac = mac
        return sent

    # --- both environments ---------------------------

    def _raw(self, order: Order) -> None:
        self._send(order, order.data)

    def _select(self, order: Order) -> None:
        if order.place == "SSSE":
            self._command(order, "00A40400", _SSSE_NAME)
        elif order.place == "PSE" and self.holder.debit is not None:
            self._command(order, "00A40400", self.holder.debit.name)
        else:
            self._command(order, "00A40000", bytes.fromhex(order.place))

    def _verify(self, order: Order) -> None:
        if order.place == "PSE" and self.holder.debit is not None:
            block = bytes.fromhex(f"2{len(self.bank_pin):X}{self.bank_pin}".ljust(16, "F"))
            self._command(order, "00200080", spoilt(block, order.fault, at=1))
        else:
            self._command(order, "00200000", spoilt(self.pin, order.fault))

    def _read(self, order: Order) -> None:
        if order.data:
            self._command(order, f"00B0{0x80 | order.number:02X}00", le=16)
            return
        self._command(order, f"00B201{order.number << 3 | 4:02X}", le=256)

    # --- the SSSE ---------------------------

    def _prove(self, order: Order) -> None:
        """EXTERNAL AUTHENTICATE of a key (ssse-lb002 4.1)."""
        social = self.holder.social
        if social is None:
            return
        challenge = self._challenge(order)
        key = social.keys[order.place, order.number]
        if order.number == MASTER:
            data = proofs.direct_cryptogram(social.algorithm, key, challenge)
        else:
            data = proofs.cryptogram(social.algorithm, key, challenge, challenge) + challenge
        data = spoilt(data, "bit" if order.fault == "bit" else "")
        self._command(order, f"008200{order.number:02X}", data)

    def _challenge(self, order: Order) -> bytes:
        """GET CHALLENGE; a stale order uses the last one again."""
        if order.fault != "stale":
            self.used = self._command(order, "00840000", le=8).ljust(8, b"\0")
        return self.used

    def _change(self, order: Order) -> None:
        """CHANGE PIN (ssse-lb002 3.7)."""
        data = spoilt(self.pin, order.fault) + b"\xff" + order.data
        if self._done(order, Command(0x80, 0x5E, 0x01, 0x00, data).build()):
            self.pin = order.data

    def _reload(self, order: Order) -> None:
        """UNBLOCK PIN and, with P2 01, RELOAD PIN, under line protection (ssse-lb002 4.7)."""
        kid = _PUK if self.holder.made.option("pin_sm_key") == "PUK" else _STK
        header = bytes((0x84, 0x24, 0x00, order.number))
        new = order.data if order.number else b""
        if self._protected(order, header, new, ("SSSE", kid), encipher=True) and new:
            self.pin = new

    def _update(self, order: Order) -> None:
        """UPDATE RECORD of a first record, its tag and length kept, in plain."""
        if (new := self._new_record(order)) is not None:
            self._command(order, f"00DC01{order.number << 3 | 4:02X}", new)

    def _protect(self, order: Order) -> None:
        """The same under line protection, as the file wants it."""
        held = next(
            one for one in self.holder.files if (one.place, one.sfi) == (order.place, order.number)
        )
        key, encipher = held.guarded or Guarded(("SSSE", _STK), encipher=False)
        if (new := self._new_record(order)) is not None:
            header = bytes((0x04, 0xDC, 0x01, order.number << 3 | 4))
            self._protected(order, header, new, key, encipher=encipher)

    def _new_record(self, order: Order) -> bytes | None:
        old = self._command(order, f"00B201{order.number << 3 | 4:02X}", le=256)
        size = len(old) - 2
        return old[:2] + (order.data * size)[:size] if size > 0 else None

    def _protected(
        self, order: Order, header: bytes, data: bytes, key: tuple[str, int], *, encipher: bool
    ) -> bool:
        """Send a command under an STK; return whether the card took it."""
        social = self.holder.social
        assert social is not None
        direct = self.holder.made.option("sm_mode") == "pboc_iv"
        line = LineProtection(social.algorithm, social.keys[key], self._challenge(order), direct)
        message = line.message(header, line.encipher(data) if encipher else data)
        mac = spoilt(line.mac(message), "bit" if order.fault == "bit" else "")
        return self._done(order, message + mac)

    # --- the medical account ---------------------------

    def _load(self, order: Order) -> None:
        """INITIALIZE FOR LOAD and CREDIT FOR LOAD (ssse-lb002 3.10, pse-pboc 8)."""
        made, answer = self._begin(order, 0x00)
        if len(answer) == _LOAD_ANSWER:
            key = purse.load_key(
                self.holder.account["DLK"], answer[8:12], int.from_bytes(answer[4:6])
            )
            mac = self._sent_mac(order, purse.load_mac2(key, made))
            self._command(order, "80520000", _MOMENT + mac, 4)

    def _buy(self, order: Order) -> None:
        """INITIALIZE FOR PURCHASE and DEBIT FOR PURCHASE, the terminal's number 1."""
        made, answer = self._begin(order, 0x01)
        if len(answer) == _PURCHASE_ANSWER:
            key = purse.purchase_key(
                self.holder.account["DPK"], answer[11:], int.from_bytes(answer[4:6]), 1
            )
            mac = self._sent_mac(order, purse.purchase_mac1(key, made))
            self._command(order, "80540100", bytes((0, 0, 0, 1)) + _MOMENT + mac, 8)

    def _begin(self, order: Order, p1: int) -> tuple[purse.Transaction, bytes]:
        p2 = 2 if self.holder.made.option("medical_account") == "purse" else 1
        made = purse.Transaction(order.number, p2 + 4 * p1, _PLACE, _MOMENT)
        data = b"\x01" + order.number.to_bytes(4) + _PLACE
        return made, self._command(order, f"8050{p1:02X}{p2:02X}", data, 16 - p1)

    # --- the PSE ---------------------------

    def _gpo(self, order: Order) -> None:
        self.cryptogram, self.second = b"", False
        assert self.holder.debit is not None
        wanted = tuple(tlv.parse_dol(inner(self.holder.debit.template, 0x9F38)))
        values = concatenated(wanted, _TERMINAL)
        self._command(order, "80A80000", bytes((0x83, len(values))) + values, 256)

    def _generate(self, order: Order) -> None:
        """GENERATE AC with what the CDOL of its turn asks for."""
        assert self.holder.debit is not None
        wanted = next(
            (
                dol
                for records in self.holder.debit.records.values()
                for record in records
                if (dol := inner(record, 0x8D if self.second else 0x8C))
            ),
            b"",
        )
        terms = {0x9F02: order.data, 0x8A: b"00"}
        data = concatenated(tuple(tlv.parse_dol(wanted)), terms, _TERMINAL)
        answer = self._command(order, f"80AE{order.number:02X}00", data, 256)
        if answer[:1] == b"\x80" and len(answer) > 13 and not self.second:
            self.atc = int.from_bytes(answer[3:5])
            self.cryptogram = answer[5:13]
            self.second = answer[2] & 0xC0 == 0x80

    def _issuer(self, order: Order) -> None:
        """EXTERNAL AUTHENTICATE: the issuer approves (pse-pboc 4.7)."""
        assert self.holder.bank is not None
        arpc = self.holder.bank.arpc(self.atc, self.cryptogram or bytes(8), b"00")
        if order.fault == "stale":
            arpc = bytes(8)
        self._command(order, "00820000", spoilt(arpc, order.fault) + b"00")

    def _script(self, order: Order) -> None:
        """A script command with its MAC (pse-pboc 4.8)."""
        bank, debit = self.holder.bank, self.holder.debit
        assert bank is not None
        assert debit is not None
        new = f"{order.number:04d}"
        header, data = {
            b"limit": ("04DA9F58", bytes((order.number,))),
            b"record": ("04DC010C", debit.records[1][0][:-1] + bytes((order.number,))),
            b"pin": ("84240000", b""),
            b"new pin": ("84240002", bank.pin_change(self.atc, new, None)),
            b"block": ("841E0000", b""),
            b"unblock": ("84180000", b""),
        }[order.data]
        head = bytes.fromhex(header) + bytes((len(data) + 4,))
        mac = bank.script_mac(self.atc, self.cryptogram or bytes(8), head, data)
        if self._done(order, head + data + self._sent_mac(order, mac)) and order.data == b"new pin":
            self.bank_pin = new


def spoilt(proof: bytes, fault: str, at: int = 0) -> bytes:
    """Return a proof, with a fault one bit of its byte `at` turned."""
    if not fault or not proof:
        return proof
    return proof[:at] + bytes((proof[at] ^ 1,)) + proof[at + 1 :]
