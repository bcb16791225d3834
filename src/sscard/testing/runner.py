"""Running APDU scripts against any port: a card in memory, or one in a real reader.

Only `eeprom` and `random` lines need more than a reader gives; who runs the script says how.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple, Protocol

from sscard.errors import ScriptError
from sscard.iso.sw import SW
from sscard.testing.script import (
    Apdu,
    CardLine,
    EepromLine,
    Exit,
    Expect,
    Line,
    RandomLine,
    Reset,
    Script,
    render,
)

__all__ = ["Outcome", "Rig", "ScriptPort", "check", "run"]


class ScriptPort(Protocol):
    """What a script needs of a card: `transport.port.Port` and an activation both fit."""

    def transmit(self, apdu: bytes, /) -> bytes:
        """Return the response (data, then SW1 SW2) to one command APDU."""
        ...

    def reset(self) -> bytes | None:
        """Reset the card; return its answer to reset, if the port knows it."""
        ...


class Rig(NamedTuple):
    """A card on the bench: its port, and ways past the port for those who have them.

    `eeprom` gives the value stored under a path, an int, bytes or text; `force_random` queues
    a random number.
    """

    port: ScriptPort
    eeprom: Callable[[str], object] | None = None
    force_random: Callable[[bytes], object] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a line did: whether it passed, the response if it sent something, why it failed.

    `skipped` lines (a `card` line where no card can be made) count as passed.
    """

    line: Line
    passed: bool
    response: bytes | None = None
    message: str = ""
    skipped: bool = False


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}


def run(
    script: Script,
    rig: Rig | ScriptPort | None = None,
    *,
    make_card: Callable[[str, Mapping[str, str]], Rig] | None = None,
) -> list[Outcome]:
    """Run every line, also after a failure; return one outcome per statement.

    `make_card` serves `card` lines (profile, settings); without it they are skipped, and the
    card at hand must do. A reader's 61xx and 6Cxx are followed unless the line expects them.
    Errors: ScriptError when a line cannot be run at all here; see `check` for failures.
    """
    bench = rig if isinstance(rig, Rig) or rig is None else Rig(rig)
    outcomes = []
    for line in script.lines:
        if isinstance(line, Exit):
            break
        if isinstance(line, CardLine):
            if make_card is not None:
                bench = make_card(line.profile, dict(line.settings))
            skipped = make_card is None
            outcomes.append(Outcome(line, True, skipped=skipped))
        elif isinstance(line, Apdu | Reset | RandomLine | EepromLine):
            if bench is None:
                raise ScriptError(f"{_place(script, line)}: no card yet; begin with a `card` line")
            outcomes.append(_outcome(script, line, bench))
    return outcomes


def check(script: Script, outcomes: list[Outcome]) -> None:
    """Raise ScriptError for the first line that failed, with its place and what came."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if failed:
        first = failed[0]
        text = render(Script((first.line,))).strip()
        raise ScriptError(
            f"{_place(script, first.line)}: {first.message}\n    {text}"
            + (f"\n({len(failed)} lines failed)" if len(failed) > 1 else "")
        )


def _outcome(script: Script, line: Apdu | Reset | RandomLine | EepromLine, bench: Rig) -> Outcome:
    if isinstance(line, Apdu):
        response = _exchange(bench.port, line.command, line.expect)
        if line.expect is None or line.expect.matches(response):
            return Outcome(line, True, response)
        sw = SW.of(response)
        data = response[:-2].hex().upper()
        return Outcome(line, False, response, f"got {data} {sw} ({sw.meaning})".replace("  ", " "))
    if isinstance(line, Reset):
        atr = bench.port.reset()
        passed = atr is None or line.matches(atr)
        return Outcome(line, passed, atr, "" if passed else f"got {(atr or b'').hex().upper()}")
    if isinstance(line, RandomLine):
        if bench.force_random is None:
            raise ScriptError(f"{_place(script, line)}: this card's random numbers are its own")
        for value in line.values:
            bench.force_random(value)
        return Outcome(line, True)
    if bench.eeprom is None:
        raise ScriptError(f"{_place(script, line)}: this card's EEPROM cannot be looked into")
    try:
        stored = bench.eeprom(line.path)
    except ScriptError as wrong:
        raise ScriptError(f"{_place(script, line)}: {wrong}") from None
    passed = _COMPARE[line.operator](stored, _literal(script, line, stored))
    return Outcome(line, passed, message="" if passed else f"{line.path} is {_shown(stored)}")


def _exchange(port: ScriptPort, command: bytes, expect: Expect | None) -> bytes:
    """Send a command; where the line expects an answer, follow the T=0 forms to it."""
    response = port.transmit(command)
    if expect is None or expect.matches(response):
        return response
    if response[-2] == 0x6C and len(command) >= 5:
        response = port.transmit(command[:4] + response[-1:])
    data = b""
    while response[-2] == 0x61 and not expect.matches(data + response):
        data += response[:-2]
        response = port.transmit(bytes((0x00, 0xC0, 0x00, 0x00, response[-1])))
    return data + response


def _literal(script: Script, line: EepromLine, value: object) -> object:
    """Return the line's literal as the kind of value that is stored."""
    try:
        if isinstance(value, bool):
            return {"true": True, "false": False}[line.value.lower()]
        if isinstance(value, int):
            return int(line.value, 0)
        if isinstance(value, bytes):
            return bytes.fromhex(line.value)
    except (KeyError, ValueError):
        raise ScriptError(
            f"{_place(script, line)}: {line.value!r} cannot be compared with {_shown(value)}"
        ) from None
    return line.value


def _shown(value: object) -> str:
    return value.hex().upper() if isinstance(value, bytes) else str(value)


def _place(script: Script, line: Line) -> str:
    return f"{script.source}:{line.number}"
