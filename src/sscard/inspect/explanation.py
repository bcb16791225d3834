"""An explanation: a tree of labelled pieces of bytes, and its two plain renderings.

Data first: whoever wants colour walks the tree. Secret pieces lose their bytes before anybody
sees the tree, and so does every piece that contains one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

__all__ = ["Explanation", "masked"]

_WIDEST = 32
"""Bytes shown in full on a line; longer pieces show their beginning and their length."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What some bytes mean.

    `label` names the piece, `value` says it in words, `raw` are its bytes, `parts` the pieces
    it is made of, `ref` the section of the reference. `secret` marks keys, PINs and personal
    data: `masked` takes the bytes and the words of such a piece away.
    """

    label: str
    value: str = ""
    raw: bytes = b""
    parts: tuple["Explanation", ...] = ()
    ref: str = ""
    secret: bool = False

    def lines(self, indent: int = 0) -> Iterator[str]:
        """Yield the explanation as plain text lines, two spaces a level."""
        text = "  " * indent + self.label
        if self.value:
            text += f": {self.value}"
        if self.raw:
            shown = self.raw[:_WIDEST].hex().upper()
            if len(self.raw) > _WIDEST:
                shown += f"... {len(self.raw)} bytes"
            text += f"  [{shown}]"
        if self.ref:
            text += f"  ({self.ref})"
        yield text
        for part in self.parts:
            yield from part.lines(indent + 1)

    @property
    def holds_secrets(self) -> bool:
        """Whether this piece or one in it is secret."""
        return self.secret or any(part.holds_secrets for part in self.parts)

    def find(self, label: str) -> "Explanation | None":
        """Return the first piece whose label is or begins with `label`, depth first."""
        if self.label == label or self.label.startswith(label + " "):
            return self
        for part in self.parts:
            found = part.find(label)
            if found is not None:
                return found
        return None

    def to_json(self) -> dict[str, object]:
        """Return the tree as plain JSON data; empty members are left out."""
        members: dict[str, object] = {"label": self.label}
        if self.value:
            members["value"] = self.value
        if self.raw:
            members["hex"] = self.raw.hex().upper()
        if self.ref:
            members["ref"] = self.ref
        if self.secret:
            members["secret"] = True
        if self.parts:
            members["parts"] = [part.to_json() for part in self.parts]
        return members

    def __str__(self) -> str:
        return "\n".join(self.lines())


def masked(tree: Explanation) -> Explanation:
    """Return the tree without the secrets in it."""
    return _masked(tree)[0]


def _masked(tree: Explanation) -> tuple[Explanation, bool]:
    if tree.secret:
        length = f"{len(tree.raw)} bytes, " if tree.raw else ""
        return replace(tree, value=f"{length}not shown", raw=b"", parts=()), True
    results = [_masked(part) for part in tree.parts]
    touched = any(hidden for _, hidden in results)
    parts = tuple(part for part, _ in results)
    return replace(tree, parts=parts, raw=b"" if touched else tree.raw), touched
