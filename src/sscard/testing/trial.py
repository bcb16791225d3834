"""Commands taken down: what one did to the EEPROM, and how to get to where it can be sent again.

A trial is a command that ran once, undisturbed, with its primitive operations recorded; the
sweeps of `sscard.testing.tear` make every torn image from it. Source: cos 1.2.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sscard.card import Activation, Card, Interface, Snapshot
from sscard.cos.eeprom import Operation
from sscard.testing.script import Apdu, RandomLine, Script

__all__ = ["Step", "Trial", "from_log", "operations", "record", "steps", "trials"]

_GET_CHALLENGE = b"\x84"
_SELECT, _AUTHENTICATE, _VERIFY = 0xA4, 0x82, 0x20
_STORE_DATA = b"\x80\xe2"
_DONE = (b"\x90", b"\x61", b"\x62")


class Step(NamedTuple):
    """One command of a session; `challenge` is the random number it answers, fetched before it."""

    apdu: bytes
    challenge: bytes = b""
    name: str = ""

    def send(self, card: Card, activation: Activation) -> bytes:
        """Have the card draw the challenge, if there is one, then send; return the response."""
        if self.challenge:
            card.env.force_random(self.challenge)
            activation.transmit(b"\0" + _GET_CHALLENGE + bytes((0, 0, len(self.challenge))))
        return activation.transmit(self.apdu)


class Trial(NamedTuple):
    """One command, run undisturbed and taken down: all that a sweep needs.

    `session` leads a card that was just powered to where the command may be sent again.
    """

    step: Step
    session: tuple[Step, ...]
    before: bytes
    operations: tuple[Operation, ...]
    after: bytes
    response: bytes

    @property
    def done(self) -> bool:
        """Whether the card did what the command asked, rather than refuse it."""
        return self.response[-2:-1] in _DONE


def steps(script: Script) -> Iterator[Step]:
    """Yield the commands of an APDU script; a challenge drawn after a `random` line is folded in.

    Other lines of the script are passed over.
    """
    challenge = b""
    for line in script.lines:
        if isinstance(line, RandomLine):
            challenge = line.values[-1]
        elif isinstance(line, Apdu) and not (challenge and line.command[1:2] == _GET_CHALLENGE):
            yield Step(line.command, challenge, line.name)
            challenge = b""


def from_log(log: Iterable[tuple[bytes, bytes]]) -> Iterator[Step]:
    """Yield the commands of a session that was logged as (APDU, response), challenges folded in.

    They can be sent again to any card in the same state, whatever its generators draw.
    """
    challenge = b""
    for apdu, response in log:
        if apdu[1:2] == _GET_CHALLENGE:
            challenge = response[:-2]
        else:
            yield Step(apdu, challenge)
            challenge = b""


def record(
    before: Snapshot, session: Iterable[Step], step: Step, *, interface: Interface = "contact"
) -> Trial:
    """Run `session` and then `step` on a card fresh from a snapshot and take the step down."""
    card = before.fork()
    activation = card.power_on(interface=interface)
    prelude = tuple(session)
    for earlier in prelude:
        earlier.send(card, activation)
    return _record(card, activation, prelude, step)


def operations(before: Snapshot, session: Iterable[Step], step: Step) -> int:
    """Return how many primitive EEPROM operations a command makes."""
    return len(record(before, session, step).operations)


def trials(before: Snapshot, steps: Iterable[Step]) -> Iterator[Trial]:
    """Run a long session and yield a trial for every step that writes.

    The session that leads to a step again is made of the selections and proofs since the last
    selection of an MF or DDF, as far as they still hold (cos 2.3, F5), and of the STORE DATA
    blocks before it, which begin anew with the power (pse-pboc 9.2).
    """
    card = before.fork()
    activation = card.power_on()
    prelude: list[Step] = []
    for step in steps:
        trial = _record(card, activation, tuple(prelude), step)
        if trial.operations:
            yield trial
        _remember(prelude, activation, trial)


def _record(card: Card, activation: Activation, session: tuple[Step, ...], step: Step) -> Trial:
    before = card.image
    with card.eeprom.recording() as log:
        response = step.send(card, activation)
    return Trial(step, session, before, tuple(log), card.image, response)


def _remember(prelude: list[Step], activation: Activation, trial: Trial) -> None:
    """Keep in `prelude` what a new session must repeat to stand where this one stands."""
    domain = activation.kernel.current
    if domain is None or not trial.done:
        return
    ins, session = trial.step.apdu[1], domain.session
    if ins == _SELECT:
        here = session.directory
        if session.file is None and (here is None or here.parent is None):
            prelude.clear()
        prelude.append(trial.step)
    elif ins in (_AUTHENTICATE, _VERIFY) or trial.step.apdu[:2] == _STORE_DATA:
        prelude.append(trial.step)
    elif not session.environment_mask | session.directory_mask:
        prelude[:] = [step for step in prelude if step.apdu[1] == _SELECT]
