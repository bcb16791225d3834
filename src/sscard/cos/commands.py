"""Command tables: rows, not branches (cos 3.2, 5.1; style: rows and dispatch).

A row says everything about a command that can be checked before its handler runs; the kernel
checks it once, in the order of cos 5.3. The same rows generate `docs/commands.md` and are
what `explain` knows. Duplicate rows fail at import.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from enum import Enum, Flag, auto
from typing import Any, NamedTuple

from sscard.cos.refusal import Refusal, Reply
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["CommandTable", "Handler", "Le", "Row", "Survives", "form_refusal"]

Handler = Callable[[Any, Command], bytes | Reply]
"""A command handler: (domain, command) -> the answer's data (9000), or a Reply."""


class Le(Enum):
    """What Le means for the data of a case 2 answer (cos 2.2; ssse-lb002 3.4; pse-pboc 2.1)."""

    EXACT = auto()
    """00 asks for all (6Cxx on a T=0 line); another value than the length is 6Cxx."""
    HONOURED = auto()
    """00 asks for all, less gives the first Le bytes, more is 6Cxx."""
    IGNORED = auto()
    """The whole answer always comes."""
    RECORD = auto()
    """Le 00 asks for all; else as the domain's `record_le` says (ssse-lb002 3.4, cos 2.2)."""


class Survives(Flag):
    """States of a domain or application in which a command is still accepted (F10, 5.1)."""

    NONE = 0
    BLOCKED = auto()
    """Temporarily blocked."""
    TERMINATED = auto()
    """The domain is terminated."""
    BLANK = auto()
    """The card has no MF yet."""


class Row(NamedTuple):
    """One command: how it is recognised, what may be checked beforehand, who executes it."""

    cla: int
    ins: int
    name: str
    handler: Handler
    ref: str
    p1: Container[int] | None
    p2: Container[int] | None
    lc: Container[int] | None
    le: Le
    survives: Survives
    state: Any
    lc_by_p2: Mapping[int, Container[int]] | None = None


ANY_LC = range(1, 256)
_KERNEL_INS = (0xA4, 0xC0)
"""SELECT and GET RESPONSE: known everywhere, but not to the tables."""
NO_DATA = (0,)


class CommandTable:
    """The commands of one domain, by class and instruction.

    Of unknown ones an unknown class is 6E00, channel bits `channel`, an instruction no row has
    6D00, secure messaging on a row without it 6882, another class 6E00. `one_class_error`
    leaves of these only 6E00 for the class and 6D00 for the instruction (pse-pboc 2.1).
    """

    def __init__(self, name: str, *, one_class_error: bool = False) -> None:
        self.name = name
        self._one_class_error = one_class_error
        self._rows: dict[int, Row] = {}
        self.get = self._rows.get
        """The row of `cla << 8 | ins`, or None: the one lookup of the hot path."""

    def command(
        self,
        cla: int | tuple[int, ...],
        ins: int,
        name: str,
        *,
        ref: str,
        p1: Container[int] | None = (0,),
        p2: Container[int] | None = (0,),
        lc: Container[int] | None = NO_DATA,
        lc_by_p2: Mapping[int, Container[int]] | None = None,
        le: Le = Le.EXACT,
        survives: Survives = Survives.NONE,
        state: Any = None,
    ) -> Callable[[Handler], Handler]:
        """Register a handler under one or more classes.

        Shapes: `p1`, `p2` the accepted values, None for any; `lc` the accepted numbers of data
        bytes, 0 for none, None where the handler decides; `lc_by_p2` which of them each P2 takes,
        for a command whose forms differ; `state` is the applet's own.
        """

        def register(handler: Handler) -> Handler:
            for one in cla if isinstance(cla, tuple) else (cla,):
                self._add(
                    Row(one, ins, name, handler, ref, p1, p2, lc, le, survives, state, lc_by_p2)
                )
            return handler

        return register

    def include(self, other: "CommandTable", names: Iterable[str] | None = None) -> None:
        """Take over the rows of another table, all or those with the given names."""
        wanted = None if names is None else set(names)
        for row in other:
            if wanted is None or row.name in wanted:
                self._add(row)

    def _add(self, row: Row) -> None:
        key = row.cla << 8 | row.ins
        if key in self._rows:
            raise AssertionError(f"{self.name}: {row.cla:02X} {row.ins:02X} is registered twice")
        self._rows[key] = row

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def unknown(self, cla: int, ins: int, channel: SW) -> Refusal:
        """Return the refusal of a command that has no row. Source: cos 5.1, 5.3."""
        special = not self._one_class_error
        if special and cla & 0x10 and cla & 0xEC in (0x00, 0x80, 0x04, 0x84):
            return Refusal(SW.CHAINING_NOT_SUPPORTED, "command chaining is not offered", "cos 5.3")
        if cla & ~0x87 & 0xFF:
            return Refusal(SW.CLA_UNKNOWN, f"class {cla:02X} is unknown", "cos 5.3")
        if cla & 0x03:
            return Refusal(channel, "logical channels are not supported", "cos 5.1")
        if ins not in _KERNEL_INS and not any(row.ins == ins for row in self._rows.values()):
            return Refusal(SW.INS_UNKNOWN, f"instruction {ins:02X} is unknown here", "cos 3.2")
        plain = (cla & ~0x04) << 8 | ins
        if special and cla & 0x04 and (plain in self._rows or plain in _KERNEL_INS):
            return Refusal(
                SW.SM_NOT_SUPPORTED, "this command has no secure messaging form", "cos 5.3"
            )
        return Refusal(
            SW.CLA_UNKNOWN, f"class {cla:02X} is unknown for instruction {ins:02X}", "cos 5.3"
        )


def form_refusal(row: Row, command: Command) -> Refusal:
    """Return the refusal of a command whose P1, P2 or Lc its row does not take.

    Source: cos 5.3: 6A86 before 6700.
    """
    if (row.p1 is not None and command.p1 not in row.p1) or (
        row.p2 is not None and command.p2 not in row.p2
    ):
        return Refusal(
            SW.WRONG_P1P2,
            f"P1 P2 = {command.p1:02X} {command.p2:02X} are not defined for {row.name}",
            row.ref,
        )
    return Refusal(
        SW.WRONG_LENGTH, f"{len(command.data)} data bytes do not fit {row.name}", row.ref
    )
