"""Authorisations at the bank's host: a fresh ARQC each time, made by a few lines of our own."""

from datetime import datetime

from sscard.iso import tlv
from sscard.issuer import IssuerHost, Policy, open_books
from sscard.keys import pboc
from sscard.keys.vault import BankCard, BankVault, Party
from sscard.perso.roots import demo_vault
from sscard.spec.banking import AuthorisationRequest, Kind

__all__ = ["HostDebits"]

_CARDS = 64
_AT = datetime(2026, 7, 1, 10, 30, 45)
_FIXED = {
    0x9F02: "000000000100", 0x9F03: "000000000000", 0x9F1A: "0156", 0x95: "0000008000",
    0x5F2A: "0156", 0x9A: "260701", 0x9C: "00", 0x9F37: "A1B2C3D4", 0x82: "7C00",
}  # fmt: skip
_CVR = bytes.fromhex("03A40000")


class HostDebits:
    """A host with some cards, whose transactions come one after another."""

    def __init__(self) -> None:
        limits = Policy(day_max_fen=None, day_count_max=None, atc_step_max=0xFFFF)
        vault = demo_vault("pboc", Party.BANK)
        self._host = IssuerHost(BankVault(vault), open_books(), policy=limits)
        self._cards = [BankCard(f"62109500{number:011}") for number in range(_CARDS)]
        self._master = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
        for card in self._cards:
            self._host.open_account(card.pan, "", deposit_fen=10**11, day=_AT.date())
            self._host.issue_card(card, card.pan, "3012")
        self._count = 0

    def run(self) -> None:
        """Authorise one transaction; AssertionError unless it is approved."""
        number = self._count
        self._count += 1
        turn, place = divmod(number, _CARDS)
        terminal, trace = divmod(number, 999_999)
        answer = self._host.authorise(
            AuthorisationRequest(
                f"T{terminal:07}", "MERCHANT0000001", "TEST", trace + 1, Kind.PURCHASE, 100, _AT,
                self._cards[place].pan, "00", "3012", self._chip(self._cards[place], turn + 1),
            )
        )  # fmt: skip
        assert answer.approved, answer.reason

    def _chip(self, card: BankCard, atc: int) -> bytes:
        items = {tag: bytes.fromhex(value) for tag, value in _FIXED.items()}
        items[0x9F36] = atc.to_bytes(2, "big")
        session = pboc.session_key(pboc.udk(self._master, card.pan, card.psn), atc)
        items[0x9F26] = pboc.cryptogram(session, b"".join(items.values()) + _CVR)
        items[0x9F27] = b"\x80"
        items[0x9F10] = bytes.fromhex("070101") + _CVR + b"\x01"
        return b"".join(tlv.encode(tag, value) for tag, value in items.items())
