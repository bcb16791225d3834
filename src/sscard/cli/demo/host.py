"""A bank for `sscard pay` that answers at once: the issuer's host with books in memory.

It has one account, with 10,000 yuan and the card of a profile, and that profile's fictional
keys. `sscard authorise` keeps books that stay.
"""

from datetime import date

from sscard.cli.authorise import TEST_PIN_KEYS, forms_of
from sscard.errors import ProfileError
from sscard.issuer import IssuerHost, open_books
from sscard.keys.vault import BankCard, BankVault, MemoryVault, Party, Root
from sscard.perso.roots import card_identity, roots

__all__ = ["bank_keys", "demo_host"]

_ACCOUNT, _DEPOSIT_FEN = "6217000000000001", 10_000_00
_EXPIRY, _PIN = "3012", "123456"


def bank_keys(profile: str = "sample") -> MemoryVault:
    """Return the fictional bank keys of a profile, and those of PINs. Errors: ProfileError."""
    pins = tuple(Root(name, value, levels=1) for name, value in TEST_PIN_KEYS.items())
    return MemoryVault(Party.BANK, (*roots(profile, Party.BANK), *pins), test=True)


def demo_host(profile: str = "sample", *, day: date) -> IssuerHost:
    """Return a host that knows the card of a profile; its PIN is 123456.

    Errors: ProfileError, also for a card without PAN.
    """
    identity = card_identity(profile)
    if not identity.pan:
        raise ProfileError(f"the card of {profile} has no PAN: the bank does not know it")
    vault = BankVault(bank_keys(profile), forms=forms_of(profile))
    host = IssuerHost(vault, open_books("sqlite://"))
    card = BankCard(identity.pan, identity.psn)
    host.open_with_card(_ACCOUNT, "", card, _EXPIRY, deposit_fen=_DEPOSIT_FEN, day=day, pin=_PIN)
    return host
