"""Where commands get their card from: an image file, a profile, or the shipped sample."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sscard import imagefile
from sscard.card import Activation, Card, Link
from sscard.errors import ImageError
from sscard.inspect.values import Value, stored
from sscard.sample import new_card, sample_card
from sscard.testing.runner import Rig

__all__ = ["Bench", "card_of_file", "card_of_profile", "image_of"]


@contextmanager
def card_of_file(path: Path, *, save: bool) -> Iterator[Card]:
    """Yield the card of an image file; with `save` the file itself is its EEPROM.

    Without, the file stays as it is, and others may use it meanwhile. Raises ImageError.
    """
    if save:
        with Card.open(path) as card:
            yield card
    else:
        yield _loaded(path)


def image_of(path: Path) -> bytes:
    """Return what a file holds that is a card image. Errors: ImageError naming the file."""
    return _loaded(path).image


def _loaded(path: Path) -> Card:
    image, env = imagefile.load(path)
    try:
        return Card.from_image(image, env)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None


def card_of_profile(name: str, settings: Mapping[str, object] | None = None) -> Card:
    """Return a finished card of a profile. Raises ProfileError."""
    if name == "sample" and not settings:
        return sample_card()
    return new_card(name, settings)


class Bench:
    """Makes cards for scripts, and gives scripts their ways past the card's door."""

    def __init__(self, link: Link) -> None:
        self._link: Link = link

    def make(self, profile: str, settings: Mapping[str, str]) -> Rig:
        """Serve a `card` line."""
        return self.rig(card_of_profile(profile, settings))

    def rig(self, card: Card) -> Rig:
        """Power a card on for a script."""
        activation: Activation = card.power_on(self._link)

        def look(path: str) -> Value:
            return stored(card.image, path)

        return Rig(activation, look, card.env.force_random)
