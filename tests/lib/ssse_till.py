"""A till at the medical account of a card: its commands, with the MACs of PSAM and host.

Amounts in fen. The till knows DLK, DPK and DTK; MACs come from `sscard.keys.purse`, which the
golden tests check against the reference.
"""

from typing import NamedTuple

from ssse_desk import Desk

from sscard.keys import purse
from sscard.keys.purse import Transaction
from sscard.perso.profile import Profile

TERMINAL = bytes.fromhex("999901000001")
MOMENT = bytes.fromhex("20240120093000")


KEY_TYPES = {"DLK": 0x08, "DPK": 0x09, "DTK": 0x0A}


def account_keys(profile: Profile) -> dict[str, bytes]:
    """Return DLK, DPK and DTK of the card a profile makes."""
    medical = next(df for df in profile.ssse.directories if df.fid == 0xDF04)
    return {name: medical.key(kind, 1).value for name, kind in KEY_TYPES.items()}


class Begun(NamedTuple):
    """What INITIALIZE answered."""

    transaction: Transaction
    balance: int
    sequence: int
    version: int
    algorithm: int
    random: bytes
    mac1: bytes = b""


class Till:
    """The account of the card on `desk`; `purse_form` makes P2 02 instead of 01."""

    def __init__(self, desk: Desk, keys: dict[str, bytes], *, purse_form: bool = False) -> None:
        self.desk = desk
        self.keys = keys
        self.p2 = 2 if purse_form else 1

    def open(self, pin: str = "123456") -> "Till":
        """Select DF04 and verify the PIN."""
        self.desk.ssse("DF04")
        if pin:
            assert self.desk.pin(pin) == "9000"
        return self

    def initialize(self, p1: int, amount: int, index: int = 1) -> str:
        """Return INITIALIZE FOR LOAD (00) or PURCHASE (01)."""
        return f"8050{p1:02X}{self.p2:02X}0B{index:02X}{amount:08X}{TERMINAL.hex()}"

    def begin_load(self, amount: int) -> Begun:
        """INITIALIZE FOR LOAD, which must succeed."""
        answer = bytes.fromhex(self.desk.data(self.initialize(0, amount)))
        assert len(answer) == 16
        return Begun(
            Transaction(amount, self.p2, TERMINAL, MOMENT),
            int.from_bytes(answer[:4]),
            int.from_bytes(answer[4:6]),
            *answer[6:8],
            answer[8:12],
            answer[12:],
        )

    def begin_purchase(self, amount: int) -> Begun:
        """INITIALIZE FOR PURCHASE, which must succeed."""
        answer = bytes.fromhex(self.desk.data(self.initialize(1, amount)))
        assert len(answer) == 15
        assert answer[6:9] == bytes(3)
        return Begun(
            Transaction(amount, 4 + self.p2, TERMINAL, MOMENT),
            int.from_bytes(answer[:4]),
            int.from_bytes(answer[4:6]),
            *answer[9:11],
            answer[11:],
        )

    def credit(self, load: Begun, *, good: bool = True) -> str:
        """Return CREDIT FOR LOAD."""
        key = purse.load_key(self.keys["DLK"], load.random, load.sequence)
        mac2 = purse.load_mac2(key, load.transaction) if good else bytes(4)
        return f"805200000B{load.transaction.moment.hex()}{mac2.hex()}"

    def debit(self, purchase: Begun, number: int = 7, *, good: bool = True) -> str:
        """Return DEBIT FOR PURCHASE; `number` is the terminal's of this transaction."""
        key = purse.purchase_key(self.keys["DPK"], purchase.random, purchase.sequence, number)
        mac1 = purse.purchase_mac1(key, purchase.transaction) if good else bytes(4)
        return f"805401000F{number:08X}{purchase.transaction.moment.hex()}{mac1.hex()}"

    def load(self, amount: int) -> str:
        """Load; return the TAC."""
        return self.desk.data(self.credit(self.begin_load(amount)))

    def buy(self, amount: int, number: int = 7) -> str:
        """Purchase; return TAC and MAC2."""
        return self.desk.data(self.debit(self.begin_purchase(amount), number))

    def balance(self) -> int:
        """GET BALANCE."""
        return int(self.desk.data(f"805C00{self.p2:02X}04"), 16)

    def prove(self, kind: int, sequence: int) -> str:
        """GET TRANSACTION PROVE; return data and status word."""
        return self.desk(f"805A00{kind:02X}02{sequence:04X}")

    def log(self) -> list[str]:
        """Return the records of EF08, newest first."""
        found = []
        for number in range(1, 256):
            answer = self.desk(f"00B2{number:02X}4400")
            if answer == "6A83":
                break
            assert answer.endswith("9000")
            found.append(answer[:-4])
        return found
