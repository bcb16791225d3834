"""What a transaction leaves on paper: the receipt, and the verification results in words.

The PAN is masked, keys and PINs never come here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sscard.spec.emv import TSI_BITS, TransactionType, Tsi, Tvr
from sscard.spec.pboc import TVR_BITS
from sscard.terminal.bank.transaction import Transaction

__all__ = ["Receipt", "money", "words_of"]

_TITLES = {
    TransactionType.GOODS: "purchase",
    TransactionType.CASH: "cash withdrawal",
    TransactionType.CASHBACK: "purchase with cashback",
    TransactionType.REFUND: "refund",
    TransactionType.BALANCE: "balance enquiry",
}
_CURRENCIES = {"0156": "CNY"}


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receipt of one transaction.

    `pan` is masked. `cryptogram` names its kind and value; `arc` is the authorisation response
    code, the host's or the terminal's own (Y1, Z1, Y3, Z3); `holder` how the holder was
    verified, `signature` whether he must still sign; `balance` what the host told, in the minor
    unit; `reasons` what stood against the transaction.
    """

    title: str
    approved: bool
    online: bool
    amount: str
    at: datetime
    merchant: str
    terminal: str
    application: str
    aid: str
    pan: str
    psn: str
    atc: int
    cryptogram: str
    arc: str
    holder: str
    signature: bool
    tvr: Tvr
    tsi: Tsi
    balance: str = ""
    reference: str = ""
    reasons: tuple[str, ...] = field(default=())

    @property
    def verdict(self) -> str:
        """APPROVED or DECLINED, and where that was decided."""
        word = "APPROVED" if self.approved else "DECLINED"
        return f"{word} {'online' if self.online else 'offline'}"

    @property
    def tvr_words(self) -> list[str]:
        """The bits of the TVR that are set, in words."""
        return words_of(self.tvr, TVR_BITS, 5)

    @property
    def tsi_words(self) -> list[str]:
        """The bits of the TSI that are set, in words."""
        return words_of(self.tsi, TSI_BITS, 2)

    def lines(self) -> list[tuple[str, str]]:
        """Return the receipt as (what, value) lines; empty values are left out."""
        rows = [
            ("merchant", self.merchant),
            ("terminal", self.terminal),
            ("", self.title),
            ("date", f"{self.at:%Y-%m-%d %H:%M:%S}"),
            ("application", self.application),
            ("AID", self.aid),
            ("card", self.pan),
            ("sequence", self.psn),
            ("amount", self.amount),
            ("balance", self.balance),
            ("counter", str(self.atc)),
            ("cryptogram", self.cryptogram),
            ("response", self.arc),
            ("reference", self.reference),
            ("verified by", self.holder),
            ("TVR", bytes(self.tvr).hex().upper()),
            ("TSI", bytes(self.tsi).hex().upper()),
            ("", self.verdict),
            ("because", "; ".join(self.reasons)),
            ("signature", "________________" if self.signature else ""),
        ]
        return [(name, value) for name, value in rows if value]

    def to_json(self) -> dict[str, Any]:
        """Return the receipt as plain data."""
        return {
            "title": self.title,
            "approved": self.approved,
            "online": self.online,
            "amount": self.amount,
            "at": self.at.isoformat(),
            "merchant": self.merchant,
            "terminal": self.terminal,
            "application": self.application,
            "aid": self.aid,
            "pan": self.pan,
            "psn": self.psn,
            "atc": self.atc,
            "cryptogram": self.cryptogram,
            "arc": self.arc,
            "holder": self.holder,
            "signature": self.signature,
            "tvr": bytes(self.tvr).hex().upper(),
            "tvr_words": self.tvr_words,
            "tsi": bytes(self.tsi).hex().upper(),
            "tsi_words": self.tsi_words,
            "balance": self.balance,
            "reference": self.reference,
            "reasons": list(self.reasons),
        }


def title_of(transaction: Transaction) -> str:
    """Return what a transaction is called on paper."""
    return _TITLES[transaction.type]


def money(amount: int, exponent: int, currency: str) -> str:
    """Return an amount of the minor unit as people write it: 123.45 CNY."""
    whole, part = divmod(abs(amount), 10**exponent)
    digits = f"{whole}.{part:0{exponent}}" if exponent else str(whole)
    sign = "-" * (amount < 0)
    return f"{sign}{digits} {_CURRENCIES.get(currency, currency)}"


def words_of(flags: int, bits: Mapping[tuple[int, int], str], size: int) -> list[str]:
    """Return the names of the bits that are set in a field of `size` bytes, in its order."""
    raw = flags.to_bytes(size, "big")
    return [name for (byte, bit), name in bits.items() if raw[byte - 1] >> (bit - 1) & 1]
