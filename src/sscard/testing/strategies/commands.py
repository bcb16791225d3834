"""Commands: rows of the card's own tables filled in, near misses of them, and any bytes."""

from collections.abc import Container, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from hypothesis import strategies as st

from sscard.inspect.explaining.catalogue import PLACES, TABLES
from sscard.iso.apdu import Command

__all__ = ["apdus"]

_KINDS: Final = ("row", "near", "raw")
_LONGEST: Final = 262
"""Bytes of the longest junk: a short APDU of case 4 has 261."""
_HEADER: Final = 4
_CLASSES: Final = (0x00, 0x04, 0x80, 0x84, 0x01, 0x0C, 0x10, 0xFF)
_FIDS: Final = ("3F00", "DDF1", "DDF2", "DF01", "EF05", "EF06", "EF0A", "0000")
_NAMES: Final = (
    "7378312E73682EC9E7BBE1B1A3D5CF", "315041592E5359532E4444463031", "A000000333010101",
)  # fmt: skip


def apdus(
    *,
    domain: str | None = None,
    kinds: Sequence[str] = _KINDS,
    max_data: int = 255,
    min_length: int = 0,
) -> st.SearchStrategy[bytes]:
    """Command APDUs as bytes, as a terminal would send them.

    `domain` is CM, SSSE, PSE or PSAM, and None for any. Of the `kinds`, "row" is a command whose
    class, instruction, P1, P2 and Lc a row of the domain's command table takes (or a SELECT or
    GET RESPONSE), "near" one of these with a single thing wrong, "raw" up to 262 bytes of
    anything. Data have at most `max_data` bytes, unless a row takes only more. No command is
    shorter than `min_length` bytes: 4 for a card behind a reader, which takes no shorter ones.
    Shrinks to a short command of the first row. Source: cos 3.2, 5.1.
    """
    if domain is not None and domain not in PLACES:
        raise ValueError(f"there is no domain {domain}; there are: {', '.join(PLACES)}")
    if not kinds or not set(kinds) <= set(_KINDS):
        raise ValueError(f"kinds are some of {', '.join(_KINDS)}, not {', '.join(kinds) or 'none'}")
    if not 0 <= max_data <= 255:
        raise ValueError(f"a short APDU has 0 to 255 bytes of data, not {max_data}")
    if not 0 <= min_length <= _HEADER:
        raise ValueError(f"min_length is 0 to {_HEADER}, a header, not {min_length}")
    drawn = {
        "row": _forms(domain, max_data),
        "near": _near_misses(domain, max_data, min_length),
        "raw": st.binary(min_size=min_length, max_size=_LONGEST),
    }
    return st.one_of(*(drawn[kind] for kind in _KINDS if kind in kinds))


class _Shape(NamedTuple):
    """A row, or the part of it that one P2 has: what may stand in its fields."""

    cla: int
    ins: int
    p1: tuple[int, ...]
    p2: tuple[int, ...]
    sizes: tuple[int, ...]


@lru_cache(maxsize=16)
def _shapes(domain: str | None, max_data: int) -> tuple[_Shape, ...]:
    codes = tuple(TABLES) if domain is None else (PLACES[domain],)
    rows = [row for code in codes for row in TABLES[code]]
    return tuple(
        _Shape(row.cla, row.ins, _taken(row.p1), p2, _short(_taken(lc), max_data))
        for row in rows
        for p2, lc in (
            ((_taken(row.p2), row.lc),)
            if row.lc_by_p2 is None
            else (((one,), lc) for one, lc in row.lc_by_p2.items())
        )
    )


def _taken(values: Container[int] | None) -> tuple[int, ...]:
    return tuple(one for one in range(256) if values is None or one in values)


def _short(sizes: tuple[int, ...], max_data: int) -> tuple[int, ...]:
    return tuple(size for size in sizes if size <= max_data) or sizes[:1]


@st.composite
def _forms(draw: st.DrawFn, domain: str | None, max_data: int) -> bytes:
    """A row filled in; now and then a SELECT or GET RESPONSE, which no table has."""
    if draw(st.integers(0, 7)) == 7:
        return draw(st.one_of(_selections(), st.integers(1, 256).map(_get_response)))
    shape = draw(st.sampled_from(_shapes(domain, max_data)))
    size = draw(st.sampled_from(shape.sizes))
    return Command(
        shape.cla,
        shape.ins,
        draw(st.sampled_from(shape.p1)),
        draw(st.sampled_from(shape.p2)),
        draw(st.binary(min_size=size, max_size=size)),
        draw(st.sampled_from((None, 256, 1, 8, 16))),
    ).build()


def _selections() -> st.SearchStrategy[bytes]:
    by_name = st.builds(
        lambda name, p2: Command(0, 0xA4, 4, p2, bytes.fromhex(name)).build(),
        st.sampled_from(_NAMES),
        st.sampled_from((0, 2)),
    )
    by_fid = st.builds(
        lambda fid, p1: Command(0, 0xA4, p1, 0, bytes.fromhex(fid)).build(),
        st.sampled_from(_FIDS),
        st.sampled_from((0, 1, 2)),
    )
    return st.one_of(by_fid, by_name)


def _get_response(le: int) -> bytes:
    return Command(0, 0xC0, 0, 0, b"", le).build()


@st.composite
def _near_misses(draw: st.DrawFn, domain: str | None, max_data: int, min_length: int) -> bytes:
    """A well-formed command with one byte changed, or cut, or with bytes added."""
    form = draw(_forms(domain, max_data))
    match draw(st.sampled_from(("header", "header", "cut", "longer", "data"))):
        case "cut" if len(form) > min_length:
            return form[: draw(st.integers(min_length, len(form) - 1))]
        case "longer":
            return form + draw(st.binary(min_size=1, max_size=4))
        case "data" if len(form) > 5:
            at = draw(st.integers(5, len(form) - 1))
        case _:
            at = draw(st.integers(0, min(len(form), 5) - 1))
    values = st.sampled_from(_CLASSES) if at == 0 else st.integers(0, 255)
    return _with(form, at, draw(values.filter(lambda value: value != form[at])))


def _with(form: bytes, at: int, value: int) -> bytes:
    return form[:at] + bytes((value,)) + form[at + 1 :]
