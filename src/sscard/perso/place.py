"""What the tables of a profile inherit from where they stand, and what they say in common."""

from dataclasses import dataclass
from typing import NamedTuple

from sscard.errors import ProfileError
from sscard.keys.diversify import city_factor, province_factor
from sscard.perso.access_text import access_word
from sscard.perso.model import Key
from sscard.perso.table import Table

__all__ = ["Identity", "Place", "access", "fid"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What values on this card depend on: its region and the historical bytes of its ATR."""

    region: str
    historical: bytes

    @property
    def factors(self) -> dict[str, bytes]:
        """Diversification factors by level: province, city, card. Source: cos 4.6."""
        return {
            "province": province_factor(self.region),
            "city": city_factor(self.region),
            "card": self.historical[-8:],
        }


class Place(NamedTuple):
    """What tables inherit from the directory they stand in."""

    identity: Identity
    domain: int
    environment: bool
    algorithm: str
    suite: int
    pan: str
    psn: str
    irk: Key | None = None


def access(table: Table, key: str, place: Place, default: str) -> int:
    """Return the AC2 word of the access condition under `key`."""
    text = table.text(key, default)
    try:
        return access_word(text, environment=place.environment)
    except ValueError as wrong:
        raise ProfileError(f"{table.where(key)}: {wrong}") from None


def fid(where: str, word: str) -> int:
    """Return the number that a name is, 4 hex digits; `where` is for the error."""
    try:
        if len(word) == 4:
            return int(word, 16)
    except ValueError:
        pass
    raise ProfileError(f"{where}: the name must be 4 hex digits")
