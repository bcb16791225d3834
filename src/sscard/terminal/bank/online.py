"""Going online: messages to the host and what it answers (EMV Book 4 6.2.3, 12; pse-pboc 4.7)."""

from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Answer", "Host", "HostLink"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host answered.

    `arc` two characters (8A); `authentication` the value of tag 91, empty for none; `before`
    and `after` the values of the script templates 71 and 72; `balance` in the minor unit.
    """

    arc: bytes
    authentication: bytes = b""
    before: tuple[bytes, ...] = ()
    after: tuple[bytes, ...] = ()
    balance: int | None = None
    reference: str = ""
    request: Any = field(default=None, repr=False)


class Host(Protocol):
    """TODO."""

    def ask(self, transaction, first, block) -> Answer | None: ...


class HostLink:
    def __init__(self, host):
        self._host = host

    def ask(self, transaction, first, block):
        return self._host.ask(transaction, first, block)

    def complete(self, transaction, first, last, answer, *, approved):
        self._host.complete(transaction)

    def reverse(self, transaction, first, answer):
        self._host.reverse(transaction)
