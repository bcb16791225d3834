"""`dump`: pages of an image in hex, with the name and the value of every field beside them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sscard.cos.eeprom import BLANK, PAGE_SIZE
from sscard.errors import ImageError
from sscard.inspect.contents import Contents
from sscard.inspect.names import page_name
from sscard.inspect.regions import Region, regions_of

__all__ = ["Dump", "DumpField", "DumpPage", "dump"]

_ROW = 16


@dataclass(frozen=True, slots=True)
class DumpField:
    """A field or the part of it that lies in the page: offsets within the page."""

    offset: int
    length: int
    owner: str
    name: str
    value: str
    secret: bool


@dataclass(frozen=True, slots=True)
class DumpPage:
    """One page: `bytes` are hex pairs, `**` where a secret is not shown."""

    number: int
    title: str
    bytes: tuple[str, ...]
    fields: tuple[DumpField, ...]

    def lines(self) -> Iterator[str]:
        """Yield the page as text lines."""
        address = self.number * PAGE_SIZE
        yield f"page {self.number:04X} at {address:05X}: {self.title}"
        for at in range(0, PAGE_SIZE, _ROW):
            yield f"  {address + at:05X}  {' '.join(self.bytes[at : at + _ROW])}"
        owner = ""
        for field in self.fields:
            if field.owner != owner:
                owner = field.owner
                yield f"    {owner}"
            value = "not shown" if field.secret and not field.value else field.value
            text = f"      {address + field.offset:05X} {field.length:3d}  {field.name}"
            yield f"{text}: {value}" if value else text

    def to_json(self) -> dict[str, object]:
        """Return the page as plain JSON data."""
        return {
            "page": self.number,
            "title": self.title,
            "hex": "".join(self.bytes),
            "fields": [
                {name: getattr(field, name) for name in DumpField.__slots__}
                for field in self.fields
            ],
        }


@dataclass(frozen=True, slots=True)
class Dump:
    """Some pages of an image."""

    pages: tuple[DumpPage, ...]

    def lines(self) -> Iterator[str]:
        """Yield all pages as text lines."""
        for page in self.pages:
            yield from page.lines()

    def to_json(self) -> dict[str, object]:
        """Return the dump as plain JSON data."""
        return {"pages": [page.to_json() for page in self.pages]}

    def __str__(self) -> str:
        return "\n".join(self.lines())


def dump(
    image: bytes | bytearray,
    pages: int | Iterable[int] | None = None,
    *,
    blank: bool = False,
    reveal: bool = False,
) -> Dump:
    """Return annotated pages of an image: one, several, or all that are not erased.

    `blank` includes erased pages when no numbers are given; `reveal` shows key values, PINs,
    internal files and journal payloads, which are `**` otherwise. Contents of working files
    are shown. Raises ImageError for no image and for a page it does not have.
    """
    contents = Contents.read(image)
    total = len(contents.image) // PAGE_SIZE
    if pages is None:
        wanted = [number for number in range(total) if blank or _page(contents, number) != BLANK]
    else:
        wanted = [pages] if isinstance(pages, int) else list(pages)
    for number in wanted:
        if not 0 <= number < total:
            raise ImageError(f"the image has pages 0 to {total - 1}, not {number}")
    by_page = _by_page(regions_of(contents), set(wanted))
    return Dump(
        tuple(_view(contents, number, by_page.get(number, []), reveal=reveal) for number in wanted)
    )


def _page(contents: Contents, number: int) -> bytes:
    return contents.image[number * PAGE_SIZE : (number + 1) * PAGE_SIZE]


def _by_page(regions: list[Region], wanted: set[int]) -> dict[int, list[Region]]:
    found: dict[int, list[Region]] = {}
    for region in regions:
        last = max(region.stop - 1, region.start) // PAGE_SIZE
        for number in range(region.start // PAGE_SIZE, last + 1):
            if number in wanted:
                found.setdefault(number, []).append(region)
    return found


def _view(contents: Contents, number: int, regions: list[Region], *, reveal: bool) -> DumpPage:
    start = number * PAGE_SIZE
    pairs = [f"{byte:02X}" for byte in _page(contents, number)]
    fields = []
    for region in regions:
        begin, stop = max(region.start - start, 0), min(region.stop - start, PAGE_SIZE)
        hidden = region.secret and not reveal
        if hidden:
            pairs[begin:stop] = ["**"] * (stop - begin)
        value = region.text
        if region.secret and reveal and not value:
            value = contents.image[region.start : region.stop].hex(" ").upper()
        fields.append(
            DumpField(begin, stop - begin, region.owner, region.name, value, secret=hidden)
        )
    title = page_name(contents.block, number)
    return DumpPage(number, title, tuple(pairs), tuple(fields))
