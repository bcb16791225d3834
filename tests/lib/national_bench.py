"""A national reader at work, for tests: cards and PSAM in memory, a pad that plays digits."""

from datetime import datetime
from itertools import count

from social_counter import AT, vault

from sscard.card import Card, Link
from sscard.perso.roots import demo_vault
from sscard.sample import new_card, sample_card, sample_psam
from sscard.terminal.national import Equipment, HsmDesk, NationalReader, Prompt
from sscard.transport.memory import MemoryPort, PoweredSlot
from sscard.transport.port import CardAbsent

CODE = "999901D15600000500000001F0E44726"
NUMBER = "T0000001X"
CARD_INFO = f"{CODE}|{NUMBER}|"
HISTORICAL = "000087CF20018649999900000001"[2:]
DEVICE = "TEST0001"
STEP_ONLY = {-41, -42}
"""Codes that only HSM flows end with."""
BASIC = (
    f"999901|999901199001011232|{NUMBER}|{CODE}|张测试|{HISTORICAL}|2.00|20240115|20340115"
    f"|999901000001|{DEVICE}|"
)


class Pad:
    """Gives one entry after the other and notes what it was asked; an exception is raised."""

    def __init__(self, *entries):
        self.entries, self.asked = list(entries), []

    def enter(self, prompt: Prompt) -> str:
        self.asked.append(prompt)
        entry = self.entries.pop(0)
        if isinstance(entry, Exception):
            raise entry
        return entry


def slot(card: Card | None, link: Link = "apdu"):
    """A slot with a card in it, or an empty one."""

    def port() -> MemoryPort:
        if card is None:
            raise CardAbsent("the slot is empty")
        return MemoryPort(PoweredSlot(card, link=link))

    return port


def reader(card: Card | None, *entries, psam=..., link: Link = "apdu", **settings):
    """A reader with a card in its contact slot; `entries` are what the holder will enter.

    `psam` is a card, a slot, or None for a reader that has no such slot.
    """
    keeper = sample_psam() if psam is ... else psam
    settings = {
        "contact": slot(card, link),
        "psam": slot(keeper, link) if isinstance(keeper, Card) else keeper,
        "pad": Pad(*entries),
        "device": DEVICE,
        "clock": lambda: AT,
    } | settings
    return NationalReader(Equipment(**settings))


def ok(answer) -> str:
    """The pOutInfo of a call that succeeded."""
    assert answer.code == 0, answer
    return answer.out


def history_card(profile: str = "v2", **options) -> Card:
    """A card that keeps four challenges, as the HSM flows want it."""
    settings = {"options.challenge_policy": "history:4"} | options
    return new_card(profile, settings)


def desk(profile: str = "v2") -> HsmDesk:
    """The other end of the HSM flows, over the test keys of a profile."""
    return HsmDesk(demo_vault(profile), next_number=count(1).__next__)


def paid(card: Card, amount_fen: int = 50_000, pin: str = "246810") -> Card:
    """Give a card a PIN of its own and money."""
    from social_counter import terminal

    with terminal(card) as counter:
        counter.accept()
        counter.change_pin("123456", pin)
        counter.verify_pin(pin)
        counter.load(vault(), amount_fen, datetime(2026, 6, 1))
    return card


__all__ = [
    "AT",
    "BASIC",
    "CARD_INFO",
    "CODE",
    "DEVICE",
    "NUMBER",
    "STEP_ONLY",
    "Pad",
    "desk",
    "history_card",
    "ok",
    "paid",
    "reader",
    "sample_card",
    "slot",
]
