"""Commands: rows of the card's own tables filled in, near misses of them, and any bytes."""

from collections.abc import Container, Sequence
from functools import lru_cache
from typing import Final

from hypothesis import strategies as st

from sscard.inspect.explaining.catalogue import PLACES, TABLES
from sscard.iso.apdu import Command

__all__ = ["apdus"]

_KINDS: Final = ("row", "near", "raw")
_LONGEST: Final = 262
"""Bytes of the longest junk: a short APDU of case 4 has 261."""
_CLASSES: Final = (0x00, 0x04, 0x80, 0x84, 0x01, 0x0C, 0x10, 0xFF)
_FIDS: Final = ("3F00", "DDF1", "DDF2", "DF01", "EF05", "EF06", "EF0A", "0000")
_NAMES: Final = (
    "7378312E73682EC9E7BBE1B1A3D5CF", "315041592E5359532E4444463031", "A000000333010101",
)  # fmt: skip


def apdus(
    *, domain: str | None = None, kinds: Sequence[str] = _KINDS, max_data: int = 255
) -> st.SearchStrategy[bytes]:
    """Command APDUs as bytes, as a terminal would send them.

    `domain` is CM, SSSE, PSE or PSAM, and None for any. Of the `kinds`, "row" is a command whose
    class, instruction, P1, P2 and Lc a row of the domain's command table takes (or a SELECT or
    GET RESPONSE), "near" one of these with a single thing wrong, "raw" up to 262 bytes of
    anything. Data have at most `max_data` bytes, unless a row takes only more. Shrinks to a
    short command of the first row. Source: cos 3.2, 5.1.
    """
    if domain is not None and domain not in PLACES:
        raise ValueError(f"there is no domain {domain}; there are: {', '.join(PLACES)}")
    if not kinds or not set(kinds) <= set(_KINDS):
        raise ValueError(f"kinds are some of {', '.join(_KINDS)}, not {', '.join(kinds) or 'none'}")
    if not 0 <= max_data <= 255:
        raise ValueError(f"a short APDU has 0 to 255 bytes of data, not {max_data}")
    forms = _forms(domain, max_data)
    drawn = {
        "row": forms,
        "near": forms.flatmap(_near_misses),
        "raw": st.binary(max_size=_LONGEST),
    }
    return st.one_of(*(drawn[kind] for kind in _KINDS if kind in kinds))


@lru_cache(maxsize=16)
def _forms(domain: str | None, max_data: int) -> st.SearchStrategy[bytes]:
    codes = tuple(TABLES) if domain is None else (PLACES[domain],)
    rows = [
        _filled(row.cla, row.ins, row.p1, row.p2, lc, max_data)
        for code in codes
        for row in TABLES[code]
        for lc in ((row.lc,) if row.lc_by_p2 is None else ())
    ]
    rows += [
        _filled(row.cla, row.ins, row.p1, (p2,), lc, max_data)
        for code in codes
        for row in TABLES[code]
        for p2, lc in (row.lc_by_p2 or {}).items()
    ]
    return st.one_of(*rows, _selections(), st.integers(1, 256).map(_get_response))


def _filled(
    cla: int,
    ins: int,
    p1: Container[int] | None,
    p2: Container[int] | None,
    lc: Container[int] | None,
    max_data: int,
) -> st.SearchStrategy[bytes]:
    every = [size for size in range(256) if lc is None or size in lc]
    sizes = [size for size in every if size <= max_data] or every[:1]
    data = st.sampled_from(sizes).flatmap(lambda size: st.binary(min_size=size, max_size=size))
    return st.builds(
        Command, st.just(cla), st.just(ins), _among(p1), _among(p2), data,
        st.sampled_from((None, 256, 1, 8, 16)),
    ).map(Command.build)  # fmt: skip


def _among(values: Container[int] | None) -> st.SearchStrategy[int]:
    return st.sampled_from([one for one in range(256) if values is None or one in values])


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


def _near_misses(form: bytes) -> st.SearchStrategy[bytes]:
    """A well-formed command with one byte changed, or cut, or with bytes added."""
    changed = [
        st.builds(_with, st.just(form), st.just(at), st.sampled_from(_CLASSES) if not at else _BYTE)
        for at in range(min(len(form), 5))
    ]
    if len(form) > 5:
        changed.append(st.builds(_with, st.just(form), st.integers(5, len(form) - 1), _BYTE))
    cut = st.integers(0, len(form) - 1).map(lambda end: form[:end])
    longer = st.binary(min_size=1, max_size=4).map(lambda more: form + more)
    return st.one_of(*changed, cut, longer).filter(lambda near: near != form)


_BYTE: Final = st.integers(0, 255)


def _with(form: bytes, at: int, value: int) -> bytes:
    return form[:at] + bytes((value,)) + form[at + 1 :]
