"""Replay: the commands of a trace sent again, to any card, up to the first difference.

An emulated card is given the random values of the trace, so that challenges, and with them
cryptograms that were computed over them, are those of the recording. A physical card draws its
own: the replay stops at its first challenge, and says that this is why.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sscard.env import Env
from sscard.errors import PowerLoss, SscardError, TransportError
from sscard.inspect.explaining.answers import explain_answer
from sscard.inspect.explanation import Explanation
from sscard.inspect.trace import (
    Apdu,
    Failure,
    Follower,
    Octets,
    Power,
    Random,
    Step,
    Trace,
    TraceError,
)
from sscard.iso.sw import SW
from sscard.transport.port import Port

__all__ = ["Difference", "Replay", "compare_answers", "replay"]

_CHALLENGE = 0x84


class Difference(NamedTuple):
    """The first place where a card did something else than the trace says.

    `entry` counts the entries of the trace from 1 (its line is one more); `expected` and `seen`
    are answers, or what happened instead; `why` says in words what differs.
    """

    entry: int
    command: str
    expected: str
    seen: str
    why: str

    def __str__(self) -> str:
        return (
            f"line {self.entry + 1}: {self.command}\n  expected {self.expected}\n"
            f"  seen     {self.seen}\n  {self.why}"
        )


class Replay(NamedTuple):
    """How a replay went: commands sent, the first difference or None."""

    sent: int
    difference: Difference | None


def replay(trace: Trace, port: Port, *, env: Env | None = None, atr: bytes = b"") -> Replay:
    """Send a trace's commands to a card that was just powered on, until something differs.

    `env` is the environment of an emulated card: it is given the random values of the trace.
    `atr` is the answer to reset of that power-on, compared when given. A relay's edited commands
    are replayed as the card got them. Times and EEPROM operations are not compared.
    Errors: TraceError where the trace is masked; `TransportError` before the first command.
    """
    return _Player(trace, port, env, atr).run()


class _Player:
    def __init__(self, trace: Trace, port: Port, env: Env | None, atr: bytes) -> None:
        self._trace = trace
        self._port = port
        self._env = env
        self._atr = atr
        self._powered = False
        self._drawn: list[bytes] = []
        self._follower = Follower()
        self._told = any(isinstance(entry, Random) for entry in trace.entries)

    def run(self) -> Replay:
        sent = 0
        for number, entry in enumerate(self._trace.entries, 1):
            difference: Difference | None = None
            step = self._follower.see(entry)
            if isinstance(entry, Power):
                difference = self._power(number, entry)
            elif isinstance(entry, Random):
                self._drawn.append(entry.value)
            elif isinstance(entry, Apdu) and step is not None:
                sent += 1
                difference = self._exchange(number, step)
            elif isinstance(entry, Failure):
                raise TraceError(
                    f"line {number + 1}: this command was never answered ({entry.error}): what"
                    " the card did with it is not known, so the replay ends here"
                )
            if difference is not None:
                return Replay(sent, difference)
        return Replay(sent, None)

    def _power(self, number: int, entry: Power) -> Difference | None:
        if entry.change == "off":
            return None
        if self._env is not None:
            self._env.forced.clear()
        self._drawn.clear()
        atr = self._port.reset() if self._powered else self._atr
        self._powered = True
        if not (entry.atr and atr) or entry.atr == atr:
            return None
        expected, seen = entry.atr.hex().upper(), atr.hex().upper()
        return Difference(
            number, f"power {entry.change}", expected, seen, "another answer to reset"
        )

    def _exchange(self, number: int, step: Step) -> Difference | None:
        entry = step.apdu
        command, response = entry.sent or entry.command, entry.answered or entry.response
        if not command.whole:
            raise TraceError(
                f"line {number + 1}: the command {command} is masked and cannot be sent: record"
                " with --show-secrets"
            )
        self._force(step, response)
        self._powered = True
        try:
            seen = self._port.transmit(command.data)
        except (PowerLoss, TransportError) as error:
            return Difference(number, str(command), str(response), "no answer", str(error))
        except SscardError as error:  # a random number of another length than in the trace
            return Difference(number, str(command), str(response), "no answer", str(error))
        why = compare_answers(step, response, seen)
        left = len(self._env.forced) if self._env is not None else 0
        if not why and left:
            why = f"the card drew {left} random values less than when it was recorded"
        if not why:
            return None
        if self._env is None and step.command is not None and step.command.ins == _CHALLENGE:
            why += "; a card that is not emulated draws its own random numbers"
        return Difference(number, str(command), str(response), _like(seen, response), why)

    def _force(self, step: Step, response: Octets) -> None:
        """Give the card the random values it drew; from outside, challenges alone are known."""
        if self._env is None:
            return
        drawn, self._drawn = self._drawn, []
        challenge = step.command is not None and step.command.ins == _CHALLENGE
        if not self._told and challenge and step.sw == SW.OK and response.whole:
            drawn = [response.data[:-2]]
        self._env.forced[:] = drawn


def compare_answers(step: Step, expected: Octets, seen: bytes) -> str:
    """Say in words how an answer differs from the expected one; "" when it does not.

    Masked bytes are equal to anything of the same length.
    """
    if len(seen) < 2 or len(expected) < 2:
        return "" if seen == expected.data else "an answer without a status word"
    wanted, got = SW.of(expected.data), SW.of(seen)
    if wanted != got:
        return f"{got} {got.meaning}, not {wanted} {wanted.meaning}{_rule(step)}"
    if len(seen) != len(expected):
        return f"{len(seen) - 2} bytes of data, not {len(expected) - 2}"
    places = list(expected.differences(seen))
    if not places:
        return ""
    named = _named(step, expected, seen) if expected.whole else ""
    spot = f"data differ in {len(places)} bytes, first at {places[0]}"
    return f"{spot}: {named}" if named else spot


def _rule(step: Step) -> str:
    refused = step.apdu.refused
    return "" if refused is None else f"; it was refused because {refused.why} ({refused.ref})"


def _named(step: Step, expected: Octets, seen: bytes) -> str:
    """Return the labels of the smallest pieces that differ, in the order of the answer."""
    where = step.before
    trees = [
        explain_answer(data, step.answers, where.domain, where.directory)
        for data in (expected.data, seen)
    ]
    return ", ".join(dict.fromkeys(_different(*trees)))


def _different(one: Explanation, other: Explanation) -> Iterator[str]:
    if [part.label for part in one.parts] == [part.label for part in other.parts] and one.parts:
        for mine, theirs in zip(one.parts, other.parts, strict=True):
            yield from _different(mine, theirs)
    elif (one.raw, one.value) != (other.raw, other.value):
        yield one.label


def _like(seen: bytes, expected: Octets) -> str:
    """Show an answer, but what was masked in the expected one."""
    return str(Octets(seen).mask(at for at in expected.hidden if at < len(seen)))
