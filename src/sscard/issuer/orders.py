"""The queue of issuer scripts: sent with an answer, confirmed by a completion, sent again.

Commands of scripts may run twice without harm, so an order whose result never came is sent once
more, `tries_max` times in all. Source: pse-pboc 4.8, 5.6.
"""

import json
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from sscard.issuer import tables as t
from sscard.issuer.scripts import SCRIPT_BYTES_MAX, ScriptOrder, command, template
from sscard.keys.vault.bank import BankCard, BankVault

__all__ = ["Orders"]

_QUEUED, _SENT, _DONE, _FAILED = "queued", "sent", "done", "failed"
_PERFORMED = 2
_WAITING = (
    select(t.scripts)
    .where(
        t.scripts.c.pan == bindparam("pan"),
        t.scripts.c.psn == bindparam("psn"),
        t.scripts.c.state.in_([_QUEUED, _SENT]),
    )
    .order_by(t.scripts.c.id)
)


class Orders:
    """The orders in the books."""

    def __init__(self, vault: BankVault, tries_max: int) -> None:
        self._vault = vault
        self._tries_max = tries_max

    def add(self, connection: Connection, card: BankCard, order: ScriptOrder) -> int:
        """Enter an order; return its number, the identifier of its script."""
        body = json.dumps(order.to_json())
        row = {"pan": card.pan, "psn": card.psn, "body": body, "state": _QUEUED}
        made = connection.execute(insert(t.scripts).values(**row))
        return int(made.inserted_primary_key[0])  # type: ignore[index]

    def all(self, connection: Connection, card: BankCard) -> list[tuple[int, ScriptOrder, str]]:
        """Return a card's orders: number, order, state."""
        rows = connection.execute(self._of(card))
        return [(row.id, ScriptOrder.from_json(json.loads(row.body)), row.state) for row in rows]

    def send(
        self, connection: Connection, card: BankCard, atc: int, arqc: bytes
    ) -> tuple[list[int], bytes]:
        """Return the numbers and templates that go with an answer; 71 before 72."""
        sent: list[int] = []
        before, after = b"", b""
        asked = {"pan": card.pan, "psn": card.psn}
        for row in connection.execute(_WAITING, asked).all():
            if row.sent >= self._tries_max:
                self._set(connection, row.id, _FAILED)
                continue
            order = ScriptOrder.from_json(json.loads(row.body))
            apdu = command(order, self._vault, card, atc, arqc)
            piece = template(row.id, apdu, before=order.before)
            if len(before) + len(after) + len(piece) > SCRIPT_BYTES_MAX:
                break  # in their order: what does not fit goes next time
            if order.before:
                before += piece
            else:
                after += piece
            sent.append(row.id)
            self._set(connection, row.id, _SENT, sent=row.sent + 1)
        return sent, before + after

    def confirm(
        self, connection: Connection, card: BankCard, sent: list[int], results: tuple[bytes, ...]
    ) -> None:
        """Take down script results; only of orders that went with that answer."""
        outcomes = {int.from_bytes(result[1:], "big"): result[0] >> 4 for result in results}
        for row in connection.execute(self._of(card).where(t.scripts.c.state == _SENT)).all():
            if row.id in sent and row.id in outcomes:
                done = outcomes[row.id] == _PERFORMED
                again = _QUEUED if row.sent < self._tries_max else _FAILED
                self._set(connection, row.id, _DONE if done else again)

    @staticmethod
    def _of(card: BankCard) -> Any:
        return select(t.scripts).filter_by(pan=card.pan, psn=card.psn).order_by(t.scripts.c.id)

    @staticmethod
    def _set(connection: Connection, number: int, state: str, **values: int) -> None:
        changed = update(t.scripts).filter_by(id=number)
        connection.execute(changed.values(state=state, **values))
