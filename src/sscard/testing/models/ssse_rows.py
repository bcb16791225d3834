"""The commands of the SSSE as the model knows them: form, and what a block lets pass.

Source: ssse-lb002 3.2, 4.8; cos 5.3.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

__all__ = ["FILE_ACCESS", "ROWS", "Row", "unknown"]


class Row(NamedTuple):
    """What a command's form must be, what does it, and whether a temporary block lets it pass.

    `lc_by_p2` stands for `lc` where P2 says which of two commands it is.
    """

    method: str
    p1: Callable[[int], bool] = lambda value: value == 0
    p2: Callable[[int], bool] = lambda value: value == 0
    lc: Callable[[int], bool] = lambda value: value == 0
    survives: bool = False
    lc_by_p2: Mapping[int, Callable[[int], bool]] | None = None

    def fits(self, p2: int, length: int) -> bool:
        """Whether that many data bytes are a length this command has."""
        return (self.lc if self.lc_by_p2 is None else self.lc_by_p2[p2])(length)


def _any(_value: int) -> bool:
    return True


def _some(value: int) -> bool:
    return value > 0


def _of(*values: int) -> Callable[[int], bool]:
    return lambda value: value in values


def _mode(*modes: int) -> Callable[[int], bool]:
    return lambda value: value & 7 in modes


def _offset(value: int) -> bool:
    return value < 0xA0


_MANAGEMENT: Final = Row("_management", _any, _any, _any)
ROWS: Final[Mapping[tuple[int, int], Row]] = {
    (0x00, 0xB0): Row("_read_binary", _offset, _any),
    (0x04, 0xB0): Row("_read_binary", _offset, _any, _of(0, 4)),
    (0x00, 0xD6): Row("_update_binary", _offset, _any, _some),
    (0x04, 0xD6): Row("_update_binary", _offset, _any, _some),
    (0x00, 0xB2): Row("_read_record", _any, _mode(0, 4)),
    (0x04, 0xB2): Row("_read_record", _any, _mode(0, 4), _of(0, 4)),
    (0x00, 0xDC): Row("_update_record", _any, _mode(0, 3, 4), _some),
    (0x04, 0xDC): Row("_update_record", _any, _mode(0, 3, 4), _some),
    (0x00, 0xE2): Row("_append_record", p2=_mode(0), lc=_some),
    (0x04, 0xE2): Row("_append_record", p2=_mode(0), lc=_some),
    (0x00, 0x20): Row("_verify", p2=_any, lc=_of(0, *range(2, 9))),
    (0x80, 0x5E): Row("_change_pin", p1=_of(1), lc=_some),
    (0x84, 0x24): Row("_reload_or_unblock", p2=_of(0, 1), lc_by_p2={0: _of(4), 1: _of(0x0C, 0x14)}),
    (0x00, 0x84): Row("_draw", survives=True),
    (0x00, 0x88): Row("_internal", p2=_any, lc=_of(16)),
    (0x00, 0x82): Row("_external", p2=_any, lc=_any, survives=True),
    (0x84, 0x1E): Row("_block_application", p2=_of(0, 1), lc=_of(4)),
    (0x84, 0x18): Row("_unblock_application", lc=_of(4), survives=True),
    (0x84, 0x16): Row("_block_card", lc=_of(4)),
    (0x80, 0xCA): Row("_get_data", _any, _any, _any, survives=True),
    (0x80, 0x50): Row("_account", _of(0, 1), _of(1, 2), _of(11)),
    (0x80, 0x52): Row("_account", lc=_of(11)),
    (0x80, 0x54): Row("_account", p1=_of(1), lc=_of(15)),
    (0x80, 0x5C): Row("_account", p2=_of(1, 2)),
    (0x80, 0x5A): Row("_account", p2=_of(1, 2, 5, 6), lc=_of(2)),
    **{(cla, ins): _MANAGEMENT for cla in (0x80, 0x84) for ins in (0xE0, 0xE4, 0xD4)},
    **{(0x84, ins): _MANAGEMENT for ins in (0x1C, 0xE6, 0x0E)},
}
FILE_ACCESS: Final = (0xB0, 0xB2, 0xD6, 0xDC, 0xE2)
_INS: Final = {ins for _, ins in ROWS} | {0xA4, 0xC0}


def unknown(cla: int, ins: int) -> str:
    """The status word of a command that has no row: class, channel, instruction, protection."""
    if cla & 0x10 and cla & 0xEC in (0x00, 0x80, 0x04, 0x84):
        return "6884"
    if cla & 0x78:
        return "6E00"
    if cla & 0x03:
        return "6881"
    if ins not in _INS:
        return "6D00"
    if cla & 4 and ((cla & ~4, ins) in ROWS or (cla == 4 and ins in (0xA4, 0xC0))):
        return "6882"
    return "6E00"
