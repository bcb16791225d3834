"""The card: an image, an environment, and the power that brings them to life.

The composition root: here the COS meets its applications. A `Card` is bytes plus an `Env`;
`power_on` gives an `Activation`, which owns all RAM and answers APDUs; cutting the power is
dropping it. Same image, seed, clock and APDUs give the same answers and the same bytes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, Self

from sscard.apps.psam import PSAM_APPLET
from sscard.apps.pse import PSE_APPLET
from sscard.apps.ssse import SSSE_APPLET
from sscard.cos.domain import CM, PSE, SSSE
from sscard.cos.eeprom import Eeprom
from sscard.cos.firewall import BOOTSTRAP
from sscard.cos.format import ChipSpec, format_image
from sscard.cos.kernel import Kernel
from sscard.cos.manager import CARD_MANAGER
from sscard.cos.trace import (
    DetailListener,
    Interrupted,
    Listener,
    PoweredOff,
    PoweredOn,
    Recovered,
)
from sscard.cos.volume import Volume, read_superblock
from sscard.cos.wiring import Wiring
from sscard.env import Env
from sscard.errors import ActivationError, ImageError, PowerLoss
from sscard.imagefile import ImageFile

__all__ = ["Activation", "Card", "ChipSpec", "Interface", "Link", "Snapshot"]

Link = Literal["apdu", "t0"]
"""How answers are shaped: at once, or as a T=0 contact card does (61xx, 6Cxx)."""

Interface = Literal["contact", "contactless"]
"""What the reader powers the card through (pse-pboc 1.5, 6.2)."""

_APPLETS = {
    "user": {CM: CARD_MANAGER, SSSE: SSSE_APPLET, PSE: PSE_APPLET},
    "psam": {CM: PSAM_APPLET},
}
"""The applet of each domain, by the kind of card its image says it is (ADR 7)."""


class Snapshot(NamedTuple):
    """A card at rest: the image and the environment, and what was mounted from them."""

    image: bytes
    env: Env
    volume: Volume | None

    def __repr__(self) -> str:
        return f"<Snapshot {len(self.image)} bytes, powered on {self.env.power_ons} times>"

    def fork(self) -> "Card":
        """Return a new card that continues from here on its own."""
        return Card._from_parts(self.image, self.env.copy(), self.volume)


class Card:
    """One card. At most one activation is alive at a time."""

    __slots__ = ("_activation", "_details", "_file", "_listeners", "_volume", "eeprom", "env")

    def __init__(self, image: bytes, env: Env | None = None) -> None:
        """Take an image as a card; raises ImageError when it is none."""
        read_superblock(image)
        self._set_up(image, Env() if env is None else env, None)

    @classmethod
    def from_image(cls, image: bytes, env: Env | None = None) -> Self:
        """Return the card of an image, with a fresh environment unless one is given."""
        return cls(image, env)

    @classmethod
    def blank(cls, chip: ChipSpec | None = None, *, env: Env | None = None) -> Self:
        """Return a formatted chip straight from the maker: a transport key and nothing else."""
        return cls(format_image(chip or ChipSpec()), env)

    @classmethod
    @contextmanager
    def open(cls, path: str | Path) -> Iterator[Self]:
        """Use an image file as the EEPROM itself, locked until the end of the context.

        Every operation reaches the file in the device's order, so that after a kill the
        card's own recovery finds before or after; the environment is saved beside it at each
        power-on. Raises ImageError: no such file, not an image, in use.
        """
        with ImageFile(path) as file:
            try:
                card = cls(file.read(), file.env)
            except ImageError as error:
                raise ImageError(f"{path}: {error}") from None
            file.attach(card.eeprom)
            card._file = file
            try:
                yield card
            finally:
                card._end_activation()
                card._file = None

    @classmethod
    def _from_parts(cls, memory: bytes | bytearray, env: Env, volume: Volume | None) -> Self:
        card = cls.__new__(cls)
        card._set_up(memory, env, volume)
        return card

    def _set_up(self, memory: bytes | bytearray, env: Env, volume: Volume | None) -> None:
        self.env = env
        self.eeprom = Eeprom(memory, env)
        self._volume = None if volume is None else volume.twin(self.eeprom)
        self._activation: Activation | None = None
        self._listeners: list[Listener] = []
        self._details: list[DetailListener] = []
        self._file: ImageFile | None = None

    @property
    def image(self) -> bytes:
        """The EEPROM's bytes as they are now."""
        return bytes(self.eeprom.memory)

    @property
    def atr(self) -> bytes:
        """The answer to reset the card gives (cos 1.6)."""
        return self._mounted().answer_to_reset

    @property
    def activation(self) -> "Activation | None":
        """The running activation; None without power."""
        activation = self._activation
        return None if activation is None or activation._kernel is None else activation

    def power_on(self, link: Link = "apdu", *, interface: Interface = "contact") -> "Activation":
        """Power the card and return its activation; the previous one ends.

        `link` "apdu" answers at once, "t0" shapes answers as a contact card does (cos 1.6).
        `interface` "contactless" wants a card that has one, and answers at once. Recovery of a
        torn transaction runs here (cos 1.4).
        """
        if link not in ("apdu", "t0"):
            raise ActivationError(f"a link is 'apdu' or 't0', not {link!r}")
        if interface not in ("contact", "contactless"):
            raise ActivationError(f"an interface is 'contact' or 'contactless', not {interface!r}")
        contactless = interface == "contactless"
        if contactless and link == "t0":
            raise ActivationError("T=0 is a protocol of contacts: the link must be 'apdu'")
        if contactless and self._mounted().options["contactless"] == "off":
            raise ActivationError(
                "the card has no contactless interface: its profile has contactless = off"
            )
        self._end_activation()
        if self.eeprom.dead:
            self.eeprom.power_restored()
        return Activation(self, self._boot(link, interface), link, interface)

    def _boot(self, link: Link, interface: Interface, *, warm: bool = False) -> Kernel:
        self.env.power_ons += 1
        if self._file is not None:
            self._file.save_env(self.env)
        known = self._volume
        volume = self._mounted()
        applets = _APPLETS[volume.options["card_kind"]]
        contactless = interface == "contactless"
        wiring = Wiring(volume, self.env, applets, self._details, contactless=contactless)
        kernel = Kernel(volume, self.env, wiring, self._listeners, t0=link == "t0")
        for listener in self._listeners:
            listener(PoweredOn(volume.answer_to_reset, warm, contactless))
        recovery = volume.recovery
        if recovery.replayed and recovery.tag is not None and volume is not known:
            for detail in self._details:
                detail(Recovered(recovery.tag & ~BOOTSTRAP, recovery.pages))
        return kernel

    def _mounted(self) -> Volume:
        if self._volume is None or self._volume.generation != self.eeprom.generation:
            self._volume = Volume(self.eeprom)
        return self._volume

    def _end_activation(self) -> None:
        if self._activation is not None:
            self._activation.power_off()

    # --- copies ---------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return the card as it is now: image and environment, the running session not."""
        volume = self._carried()
        kept = None if volume is None else volume.twin(self.eeprom)
        return Snapshot(self.image, self.env.copy(), kept)

    def restore(self, snapshot: Snapshot) -> None:
        """Become what the snapshot was; the running activation ends."""
        self._end_activation()
        self.env = self.eeprom.env = snapshot.env.copy()
        self.eeprom.load(snapshot.image)
        self._volume = None if snapshot.volume is None else snapshot.volume.twin(self.eeprom)

    def fork(self) -> "Card":
        """Return an independent card in the same state."""
        return Card._from_parts(self.eeprom.memory, self.env.copy(), self._carried())

    def _carried(self) -> Volume | None:
        volume = self._volume
        if volume is None or volume.generation != self.eeprom.generation:
            return None
        return volume

    # --- tracing --------------------------------------------------------------------------

    def trace(self, listener: Listener) -> None:
        """Have `listener` called with every event of this card from now on."""
        self._listeners.append(listener)

    def untrace(self, listener: Listener) -> None:
        """Stop calling a listener."""
        self._listeners.remove(listener)

    def trace_details(self, listener: DetailListener) -> None:
        """Have `listener` called with what happens inside commands, too, from now on."""
        self._details.append(listener)

    def untrace_details(self, listener: DetailListener) -> None:
        """Stop calling a listener of details."""
        self._details.remove(listener)

    def __repr__(self) -> str:
        return f"<Card {len(self.eeprom.memory)} bytes, powered on {self.env.power_ons} times>"


