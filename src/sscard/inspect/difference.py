"""`diff`: what changed between two images: pages, then objects, then fields."""

from collections.abc import Iterator
from dataclasses import dataclass

from sscard.cos.eeprom import PAGE_SIZE
from sscard.cos.tree import FileNode
from sscard.inspect.contents import Contents
from sscard.inspect.names import kind_name, page_name
from sscard.inspect.regions import Region, object_path, object_regions, static_regions

__all__ = ["Difference", "FieldChange", "ObjectChange", "PageChange", "diff"]

_QUIET = frozenset(("crc", "filler"))
"""Fields whose change only follows from another's."""
_SHOWN = 16


@dataclass(frozen=True, slots=True)
class PageChange:
    """A page that differs, and in how many bytes."""

    number: int
    title: str
    bytes: int


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """A file or directory that only one image has, or whose header or body differs."""

    path: str
    kind: str
    change: str


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that differs, before and after; secrets say only that they changed."""

    owner: str
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that differs. False when the images are equal."""

    pages: tuple[PageChange, ...]
    objects: tuple[ObjectChange, ...]
    fields: tuple[FieldChange, ...]

    def __bool__(self) -> bool:
        return bool(self.pages)

    def lines(self) -> Iterator[str]:
        """Yield the differences as text lines."""
        if not self:
            yield "no difference"
        for page in self.pages:
            yield f"page {page.number:04X} {page.title}: {page.bytes} bytes"
        for found in self.objects:
            yield f"object {found.path} {found.kind}: {found.change}"
        for field in self.fields:
            yield f"field {field.owner} {field.field}: {field.before} -> {field.after}"

    def to_json(self) -> dict[str, object]:
        """Return the differences as plain JSON data."""
        return {
            name: [
                {field: getattr(change, field) for field in type(change).__slots__}
                for change in getattr(self, name)
            ]
            for name in ("pages", "objects", "fields")
        }

    def __str__(self) -> str:
        return "\n".join(self.lines())


def diff(
    before: bytes | bytearray, after: bytes | bytearray, *, reveal: bool = False
) -> Difference:
    """Compare two card images. Raises ImageError when one of them is none.

    Objects are told apart by domain and path, so that a file which moved is one change. Fields
    of the journal are left out; `reveal` shows keys and the contents of files.
    """
    old, new = Contents.read(before), Contents.read(after)
    objects: list[ObjectChange] = []
    fields = _field_changes(
        list(static_regions(old)), list(static_regions(new)), old, new, reveal=reveal
    )
    had, has = _objects(old), _objects(new)
    for path in [*had, *(path for path in has if path not in had)]:
        change, inner = _compare(path, had.get(path), has.get(path), old, new, reveal=reveal)
        objects += change
        fields += inner
    return Difference(tuple(_pages(old, new)), tuple(objects), tuple(fields))


def _pages(old: Contents, new: Contents) -> Iterator[PageChange]:
    size = max(len(old.image), len(new.image))
    block = old.block if len(old.image) == size else new.block
    for number in range(size // PAGE_SIZE):
        start = number * PAGE_SIZE
        one, other = old.image[start : start + PAGE_SIZE], new.image[start : start + PAGE_SIZE]
        if one != other:
            count = sum(a != b for a, b in zip(one, other, strict=False))
            count += abs(len(one) - len(other))
            yield PageChange(number, page_name(block, number), count)


def _objects(contents: Contents) -> dict[str, FileNode]:
    """Live objects by domain and path; a doubled path gets a number."""
    found: dict[str, FileNode] = {}
    for environment in contents.environments:
        owner = environment.name
        for node in environment.tree.nodes:
            path = f"{owner} {object_path(node)}"
            if path in found:
                path = f"{path} at {node.address:05X}"
            found[path] = node
    return found


def _compare(
    path: str,
    had: FileNode | None,
    has: FileNode | None,
    old: Contents,
    new: Contents,
    *,
    reveal: bool,
) -> tuple[list[ObjectChange], list[FieldChange]]:
    present = has if has is not None else had
    if present is None:
        return [], []
    kind = kind_name(present.kind)
    if had is None or has is None:
        return [ObjectChange(path, kind, "added" if had is None else "removed")], []
    changes = []
    if had.address != has.address:
        changes.append(f"moved from {had.address:05X} to {has.address:05X}")
    if old.memory[had.address : had.body] != new.memory[has.address : has.body]:
        changes.append("header changed")
    if old.memory[had.body : had.end] != new.memory[has.body : has.end]:
        changes.append("body changed")
    if not changes:
        return [], []
    owner = path.partition(" ")[0]
    fields = _field_changes(
        list(object_regions(old.memory, owner, had)),
        list(object_regions(new.memory, owner, has)),
        old,
        new,
        reveal=reveal,
    )
    return [ObjectChange(path, kind, ", ".join(changes))], fields


def _field_changes(
    before: list[Region], after: list[Region], old: Contents, new: Contents, *, reveal: bool
) -> list[FieldChange]:
    had = {(region.owner, region.name): region for region in before}
    has = {(region.owner, region.name): region for region in after}
    changes = []
    for key in [*had, *(key for key in has if key not in had)]:
        one, other = had.get(key), has.get(key)
        one_bytes = old.memory[one.start : one.stop] if one else None
        other_bytes = new.memory[other.start : other.stop] if other else None
        if one_bytes == other_bytes or key[1] in _QUIET:
            continue
        same_words = one is not None and other is not None and one.text == other.text
        one_text = _said(one, one_bytes, reveal=reveal, fully=same_words)
        other_text = _said(other, other_bytes, reveal=reveal, fully=same_words)
        if same_words and one_text == other_text:
            other_text += f", {_distance(one_bytes, other_bytes)} bytes changed"
        changes.append(FieldChange(*key, one_text, other_text))
    return changes


def _said(region: Region | None, data: bytes | None, *, reveal: bool, fully: bool) -> str:
    """The words of a field, or its bytes where the words do not tell the two apart."""
    if region is None or data is None:
        return "absent"
    if region.text and not fully:
        return region.text
    if not reveal:
        return "not shown" if region.secret else f"{len(data)} bytes"
    shown = data[:_SHOWN].hex().upper()
    return shown if len(data) <= _SHOWN else f"{shown}... {len(data)} bytes"


def _distance(one: bytes | None, other: bytes | None) -> int:
    return sum(a != b for a, b in zip(one or b"", other or b"", strict=False))
