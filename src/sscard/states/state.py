"""What a state for testers is."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from sscard.card import Card
from sscard.env import Env

__all__ = ["Overrides", "State", "by_name"]

Overrides = Mapping[str, object]


class State(NamedTuple):
    """A state by its name: what it is, and how a card of a profile comes to it."""

    name: str
    meaning: str
    make: Callable[[str, Overrides, Env | None], Card]


def by_name(*states: State) -> Mapping[str, State]:
    """Return states by their names, in order."""
    return MappingProxyType({state.name: state for state in states})
