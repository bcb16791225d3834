"""A terminal's end of electronic cash for tests: the `pboc-ec` card, its keys, its scripts."""

from functools import lru_cache

from pse_desk import ADF, Desk, terminal_data

from sscard.card import Card, Snapshot
from sscard.keys import pboc
from sscard.sample import new_card

PAN = "6210950000000000033"
MDK_AC = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
MDK_MAC = bytes.fromhex("11223344556677888877665544332211")
CASH, DEBIT = "7800", "7C00"
"""The AIPs of both kinds of transactions."""
FULL, LIMIT, SINGLE = 10000, 100000, 50000
"""Balance, balance limit and transaction limit of the card as it comes."""


def cash_card(**settings: object) -> Card:
    """Return a fork of the `pboc-ec` card; `dgi_0D01="..."` for a DGI, else an option."""
    return _made(tuple(sorted(settings.items()))).fork()


@lru_cache(maxsize=64)
def _made(changes: tuple[tuple[str, object], ...]) -> Snapshot:
    settings = {
        f"pse.df.DF01.dgi.{key[4:]}" if key.startswith("dgi_") else key: value
        for key, value in changes
    }
    return new_card("pboc-ec", settings).snapshot()


def n12(amount: int) -> str:
    return f"{amount:012d}"


def gpo(amount: int, *, supported: str = "01", currency: str = "0156") -> str:
    """GET PROCESSING OPTIONS with the PDOL data of the card."""
    return f"80A800000B8309{supported}{n12(amount)}{currency}00"


class CashDesk(Desk):
    """A powered card with electronic cash."""

    def __init__(self, card: Card | None = None, **settings: object) -> None:
        super().__init__(cash_card(**settings) if card is None else card)

    def opened(self, amount: int, **terms: str) -> str:
        """SELECT, GPO; return the AIP."""
        self.sw(ADF)
        return self.data(gpo(amount, **terms))[4:8]

    def pay(self, p1: int, amount: int, **items: str) -> str:
        """Return the answer of a first GENERATE AC for an amount."""
        return self.ac(p1, amount=n12(amount), **items)

    def balance(self) -> int:
        return int(self.element("9F79"))

    def script(self, header: str, data: str, ac1: str) -> str:
        """Return an issuer's script command over the cryptogram `ac1`, MAC and all."""
        atc = int(self.element("9F36"), 16)
        head = bytes.fromhex(f"{header}{len(data) // 2 + 4:02X}")
        key = pboc.session_key(pboc.udk(MDK_MAC, PAN), atc)
        mac = pboc.script_mac(key, head, atc, bytes.fromhex(ac1), bytes.fromhex(data))
        return f"{head.hex()}{data}{mac.hex()}".upper()

    def load(self, amount: int, ac1: str) -> str:
        """Return the PUT DATA that makes `amount` the balance."""
        return self.script("04DA9F79", n12(amount), ac1)


def expected_cryptogram(*, amount: int, aip: str, atc: int, cvr: str, **items: str) -> str:
    """Work out the cryptogram of CVN 01 from the master key: pse-pboc 4.1 to 4.4."""
    sent = terminal_data(amount=n12(amount), **items)
    message = bytes.fromhex(sent[:58] + aip + f"{atc:04X}" + cvr)
    key = pboc.session_key(pboc.udk(MDK_AC, PAN), atc)
    return pboc.cryptogram(key, message).hex().upper()
