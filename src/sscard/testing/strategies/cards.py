"""Cards: profiles with valid settings, images sound and damaged, power cuts."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from sscard.builder import build
from sscard.card import Card
from sscard.cos.eeprom import Phase, Tear
from sscard.errors import ProfileError
from sscard.perso.profile import Profile
from sscard.sample import new_card
from sscard.spec.options import BY_NAME, OPTIONS
from sscard.states import card_in_state
from sscard.testing.strategies._damage import Damage
from sscard.testing.strategies.damages import damages

__all__ = ["Image", "Made", "images", "profiles", "tears"]

_CARDS: Final = ("v2", "sample", "v1", "v3", "v2-social-only", "pboc", "pboc-ec", "pboc-only")
_CHANCE: Final = (Phase.MID_ERASE, Phase.MID_PROGRAM)


class Made(NamedTuple):
    """A card to be made: a profile by name and what is set in it, `{"record_le": "strict"}`."""

    profile: str
    settings: dict[str, str]

    def load(self) -> Profile:
        """Return the profile with its settings."""
        return Profile.load(self.profile, self.settings)

    def card(self) -> Card:
        """Return the finished card, built in one go, without power."""
        return Card.from_image(build(self.load()))


def profiles(
    *,
    names: Sequence[str] = _CARDS,
    options: Sequence[str] | None = None,
    max_settings: int = 3,
) -> st.SearchStrategy[Made]:
    """Shipped profiles (or files of `names`) with up to `max_settings` switches set, all valid.

    `options` are the switches to play with (docs/profile-options.md), all if None. Shrinks to
    the first profile without settings. Raises ProfileError for a profile or switch that is none.
    """
    if not names:
        raise ProfileError("name at least one profile")
    for name in names:
        _loads(name)
    unknown = [name for name in options or () if name not in BY_NAME]
    if unknown:
        raise ProfileError(f"there is no option {unknown[0]}; docs/profile-options.md has them")
    if max_settings < 0:
        raise ValueError(f"max_settings {max_settings} may not be negative")
    switches = [one for one in OPTIONS if options is None or one.name in options]
    if not switches:
        return st.sampled_from(tuple(names)).map(lambda name: Made(name, {}))
    setting = st.sampled_from(switches).flatmap(
        lambda switch: st.tuples(st.just(switch.name), st.sampled_from(switch.values))
    )
    drawn = st.lists(setting, max_size=max_settings, unique_by=lambda pair: pair[0]).map(dict)
    return st.builds(Made, st.sampled_from(tuple(names)), drawn)


@lru_cache(maxsize=32)
def _loads(name: str) -> Profile:
    return Profile.load(name)


def images(
    *,
    profile: str = "sample",
    states: Sequence[str] = (),
    damaged: bool = True,
    max_damages: int = 4,
) -> st.SearchStrategy["Image"]:
    """EEPROM images: a finished card of `profile`, or one in one of `states`.

    With `damaged`, one to `max_damages` things went wrong: a bit turned, a byte overwritten, a
    page erased, copied or full of one byte; or, with good check sums, a field of a page, of an
    object's header or of a key, or a transaction in the journal that nobody made.
    `Card.from_image` refuses such an image with ImageError or makes a card that answers.
    Shrinks to few damages, low in the memory. Source: cos 1.1, 1.4, 2.5.
    """
    if max_damages < 1:
        raise ValueError(f"a damaged image has at least one damage, not {max_damages}")
    # Make the cards now: a profile or state that is wrong is told when the strategy is made.
    sound = [_image(profile, state) for state in (states or ("",))]
    chosen = st.sampled_from(sound)
    if not damaged:
        return chosen

    def harmed(image: Image) -> st.SearchStrategy[Image]:
        wrong = st.lists(damages(image), min_size=1, max_size=max_damages)
        return wrong.map(lambda done: _damaged(image, done))

    return chosen.flatmap(harmed)


class Image(bytes):
    """The bytes of an EEPROM; printed, it says which card it is and what was done to it."""

    story: str

    def __repr__(self) -> str:
        return f"<image of {self.story}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Print the same in a report of Hypothesis."""
        printer.text(repr(self))


def _told(memory: bytes, story: str) -> Image:
    image = Image(memory)
    image.story = story
    return image


@lru_cache(maxsize=16)
def _image(profile: str, state: str) -> Image:
    card = card_in_state(state, profile) if state else new_card(profile)
    return _told(card.image, f"{profile} {state}".strip())


def _damaged(image: Image, done: list[Damage]) -> Image:
    memory = bytearray(image)
    for damage in done:
        damage(memory)
    return _told(bytes(memory), ", ".join((image.story, *map(str, done))))


def tears(*, operations: int, seeds: int = 3) -> st.SearchStrategy[Tear]:
    """Power cuts in a command of so many EEPROM operations, for `sscard.cos.eeprom.torn_image`.

    Each operation (0 the first) in each of the five phases, with `seeds` draws where half-done
    is a matter of chance. `sscard.testing.trial.operations` counts those of a command. Shrinks
    to operation 0, before it did anything. Source: cos 1.2.
    """
    if operations < 1:
        raise ValueError(f"a command of {operations} operations cannot be torn")
    if seeds < 1:
        raise ValueError(f"draw chance at least once, not {seeds} times")
    phases = [(phase, seed) for phase in Phase for seed in range(seeds if phase in _CHANCE else 1)]
    return st.builds(
        lambda op, phase: Tear(op, *phase), st.integers(0, operations - 1), st.sampled_from(phases)
    )