class Activation:
    """A powered card. Everything volatile lives here and dies with it."""

    __slots__ = ("_card", "_interface", "_kernel", "_link", "atr")

    def __init__(self, card: Card, kernel: Kernel, link: Link, interface: Interface) -> None:
        self._card = card
        self._kernel: Kernel | None = kernel
        self._link = link
        self._interface = interface
        self.atr = card._mounted().answer_to_reset
        card._activation = self

    def transmit(self, apdu: bytes) -> bytes:
        """Answer a command APDU: data and status word, at least two bytes.

        Raises ActivationError when the power is gone, PowerLoss when it goes in mid-command,
        ImageError when a served file cannot be written: then the power is gone, too.
        """
        kernel = self._kernel
        if kernel is None:
            raise ActivationError("this activation has ended: call card.power_on() again")
        try:
            return kernel.transmit(apdu)
        except (PowerLoss, ImageError) as loss:
            self._kernel = None
            for detail in self._card._details:
                detail(Interrupted(apdu, str(loss)))
            raise

    def reset(self) -> bytes:
        """Reset the card warmly: all RAM is lost, the power is not. Return the ATR."""
        if self._kernel is None:
            raise ActivationError("this activation has ended: call card.power_on() again")
        self._kernel = None
        self._kernel = self._card._boot(self._link, self._interface, warm=True)
        return self.atr

    def power_off(self) -> None:
        """Cut the power; the activation has ended."""
        if self._kernel is not None:
            for detail in self._card._details:
                detail(PoweredOff())
        self._kernel = None

    @property
    def kernel(self) -> Kernel:
        """The running kernel, for those who look inside: tests and the inspector."""
        if self._kernel is None:
            raise ActivationError("this activation has ended: call card.power_on() again")
        return self._kernel
