"""Waiting for cards in readers in process, where pyscard asks PC/SC.

Source: pcsc, "pyscard facts".
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from smartcard import scard
from smartcard.AbstractCardRequest import AbstractCardRequest
from smartcard.Card import Card
from smartcard.Exceptions import CardConnectionException, CardRequestTimeoutException

from sscard.transport.pyscard_reader.connection import VirtualReader

__all__ = ["VirtualCardRequest", "either_request"]

_POLL_S = 0.02


class VirtualCardRequest(AbstractCardRequest):  # type: ignore[misc]
    """`CardRequest` over readers in process: it looks at their slots instead of asking PC/SC."""

    readers: ClassVar[Callable[[], tuple[VirtualReader, ...]]] = tuple

    def __init__(self, *args: Any, **words: Any) -> None:
        super().__init__(*args, **words)
        self._seen: dict[str, int] = {}

    def _watched(self) -> list[VirtualReader]:
        known = {one.name: one for one in type(self).readers()}
        asked = known if self.readersAsked is None else [str(one) for one in self.readersAsked]
        return [known[name] for name in asked if name in known]

    def _until(self, look: Callable[[], Any]) -> Any:
        end = None if self.timeout is None else time.monotonic() + self.timeout
        while True:
            found = look()
            if found is not None:
                return found
            if end is not None and time.monotonic() >= end:
                raise CardRequestTimeoutException(hresult=scard.SCARD_E_TIMEOUT)
            time.sleep(_POLL_S)

    def waitforcard(self) -> Any:
        """Return a service on the first card of the type asked for."""
        old = {one.name: one.slot.state.changes for one in self._watched()}

        def look() -> Any:
            for one in self._watched():
                atr, changes = one.slot.state
                if atr is None or (self.newcardonly and old.get(one.name) == changes):
                    continue
                if self.cardType.matches(list(atr), one):
                    return self.cardServiceClass(one.createConnection())
            return None

        return self._until(look)

    def waitforcardevent(self) -> list[Any]:
        """Return the cards that are in once one has come or gone since the last call."""

        def look() -> list[Any] | None:
            states = {one.name: one.slot.state for one in self._watched()}
            changes = {name: state.changes for name, state in states.items()}
            if changes == self._seen:
                return None
            self._seen = changes
            return [Card(name, list(s.atr)) for name, s in states.items() if s.atr is not None]

        return list(self._until(look))

    def release(self) -> None:
        """Nothing is held between two calls."""


def either_request(ours: Any, theirs: Any, readers: tuple[VirtualReader, ...]) -> Any:
    """Return what makes a card request of the kind its readers are of."""
    names = {reader.name for reader in readers}

    def request(
        newcardonly: bool = False,
        readers: Sequence[Any] | None = None,
        cardType: Any = None,  # noqa: N803  # pyscard's names
        cardServiceClass: Any = None,  # noqa: N803
        timeout: float | None = 1,
    ) -> Any:
        asked = {str(reader) for reader in readers or ()}
        if asked & names and asked - names:
            raise CardConnectionException(
                "a CardRequest waits for readers in process or for those of PC/SC, not for both:"
                " make two, or use installed(..., alone=True)"
            )
        made = ours if asked & names else theirs
        return made(newcardonly, readers, cardType, cardServiceClass, timeout)

    return request
