"""The working keys of a PSAM and what a session holds of one (cos 7.2, 7.3).

A key is named by its usage byte and its id. What leads from it to the card's key, the factors,
comes with each command, innermost first. The temporary key lives in session RAM, in the state
of the computation it is for; it dies with that state.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from sscard.cos.domain import Domain
from sscard.cos.objects import KeyRecord
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.sw import SW
from sscard.keys.sam import FACTOR, TemporaryKey, lead_down
from sscard.spec.psam import Use

__all__ = [
    "Chaining",
    "Enciphering",
    "Purchasing",
    "Ready",
    "Temporary",
    "become",
    "card_key",
    "held",
    "visible_keys",
]


@dataclass(frozen=True, slots=True)
class Temporary:
    """A session with a temporary key, made of a key that is for `use`."""

    key: TemporaryKey
    use: Use


@dataclass(frozen=True, slots=True)
class Ready(Temporary):
    """After INIT SESSION or INIT_FOR_DESCRYPT: DES_CRYPT may begin."""


@dataclass(frozen=True, slots=True)
class Enciphering(Temporary):
    """More blocks to encipher will come."""


@dataclass(frozen=True, slots=True)
class Chaining(Temporary):
    """A MAC is under way; `state` is its last cipher block."""

    state: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Purchasing:
    """Between INIT_SAM_FOR_PURCHASE and CREDIT_SAM_FOR_PURCHASE.

    Shapes: `session_key` 8 bytes; `key` the purchase key, whose try counter guards MAC2.
    """

    session_key: bytes
    amount_fen: int
    key: KeyRecord

    def __repr__(self) -> str:
        return f"<Purchasing {self.amount_fen} fen>"


_State = TypeVar("_State", Temporary, Purchasing)


def held(domain: Domain, kind: type[_State], ref: str) -> _State:
    """Return the session's state if it is of a kind; 6985 otherwise."""
    state = domain.session.app
    if not isinstance(state, kind):
        raise Refusal(SW.CONDITIONS, "no computation of this kind was begun", ref)
    return state


def become(domain: Domain, state: Temporary | Purchasing | None) -> Callable[[], None]:
    """Return the action that puts the session into a state."""

    def action() -> None:
        domain.session.app = state

    return action


def visible_keys(domain: Domain) -> Iterator[KeyRecord]:
    """Yield the keys of the current directory, then those of the MF (F8)."""
    here: FileNode | None = domain.directory
    while here is not None:
        yield from domain.keys.records(here)
        here = here.parent


def card_key(domain: Domain, key: KeyRecord, factors: bytes) -> TemporaryKey:
    """Lead a key down to the card's; `factors` are whole factors, innermost first."""
    domain.crypto.charge(key.algorithm, 2 * len(factors))
    each = [factors[at : at + FACTOR] for at in range(0, len(factors), FACTOR)]
    return lead_down(key.algorithm, key.value, each)
