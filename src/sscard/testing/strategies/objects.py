"""Data objects: BER-TLV and data object lists, well-formed (pse-pboc 2.7)."""

from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

from sscard.iso import tlv

__all__ = ["dols", "tlvs"]

_LONGEST: Final = 65_535
_CONSTRUCTED: Final = 0x20


def _tags() -> st.SearchStrategy[int]:
    """Tags of one to three bytes, the short ones first."""
    one = st.integers(1, 0xFE).filter(lambda tag: tag & 0x1F != 0x1F)
    lead = st.sampled_from([first | 0x1F for first in range(0, 256, 0x20)])
    two = st.builds(lambda first, low: first << 8 | low, lead, st.integers(0x1F, 0x7F))
    three = st.builds(
        lambda first, high, low: first << 16 | high << 8 | low,
        lead, st.integers(0x81, 0xFF), st.integers(0, 0x7F),
    )  # fmt: skip
    return st.one_of(one, two, three)


def _chosen(tags: Sequence[int] | None) -> st.SearchStrategy[int]:
    if tags is None:
        return _tags()
    if not tags:
        raise ValueError("name at least one tag, or leave `tags` out for any")
    for tag in tags:
        tlv.encode(tag, b"")  # raises TlvError, a ValueError, for what is no tag
    return st.sampled_from(tuple(tags))


def tlvs(
    *,
    tags: Sequence[int] | None = None,
    max_objects: int = 4,
    max_value: int = 32,
    depth: int = 2,
) -> st.SearchStrategy[bytes]:
    """Concatenated BER-TLV objects: what `sscard.iso.tlv.parse` takes, at every level.

    Up to `max_objects` beside each other, of `tags` (integers as written, 0x9F36) or of any tag
    of 1 to 3 bytes. Primitive ones hold up to `max_value` bytes, constructed ones other objects,
    `depth` levels deep; below that they are empty. Shrinks to b"". Source: pse-pboc 2.7.
    """
    if max_objects < 0 or depth < 0:
        raise ValueError(f"max_objects {max_objects} and depth {depth} may not be negative")
    if not 0 <= max_value <= _LONGEST:
        raise ValueError(f"a value has 0 to 65535 bytes, not {max_value}")
    chosen = _chosen(tags)
    level = st.just(b"")
    for _ in range(depth + 1):
        level = _objects(chosen, level, max_objects, max_value)
    return level


def _objects(
    tags: st.SearchStrategy[int], inner: st.SearchStrategy[bytes], objects: int, longest: int
) -> st.SearchStrategy[bytes]:
    def valued(tag: int) -> st.SearchStrategy[bytes]:
        first = tag >> 8 * ((tag.bit_length() - 1) // 8)
        value = inner if first & _CONSTRUCTED else st.binary(max_size=longest)
        return value.filter(lambda one: len(one) <= _LONGEST).map(lambda one: tlv.encode(tag, one))

    return st.lists(tags.flatmap(valued), max_size=objects).map(b"".join)


def dols(
    *, tags: Sequence[int] | None = None, max_entries: int = 8, max_length: int = 252
) -> st.SearchStrategy[bytes]:
    """Data object lists: what `sscard.iso.tlv.parse_dol` takes.

    Up to `max_entries` pairs of a tag and a length of 0 to `max_length`. What a list asks for may
    be more than one command can carry, as in a hostile card. Shrinks to b"".
    Source: pse-pboc 2.7.
    """
    if max_entries < 0:
        raise ValueError(f"max_entries {max_entries} may not be negative")
    if not 0 <= max_length <= _LONGEST:
        raise ValueError(f"a length is 0 to 65535, not {max_length}")
    entry = st.tuples(_chosen(tags), st.integers(0, max_length))
    return st.lists(entry, max_size=max_entries).map(tlv.encode_dol)
