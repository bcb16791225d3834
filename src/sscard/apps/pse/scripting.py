"""How a command of an issuer script runs (pse-pboc 2.1, 3, 4.8, 5.6).

Beside the checks of its row a script has a form of its own (a wrong length and an unknown tag
are remembered), an open session, and a MAC that starts from the first cryptogram. Whatever
happens after the MAC is counted; the handler only does what the script asks for.
"""

from collections.abc import Callable, Container
from dataclasses import replace

from sscard.apps.pse.application import Application
from sscard.apps.pse.hardening import Guard, require_allowed, tell
from sscard.apps.pse.layout import Indicator
from sscard.apps.pse.machine import TRANSACTION
from sscard.apps.pse.transaction import (
    NEXT,
    Idle,
    Online,
    Open,
    Script,
    Transaction,
    states_of,
)
from sscard.cos.domain import Domain
from sscard.cos.objects import KeyType
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import pboc

__all__ = ["MAC_LENGTH", "Session", "script"]

MAC_LENGTH = 4
"""Bytes of a script MAC; longer ones are not supported (2.2)."""
_COUNT_MAX = 15

Session = Online | Open | Script
"""The states in which scripts may come."""
Handler = Callable[[Application, Command, bytes, Session], None]
"""(application, command, its data without the MAC, the session it is in)."""
Form = Callable[[Application, Command], Refusal | None]
"""What is wrong with the form of a script on this card: a tag, a length; None if nothing."""


def exactly(length: int) -> Form:
    """A script with `length` bytes before its MAC."""

    def form(card: Application, command: Command) -> Refusal | None:
        if len(command.data) == length + MAC_LENGTH:
            return None
        return Refusal(SW.WRONG_LENGTH, f"Lc must be {length + MAC_LENGTH}", "pse-pboc 2.2")

    return form


def script(
    cla: int,
    ins: int,
    name: str,
    *,
    form: Form,
    ref: str,
    p1: Container[int] | None = (0,),
    p2: Container[int] | None = (0,),
) -> Callable[[Handler], Handler]:
    """Register a script command of the states `NEXT` gives it."""

    def register(handler: Handler) -> Handler:
        def run(domain: Domain, command: Command) -> bytes:
            card = Application(domain)
            state: Transaction = domain.session.app or Idle()
            session = _open_session(state, name)
            wrong = form(card, command)
            if wrong is not None:
                if session is not None:
                    _note(card, failed=True)
                raise wrong
            if session is None:
                raise Refusal(SW.CONDITIONS, f"no session takes {name} now", "pse-pboc 3")
            require_allowed(card, Guard.SCRIPT_MAC)
            counted = isinstance(session, Script)
            if not _mac_is_right(card, command, session):
                tell(card, Guard.SCRIPT_MAC, right=False)
                _note(card, failed=True, counted=counted)
                domain.session.app = replace(session, scripts_over=True)
                raise Refusal(SW.SM_WRONG, "the script's MAC is wrong", "pse-pboc 4.8")
            try:
                handler(card, command, command.data[:-MAC_LENGTH], session)
            except Refusal:
                domain.discard()
                tell(card, Guard.SCRIPT_MAC, right=True)
                _note(card, failed=True, counted=counted)
                raise
            tell(card, Guard.SCRIPT_MAC, right=True)
            _note(card, counted=counted)
            return b""

        TRANSACTION.command(
            cla,
            ins,
            name,
            ref=ref,
            p1=p1,
            p2=p2,
            lc=None,
            state=states_of(name),
        )(run)
        return handler

    return register


def _open_session(state: Transaction, name: str) -> Session | None:
    """The state as a session that takes scripts now; None where there is none."""
    if not isinstance(state, Session) or (type(state), name) not in NEXT:
        return None
    return None if state.scripts_over or state.issuer.failed else state


def _mac_is_right(card: Application, command: Command, session: Session) -> bool:
    """Check the MAC under SK-MAC over header, ATC, AC1 and the data as sent (4.8)."""
    header = bytes((command.cla, command.ins, command.p1, command.p2, len(command.data)))
    data, mac = command.data[:-MAC_LENGTH], command.data[-MAC_LENGTH:]
    crypto = card.domain.crypto
    key = card.script_key(KeyType.ISSUER_MAC, session.atc)
    crypto.charge_retail_mac(len(header) + 2 + len(session.ac1) + len(data))
    return crypto.same(pboc.script_mac(key, header, session.atc, session.ac1, data), mac)


def _note(card: Application, *, failed: bool = False, counted: bool = False) -> None:
    """Count a script, remember a failure, and commit with what the script did (5.5)."""
    before = counters = card.counters
    if failed:
        counters = counters.marked(Indicator.SCRIPT_FAILURE)
    if counted:
        counters = counters._replace(script_count=min(counters.script_count + 1, _COUNT_MAX))
    if counters != before:
        card.write_counters(counters)
    card.domain.commit()
