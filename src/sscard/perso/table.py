"""Checked reading of one table of a profile: every complaint names the key and what may stand.

Values from `--set` are strings, those of TOML have types; both are understood. `finish`
refuses what nobody asked for, so that a slip of the pen in a key is an error and not a default.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn, TypeVar

from sscard.errors import ProfileError

__all__ = ["REQUIRED", "Required", "Table"]

_T = TypeVar("_T")


class Required:
    """Marks an argument without a default."""


REQUIRED = Required()


class Table:
    """A table with its place in the profile (`path`, "" at the top)."""

    def __init__(self, data: Mapping[str, object], path: str = "") -> None:
        self._data = data
        self._known: set[str] = set()
        self.path = path

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def where(self, key: str) -> str:
        """Return the dotted name of `key` as one writes it after `--set`."""
        return f"{self.path}.{key}" if self.path else key

    def wrong(self, key: str, allowed: str) -> NoReturn:
        """Refuse the value of `key`, saying what is allowed."""
        raise ProfileError(f"{self.where(key)} = {self._data.get(key)!r}: must be {allowed}")

    def text(self, key: str, default: str | Required = REQUIRED) -> str:
        """Return a string."""
        return self._convert(key, default, "text", str)

    def number(self, key: str, low: int, high: int, default: int | Required = REQUIRED) -> int:
        """Return a whole number of `low` to `high`."""

        def convert(text: str) -> int:
            value = int(text)
            if not low <= value <= high:
                raise ValueError(text)
            return value

        return self._convert(key, default, f"a whole number of {low} to {high}", convert)

    def hex_number(self, key: str, digits: int, default: int | Required = REQUIRED) -> int:
        """Return a number written as exactly `digits` hex digits."""

        def convert(text: str) -> int:
            if len(text) != digits:
                raise ValueError(text)
            return int(text, 16)

        return self._convert(key, default, f"{digits} hex digits", convert)

    def hex_bytes(
        self, key: str, length: int | None = None, default: bytes | Required = REQUIRED
    ) -> bytes:
        """Return bytes written in hex, spaces allowed; exactly `length` of them if given."""

        def convert(text: str) -> bytes:
            value = bytes.fromhex(text)
            if length is not None and len(value) != length:
                raise ValueError(text)
            return value

        many = "bytes" if length is None else f"{length} bytes"
        return self._convert(key, default, f"{many} in hex", convert)

    def secret(self, key: str, length: int) -> bytes:
        """Return key bytes, in hex or, for obvious test keys, as `ascii:` and characters.

        An error names the key but does not repeat its value.
        """
        text = self.text(key)
        try:
            if text.startswith("ascii:"):
                value = text.removeprefix("ascii:").encode("ascii")
            else:
                value = bytes.fromhex(text)
        except ValueError:
            value = b""
        if len(value) != length:
            raise ProfileError(
                f"{self.where(key)} must be {length} bytes: in hex, or ascii: and {length} letters"
            )
        return value

    def flag(self, key: str, default: bool | Required = REQUIRED) -> bool:
        """Return a truth value: true, false, on, off."""
        words = {"true": True, "on": True, "false": False, "off": False}
        return self._convert(key, default, "true or false", lambda text: words[text.lower()])

    def choice(self, key: str, values: Mapping[str, _T], default: str | Required = REQUIRED) -> _T:
        """Return what the word under `key` stands for."""
        fallback = default if isinstance(default, Required) else values[default]
        return self._convert(key, fallback, f"one of {', '.join(values)}", values.__getitem__)

    def texts(self, key: str, default: Iterable[str] | Required = REQUIRED) -> tuple[str, ...]:
        """Return a list of strings; a string with commas is one too."""
        self._known.add(key)
        if key not in self._data:
            if isinstance(default, Required):
                raise ProfileError(f"{self.where(key)} is missing: it must be a list of texts")
            return tuple(default)
        value = self._data[key]
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)
        return self.wrong(key, "a list of texts")

    def value(self, key: str) -> object:
        """Return whatever stands under `key`, None if nothing does."""
        self._known.add(key)
        return self._data.get(key)

    def table(self, key: str) -> "Table":
        """Return the table under `key`, an empty one if there is none."""
        self._known.add(key)
        value = self._data.get(key, {})
        if not isinstance(value, Mapping):
            self.wrong(key, "a table")
        return Table(value, self.where(key))

    def tables(self, key: str) -> dict[str, "Table"]:
        """Return the tables in the table under `key`, by name, without those not `present`."""
        outer = self.table(key)
        inner = {name: outer.table(name) for name in outer.names()}
        return {name: table for name, table in inner.items() if table.flag("present", True)}

    def names(self) -> list[str]:
        """Return the keys that are there."""
        return list(self._data)

    def finish(self) -> None:
        """Refuse keys that nothing has asked for."""
        for key in self._data:
            if key not in self._known:
                allowed = ", ".join(sorted(self._known))
                raise ProfileError(f"{self.where(key)} is not known; there are: {allowed}")

    def _convert(
        self, key: str, default: _T | Required, allowed: str, convert: Callable[[str], _T]
    ) -> _T:
        self._known.add(key)
        if key not in self._data:
            if isinstance(default, Required):
                raise ProfileError(f"{self.where(key)} is missing: it must be {allowed}")
            return default
        value = self._data[key]
        if isinstance(value, (list, Mapping)):
            self.wrong(key, allowed)
        try:
            return convert(str(value))
        except (ValueError, KeyError):
            self.wrong(key, allowed)
