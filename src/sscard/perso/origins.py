"""The keys of a card profile above the card: what a PSAM of its cards is given (ssse-lb002 4.1, 6).

A card profile states where each key comes from; personalising a card wants the card's value,
personalising a PSAM that of a city, a province or the ministry. Only `perso.psam` and those who
fill a vault from a profile need this.
"""

from collections.abc import Callable, Iterator

from sscard.errors import ProfileError
from sscard.keys.block import Algorithm
from sscard.keys.hierarchy import CARD_KEYS, CardKey, KeyValue, Origin, Tier
from sscard.perso import sources
from sscard.perso.table import Table
from sscard.spec.codes import ALGORITHMS, KEY_TYPES

__all__ = ["KeySource", "origins", "source_of"]

KeySource = Callable[[CardKey, Tier], tuple[KeyValue, Tier] | None]
"""Asked for a card key at a tier, gives its value and tier: a lower one where the key begins
lower, so that nobody above knows it; None when there is no such key."""

_TIERS = {
    ("province", "city", "card"): Tier.MINISTRY,
    ("city", "card"): Tier.PROVINCE,
    ("card",): Tier.CITY,
    (): Tier.CARD,
}


def source_of(profile: str, region: str | None = None) -> KeySource:
    """Return the keys of a card profile, by name or path, at any tier. Errors: ProfileError.

    `region`, 6 digits, is by default the profile's own.
    """
    tree = sources.read(profile)
    where = region or Table(tree).text("region")
    known = origins(tree)

    def source(key: CardKey, tier: Tier) -> tuple[KeyValue, Tier] | None:
        origin = known.get(key.label)
        if origin is None:
            return None
        reached = min(tier, origin.tier)
        return origin.at(reached, where), reached

    return source


def origins(tree: sources.Tree) -> dict[str, Origin]:
    """Return where the keys of a card profile come from, by label ("UK1@DF01").

    A key the profile gives by its value begins, and ends, at the card; one of SSF33 leads
    nowhere and is left out. Errors: ProfileError.
    """
    return dict(_origins(Table(tree)))


def _origins(top: Table) -> Iterator[tuple[str, Origin]]:
    ssse = top.table("ssse")
    places = {"SSSE": ssse} | ssse.tables("df")
    for key in CARD_KEYS:
        place = places.get(key.place)
        if place is None:
            continue
        algorithm = place.text("algorithm", ssse.text("algorithm", "3des"))
        for table in place.tables("key").values():
            kind = table.choice("type", KEY_TYPES)
            if (kind, table.hex_number("id", 2)) != (key.kind, key.kid):
                continue
            origin = _origin(table, algorithm)
            if origin.key.algorithm is not Algorithm.SSF33:
                yield key.label, origin


def _origin(table: Table, default: str) -> Origin:
    algorithm = Algorithm(table.choice("algorithm", ALGORITHMS, default))
    if "root" not in table:
        return Origin(KeyValue(table.secret("value", 16), algorithm), Tier.CARD)
    words = table.texts("factors", ("province", "city", "card"))
    if words not in _TIERS:
        raise ProfileError(f"{table.where('factors')}: a PSAM leads from a tier down to the card")
    return Origin(KeyValue(table.secret("root", 16), algorithm), _TIERS[words])
