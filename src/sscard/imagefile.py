"""Image files: a card's EEPROM in a file, its environment beside it.

A file that is being served is the EEPROM: every primitive operation reaches it at once and in
the device's order, so that after a kill the card's own recovery finds what a power loss leaves.
Whole files are saved so that there is always either the old or the new one. `IMAGE.env` holds
the environment, `IMAGE.lock` keeps a second user out.

Beside `card.py`, which is the only one to need it inside the library; knows files and nothing
of what is in an image.

Source: cos 1.2 (sidecar), 1.4 (recovery), README of the reference, rule 12.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from filelock import FileLock, Timeout

from sscard.env import Env
from sscard.errors import ImageError

__all__ = ["ENV_FORMAT", "EepromLike", "ImageFile", "dump_env", "load", "parse_env", "save"]

ENV_FORMAT: Final = 1
SEED_BYTES: Final = 32
PAGES_MAX: Final = 1 << 16
_BINARY: Final[int] = getattr(os, "O_BINARY", 0)  # Windows translates line ends without it
_ENV_FIELDS: Final = frozenset(
    ("format", "seed", "power_ons", "clock_us", "wear_failures", "forced", "pages", "wear")
)


class EepromLike(Protocol):
    """What an image file needs of an EEPROM: its bytes, and a place to listen to its writes."""

    memory: bytearray
    sink: Callable[[int, bytes], None] | None


class ImageFile:
    """An image file in use: locked, and following its EEPROM write by write.

    `env` is the environment from beside the file, or a fresh one with a seed of the system's
    randomness. Use as a context manager, or call `close`. The order of things:

        with ImageFile(path) as file:
            eeprom = Eeprom(file.read(), file.env)
            file.attach(eeprom)          # before the card has power: recovery is written too
            file.save_env(file.env)      # at each power-on, before any answer
            ...

    Errors: `ImageError` naming the file when there is none, when it cannot be read or written,
    when somebody else uses it, or when its environment is not valid.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).resolve()
        if not self.path.is_file():
            raise ImageError(f"{self.path}: there is no such image file")
        self._lock = _locked(self.path)
        self._descriptor: int | None = None
        self._eeprom: EepromLike | None = None
        try:
            self._descriptor = os.open(self.path, os.O_RDWR | _BINARY)
            self.env = _load_env(self.path)
        except OSError as error:
            self._release()
            raise ImageError(f"{self.path}: cannot be opened: {error.strerror}") from error
        except BaseException:
            self._release()
            raise

    def read(self) -> bytes:
        """Return the whole image as it is in the file now."""
        self._opened()
        try:
            return self.path.read_bytes()  # not our descriptor: its position is the writer's
        except OSError as error:
            raise ImageError(f"{self.path}: cannot be read: {error.strerror}") from error

    def attach(self, eeprom: EepromLike) -> None:
        """Make the file follow `eeprom` from here on.

        Errors: `ImageError` when the two differ already, for then a write was missed.
        """
        if self.read() != eeprom.memory:
            raise ImageError(f"{self.path}: the EEPROM is no longer what the file holds")
        eeprom.sink = self.write
        self._eeprom = eeprom

    def write(self, address: int, data: bytes) -> None:
        """Put `data` at byte `address` of the file, past every buffer of this process.

        Shapes: within the image; an image never changes its size. Errors: `ImageError` when the
        file cannot be written (a full disk); the card must then be treated as without power.
        """
        descriptor = self._opened()
        rest = memoryview(data)
        try:
            os.lseek(descriptor, address, os.SEEK_SET)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError as error:
            raise ImageError(f"{self.path}: cannot be written: {error.strerror}") from error

    def save_env(self, env: Env) -> None:
        """Save the environment beside the image, at once and as a whole.

        To be called at power-on before the first answer: the power-on count seeds the random
        generators, so a count that got lost would let a challenge come again.
        """
        self._opened()
        self.env = env
        _save_file(_env_path(self.path), dump_env(env))

    def close(self) -> None:
        """Save the environment, write everything to the disk and let others have the file."""
        if self._descriptor is None:
            return
        try:
            self.save_env(self.env)
            os.fsync(self._descriptor)
        finally:
            self._release()

    def _opened(self) -> int:
        if self._descriptor is None:
            raise ImageError(f"{self.path}: this image file is closed")
        return self._descriptor

    def _release(self) -> None:
        if self._eeprom is not None:
            self._eeprom.sink = None
            self._eeprom = None
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ImageFile({str(self.path)!r})"


