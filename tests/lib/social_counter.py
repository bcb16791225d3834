"""A social security terminal at work, for tests: cards in memory, PSAM or vault beside them."""

from datetime import date, datetime
from itertools import count

from sscard.card import Card, Link
from sscard.errors import TransportError
from sscard.perso.roots import demo_vault
from sscard.sample import sample_psam
from sscard.terminal import Policy, PsamSource, SocialTerminal, VaultSource
from sscard.transport.memory import MemoryPort, PoweredSlot

TODAY = date(2026, 7, 1)
AT = datetime(2026, 7, 1, 10, 30)
REGION = "999901"
NUMBER = bytes.fromhex("999901000001")
PIN = "123456"


def port(card: Card, link: Link = "apdu") -> MemoryPort:
    """Return a port to a card."""
    return MemoryPort(PoweredSlot(card, link=link))


def vault(profile: str = "v2") -> VaultSource:
    """Return a source over a profile's test keys, with transaction numbers from 1."""
    return VaultSource(demo_vault(profile), terminal=NUMBER, next_number=count(1).__next__)


def psam(link: Link = "apdu", card: Card | None = None) -> PsamSource:
    """Return a source over a PSAM, by default the sample one."""
    return PsamSource(port(card or sample_psam(), link))


def terminal(card: Card, source=None, *, link: Link = "apdu", **settings) -> SocialTerminal:
    """Return a terminal with the card in it."""
    settings = {"region": REGION} | settings
    policy = settings.pop("policy", Policy(TODAY))
    return SocialTerminal(port(card, link), source or vault(), policy, **settings)


class Breaking:
    """A port that loses the answer to DEBIT FOR PURCHASE."""

    def __init__(self, inner, *, before):
        self.inner, self.before, self.broken = inner, before, False

    def transmit(self, apdu):
        if apdu[:2] == b"\x80\x54" and not self.broken:
            self.broken = True
            if not self.before:
                self.inner.transmit(apdu)
            raise TransportError("the card was pulled out")
        return self.inner.transmit(apdu)

    def reset(self):
        return self.inner.reset()

    def close(self):
        self.inner.close()
