"""The cards the machines play with, and what the generations say of the citizen of 10.3.

Key values come from a profile; nothing else does. Source: ssse-lb002 2.3, 4.1, 10.3.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sscard.card import Snapshot
from sscard.errors import ProfileError
from sscard.perso.model import Directory
from sscard.perso.profile import Profile
from sscard.sample import new_card
from sscard.testing.models.ssse_values import DES, MASTER

__all__ = ["Subject", "first_generation", "subject", "third_generation"]

_IRK: Final = 0x100
_EXTERNAL, _LINE, _INTERNAL = 0x0D, 0x07, 0x0E


class Subject(NamedTuple):
    """A card to play with: as delivered, its keys by (place, KID), and their algorithm."""

    snapshot: Snapshot
    keys: Mapping[tuple[str, int], bytes]
    algorithm: int


@lru_cache(maxsize=16)
def subject(profile: str, settings: tuple[tuple[str, str], ...] = ()) -> Subject:
    """Personalise a card of a profile once; keys come from the profile, nothing else does."""
    loaded = Profile.load(profile, dict(settings))
    ssse = loaded.ssse
    if ssse is None:
        raise ProfileError(f"profile {profile} makes a card without SSSE: take another")
    places = {"SSSE": ssse} | {f"{df.fid:04X}": df for df in ssse.directories}
    keys = {entry: key for place, df in places.items() for entry, key in _keys(place, df)}
    irk = ssse.key(_INTERNAL, 0)
    algorithm = DES if irk is None else irk.algorithm
    return Subject(new_card(loaded).snapshot(), keys, algorithm)


def _keys(place: str, directory: Directory) -> list[tuple[tuple[str, int], bytes]]:
    found = [((place, MASTER), directory.master.value)] if directory.master else []
    for key in directory.keys:
        if key.type in (_EXTERNAL, _LINE):
            found.append(((place, key.id), key.value))
        elif key.type == _INTERNAL:
            found.append(((place, _IRK), key.value))
    return found


def first_generation(values: dict[tuple[str, str], Any]) -> None:
    """What a v1 card says of the citizen: without bank function, no name extension (2.3)."""
    del values["SSSE", "EF0D"]
    holder = values["SSSE", "EF06"]
    values["SSSE", "EF06"] = holder[:2] + holder[3:]
    card = values["SSSE", "EF05"]
    values["SSSE", "EF05"] = (card[0], "31", "312E3030", *card[3:])


def third_generation(table: Any, values: dict[tuple[str, str], Any]) -> None:
    """What a v3 card has otherwise: holder data under RK_SSSE, its MAC, its version (2.3, 10.3)."""
    card = values["SSSE", "EF05"]
    values["SSSE", "EF05"] = (card[0][:-8] + "7CB444C2", card[1], "332E3030", *card[3:])
    for file in table.files:
        if (file.place, file.fid) == ("SSSE", "EF06"):
            file.read = "0A"