def load(path: str | os.PathLike[str]) -> tuple[bytes, Env]:
    """Return image and environment of a file, without keeping it from others.

    Of a card that is being served this is what a power loss at this moment would leave.
    Errors: `ImageError` naming the file.
    """
    place = Path(path).resolve()
    try:
        return place.read_bytes(), _load_env(place)
    except FileNotFoundError as error:
        raise ImageError(f"{place}: there is no such image file") from error
    except OSError as error:
        raise ImageError(f"{place}: cannot be read: {error.strerror}") from error


def save(path: str | os.PathLike[str], image: bytes, env: Env) -> None:
    """Write image and environment, each as a whole: there is always the old or the new one.

    The environment goes first: an image with the environment of its future is a card that was
    off for a while, one with that of its past would repeat random numbers.
    Errors: `ImageError` when the file is in use or cannot be written.
    """
    place = Path(path).resolve()
    lock = _locked(place)
    try:
        _save_file(_env_path(place), dump_env(env))
        _save_file(place, image)
    finally:
        lock.release()


def dump_env(env: Env) -> bytes:
    """Return the environment as JSON text; `parse_env` is the mirror.

    Wear is written for worn pages only, by page number, beside the number of pages.
    """
    fields = {
        "format": ENV_FORMAT,
        "seed": env.seed.hex(),
        "power_ons": env.power_ons,
        "clock_us": env.clock_us,
        "wear_failures": env.wear_failures,
        "forced": [value.hex() for value in env.forced],
        "pages": len(env.wear),
        "wear": {str(page): erased for page, erased in enumerate(env.wear) if erased},
    }
    return json.dumps(fields, indent=1).encode("ascii") + b"\n"


def parse_env(text: bytes) -> Env:
    """Return the environment that `dump_env` wrote.

    Errors: `ImageError` for a format number we do not know and for anything malformed.
    """
    try:
        fields: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"the environment is not JSON: {error}") from error
    if not isinstance(fields, dict) or "format" not in fields:
        raise ImageError("the environment has no format number")
    if fields["format"] != ENV_FORMAT or isinstance(fields["format"], bool):
        raise ImageError(
            f"the environment has format {fields['format']!r}; this version knows {ENV_FORMAT}"
        )
    if fields.keys() != _ENV_FIELDS:
        odd = ", ".join(sorted(fields.keys() ^ _ENV_FIELDS))
        raise ImageError(f"the environment lacks fields or has unknown ones: {odd}")
    pages = _natural(fields, "pages", PAGES_MAX)
    wear = [0] * pages
    if not isinstance(fields["wear"], dict):
        raise ImageError("the environment's wear is not a map of pages")
    for page in fields["wear"]:
        if not (page.isascii() and page.isdigit() and len(page) < 10 and int(page) < pages):
            raise ImageError(f"the environment tells the wear of a page {page!r} that is not there")
        wear[int(page)] = _natural(fields["wear"], page, 0xFFFF_FFFF)
    if not isinstance(fields["wear_failures"], bool):
        raise ImageError("the environment's wear_failures is neither true nor false")
    if not isinstance(fields["forced"], list):
        raise ImageError("the environment's forced values are not a list")
    return Env(
        _hex(fields["seed"]),
        power_ons=_natural(fields, "power_ons"),
        clock_us=_natural(fields, "clock_us"),
        wear=wear,
        forced=[_hex(value) for value in fields["forced"]],
        wear_failures=fields["wear_failures"],
    )


def _natural(fields: dict[str, Any], name: str, limit: int = 1 << 63) -> int:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limit:
        raise ImageError(f"the environment's {name} is not a number from 0 to {limit}")
    return value


def _hex(value: object) -> bytes:
    try:
        if isinstance(value, str):
            return bytes.fromhex(value)
    except ValueError:
        pass
    raise ImageError("the environment's seed or a forced value is not hexadecimal")


def _load_env(path: Path) -> Env:
    place = _env_path(path)
    try:
        text = place.read_bytes()
    except FileNotFoundError:
        return Env(os.urandom(SEED_BYTES))
    try:
        return parse_env(text)
    except ImageError as error:
        raise ImageError(f"{place}: {error}") from error


def _env_path(path: Path) -> Path:
    return path.with_name(path.name + ".env")


def _locked(path: Path) -> FileLock:
    if not path.parent.is_dir():
        raise ImageError(f"{path}: there is no such folder")
    # a file of its own, for a lock is taken by opening, and that must not touch the image
    lock = FileLock(path.with_name(path.name + ".lock"), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ImageError(f"{path}: this image is already in use by another card") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be locked: {error.strerror}") from error
    return lock


def _save_file(path: Path, content: bytes) -> None:
    """Replace a file as a whole; the caller holds the lock, so the temporary name is ours.

    New files are readable by their owner only: an image is full of keys.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.unlink(missing_ok=True)  # of a process that was killed here
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
        with os.fdopen(os.open(temporary, flags, mode), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise ImageError(f"{path}: cannot be saved: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
