"""From a vault down to a card: ministry, province, city, card (ssse-lb002 5.2, 6; cos 4.6).

Which factors lead from a key to that of one card, all keys of a card, and the vault that one
tier hands down to the next. Pure; used by personalisation, the terminals and `sscard keys`.
"""

from dataclasses import dataclass

from sscard.keys.hierarchy import KeySet, Tier, factors
from sscard.keys.pboc import pan_factor
from sscard.keys.vault.memory import MemoryVault
from sscard.keys.vault.values import KeyInfo, KeyRef, Party, Root, Vault, VaultError

__all__ = ["CardIdentity", "card_keys", "hand_down"]


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """What a card's keys depend on.

    Shapes: `region` 6 digits; `csn8` the last 8 historical bytes of its ATR; `pan` and `psn`
    decimal digits, needed for keys of a bank's MDKs only.
    """

    region: str
    csn8: bytes
    pan: str = ""
    psn: str = "00"

    def factors(self, key: KeyInfo) -> tuple[bytes, ...]:
        """Return the factors from a key to this card's, as many as the key has levels.

        An MDK is diversified by PAN and PSN (pse-pboc 4.1), any other key by the last of
        province, city and card (cos 4.6). Errors: ValueError for a wrong region, CSN8 or PAN.
        """
        if not key.levels:
            return ()
        if key.name.startswith("MDK-"):
            return (pan_factor(self.pan, self.psn),)
        if len(self.csn8) != 8:
            raise ValueError(f"a card factor has 8 bytes, not {len(self.csn8)}")
        path = tuple(factors(self.region, self.csn8).values())
        return path[-key.levels :]

    def ref(self, key: KeyInfo) -> KeyRef:
        """Return the reference to this card's key."""
        return KeyRef(key.name, self.factors(key), key.version)


def card_keys(vault: Vault, card: CardIdentity) -> KeySet:
    """Return one card's keys by name, each in its newest version, from a vault of test keys.

    Keys without levels are left out: they are used where they are. Errors: Withheld when the
    vault is not of test keys; ValueError.
    """
    newest = {info.name: info for info in vault.list_keys() if info.levels}
    return KeySet({name: vault.derive(card.ref(info)) for name, info in newest.items()})


def hand_down(vault: Vault, tier: Tier, region: str) -> MemoryVault:
    """Return the vault that `tier` gets from the one above: every key led down to it.

    Keys that `tier` or one below holds already stay behind: each tier has its own. Social
    keys only, and from a vault of test keys, for values pass through this process.
    Source: ssse-lb002 6. Errors: VaultError, Withheld.
    """
    if vault.party is not Party.SOCIAL:
        raise VaultError("only social keys are handed down from tier to tier")
    if tier not in (Tier.PROVINCE, Tier.CITY):
        raise VaultError(f"keys are handed down to a province or a city, not a {tier.name.lower()}")
    path = factors(region, bytes(8))
    handed = MemoryVault(vault.party, test=vault.test)
    for info in vault.list_keys():
        steps = tuple(
            path[step] for step in (Tier.PROVINCE, Tier.CITY) if tier <= step < info.levels
        )
        if steps:
            value = vault.derive(KeyRef(info.name, steps, info.version)).value
            root = Root(info.name, value, info.version, info.algorithm, info.levels - len(steps))
            handed.install(root)
    return handed
