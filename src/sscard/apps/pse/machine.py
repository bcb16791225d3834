"""How a command of the debit transaction runs: form, length, state, handler, commit (pse-pboc 2.1).

Handlers are pure in the transaction state: they get the one they belong to and return a `Step`
with the next. The order of checks is that of 2.1: the row's P1, P2 and Lc (the kernel), a Lc
that depends on the application's data, then the state.
"""

from collections.abc import Callable, Container
from typing import Any, NamedTuple

from sscard.apps.pse.application import Application
from sscard.apps.pse.transaction import NEXT, Idle, Transaction, states_of
from sscard.cos.commands import NO_DATA, CommandTable
from sscard.cos.domain import Domain
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["TRANSACTION", "Step", "transaction"]

TRANSACTION = CommandTable("debit transaction")
"""The commands that belong into certain states."""


class Step(NamedTuple):
    """What a command did: its answer and the state it leaves.

    `refusal`: the command failed and yet left something, in the state or in the EEPROM.
    """

    data: bytes
    then: Transaction
    refusal: Refusal | None = None


Handler = Callable[[Application, Command, Any], Step]
"""(application, command, the state it is in) -> what it did."""


def transaction(
    cla: int,
    ins: int,
    name: str,
    *,
    ref: str,
    p1: Container[int] = (0,),
    p2: Container[int] = (0,),
    lc: Container[int] | Callable[[Application, Command], int] | None = NO_DATA,
    form: Callable[[Application, Command], None] | None = None,
    anywhere: str = "",
) -> Callable[[Handler], Handler]:
    """Register a command of the transaction; its states are those of `NEXT`.

    Shapes: `lc` as in `CommandTable.command`, or a function that knows the length from the
    application's data and P2; None where it depends on the state, and the handler checks it.
    `form` refuses what only an option makes wrong in P1 and P2, before anything else.
    `anywhere` is an option whose value "any" makes the command legal in every state.
    """
    length = lc if callable(lc) else None

    def register(handler: Handler) -> Handler:
        def run(domain: Domain, command: Command) -> bytes:
            card = Application(domain)
            if form is not None:
                form(card, command)
            if length is not None and len(command.data) != length(card, command):
                raise Refusal(SW.WRONG_LENGTH, f"Lc must be {length(card, command)}", ref)
            state: Transaction = domain.session.app or Idle()
            legal = NEXT.get((type(state), name))
            if legal is None and anywhere and not isinstance(state, Idle):
                legal = frozenset((type(state),)) if domain.options[anywhere] == "any" else None
            if legal is None:
                where = type(state).__name__.lower()
                raise Refusal(SW.CONDITIONS, f"{name} has no place in state {where}", "pse-pboc 3")
            step = handler(card, command, state)
            assert type(step.then) in legal or (step.refusal and type(step.then) is type(state))
            domain.commit()
            domain.session.app = step.then
            if step.refusal is not None:
                raise step.refusal
            return step.data

        TRANSACTION.command(
            cla,
            ins,
            name,
            ref=ref,
            p1=p1,
            p2=p2,
            lc=None if callable(lc) else lc,
            state=states_of(name),
        )(run)
        return handler

    return register
