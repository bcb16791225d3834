"""Bytes of which some may be masked: how a trace keeps a command without the PIN in it.

As text two hex digits a byte, `**` for a masked one: length and place stay, the value does not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

__all__ = ["Octets"]

_MASK = "**"


@dataclass(frozen=True, slots=True)
class Octets:
    """Some bytes; those at `hidden` are masked and stand as 00 in `data`."""

    data: bytes
    hidden: frozenset[int] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form. Errors: ValueError."""
        if len(text) % 2:
            raise ValueError(f"an odd number of characters: {text[:40]!r}")
        pairs = [text[at : at + 2] for at in range(0, len(text), 2)]
        hidden = frozenset(at for at, pair in enumerate(pairs) if pair == _MASK)
        if any(" " in pair for pair in pairs):
            raise ValueError("blanks in hex")
        return cls(bytes.fromhex(text.replace(_MASK, "00")), hidden)

    def __str__(self) -> str:
        return "".join(
            _MASK if at in self.hidden else f"{byte:02X}" for at, byte in enumerate(self.data)
        )

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return f"Octets.parse({str(self)!r})" if self.hidden else f"<Octets {len(self)} bytes>"

    @property
    def whole(self) -> bool:
        """Whether no byte is masked."""
        return not self.hidden

    def mask(self, places: Iterable[int]) -> Self:
        """Return the same with these bytes masked, too."""
        hidden = self.hidden | frozenset(places)
        data = bytes(0 if at in hidden else byte for at, byte in enumerate(self.data))
        return type(self)(data, hidden)

    def differences(self, other: bytes) -> Iterator[int]:
        """Yield where `other` differs in a byte that is not masked; lengths are not compared."""
        for at, (mine, theirs) in enumerate(zip(self.data, other, strict=False)):
            if mine != theirs and at not in self.hidden:
                yield at
