"""The card a test asks for, and how it is made; whether the one in a real reader can serve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import get_args

from sscard.card import Card, Interface, Snapshot
from sscard.errors import ProfileError
from sscard.perso.psam import is_psam
from sscard.perso.sources import read
from sscard.sample import new_card, new_psam, sample_card
from sscard.states import STATES, card_in_state
from sscard.testing.faults.base import Fault
from sscard.transport.port import Link

__all__ = ["Wanted", "in_a_reader", "made", "unsuitable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The card a test asks for: a profile, perhaps in a state, with other values and faults.

    `profile` may name a state of `sscard.states` alone; it is then one of the sample card. A
    profile of a PSAM gives a PSAM.
    `link` is how the card answers, `interface` through which of its two. Errors: `ProfileError`
    that names the choices, for a value of the wrong kind.
    """

    profile: str = "sample"
    state: str | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)
    faults: Sequence[Fault] = ()
    link: Link = "apdu"
    interface: Interface = "contact"

    def __post_init__(self) -> None:
        if not isinstance(self.profile, str):
            raise ProfileError(f"profile is the name of a profile or a state, not {self.profile!r}")
        _one_of("link", self.link, get_args(Link))
        _one_of("interface", self.interface, get_args(Interface))
        if self.state is not None:
            _one_of("state", self.state, tuple(STATES))
        if not isinstance(self.overrides, Mapping):
            raise ProfileError(
                f"overrides is a dictionary of the profile's values, not {self.overrides!r}"
            )
        if not isinstance(self.faults, list | tuple) or not all(
            isinstance(fault, Fault) for fault in self.faults
        ):
            raise ProfileError(
                f"faults is a list of faults of sscard.testing.faults, not {self.faults!r}"
            )

    @property
    def title(self) -> str:
        """The profile, and the state if there is one; a state of the sample card stands alone."""
        profile, state = _meant(self.profile, self.state)
        if state is None:
            return profile
        return state if profile == "sample" else f"{profile} {state}"


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ProfileError(f"{name} is one of {', '.join(choices)}; not {value!r}")


def in_a_reader(words: str) -> Wanted:
    """Return what a card in a reader is said to be: a profile, a state, or one after the other.

    Errors: `ProfileError` that names the choices when there is no such profile.
    """
    profile, _, state = words.rpartition(" ")
    known = Wanted(profile=profile, state=state) if profile and state in STATES else None
    said = known or Wanted(profile=words)
    read(_meant(said.profile, said.state)[0])
    return said


def unsuitable(wanted: Wanted, present: Wanted) -> str:
    """Return why the card in a reader cannot serve a test, "" when it can.

    `present` is what this card is said to be, as `in_a_reader` has it.
    """
    if wanted.faults:
        return "a reader cannot be made faulty: " + ", ".join(map(str, wanted.faults))
    if wanted.overrides:
        return "the card in the reader has no values of the test's own: " + ", ".join(
            wanted.overrides
        )
    if wanted.title != present.title:
        return f"the test is about a card {wanted.title!r}, in the reader is {present.title!r}"
    return ""


def _meant(profile: str, state: str | None) -> tuple[str, str | None]:
    """Profile and state: a profile may be the name of a state."""
    return ("sample", profile) if state is None and profile in STATES else (profile, state)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What a card is made from; equal where all its words are, as Python writes them."""

    profile: str
    state: str | None
    overrides: Mapping[str, object] = field(compare=False)
    words: str


def made(profile: str, state: str | None, overrides: Mapping[str, object]) -> Card:
    """Return a card of its own, made once a process. Errors: `ProfileError`."""
    profile, state = _meant(profile, state)
    return _finished(_Recipe(profile, state, overrides, repr(sorted(overrides.items())))).fork()


@lru_cache(maxsize=32)
def _finished(recipe: _Recipe) -> Snapshot:
    profile, overrides = recipe.profile, recipe.overrides
    if recipe.state is not None:
        return card_in_state(recipe.state, profile, overrides).snapshot()
    if is_psam(profile):
        return new_psam(profile, overrides).snapshot()
    if profile == "sample" and not overrides:
        return sample_card().snapshot()
    return new_card(profile, overrides).snapshot()
