"""The switch `pse_failures_max`: too many wrong MACs or ARPCs in a row, and no more are taken.

The reference has seen it in one implementation and leaves it off (pse-pboc 3, 14 #10). The
numbers stand in two bytes of EF90, counted down from FF, so that a card without the switch
never writes them.
"""

from enum import IntEnum

from sscard.apps.pse.application import DATA_FILE, Application
from sscard.apps.pse.layout import FAILURES_AT
from sscard.cos.refusal import Refusal
from sscard.iso.sw import SW

__all__ = ["Guard", "require_allowed", "tell"]

_NONE = 0xFF


class Guard(IntEnum):
    """What is counted; the value is the place in `FAILURES_AT`."""

    SCRIPT_MAC = 0
    ARPC = 1


def _limit(card: Application) -> int | None:
    choice = card.domain.options["pse_failures_max"]
    return None if choice == "off" else int(choice)


def _address(card: Application, guard: Guard) -> int:
    return card.file(DATA_FILE).body + FAILURES_AT + guard


def require_allowed(card: Application, guard: Guard) -> None:
    """Refuse with 6985 for good once the limit is reached."""
    limit = _limit(card)
    if limit is not None and _NONE - card.domain.store.byte(_address(card, guard)) >= limit:
        raise Refusal(SW.CONDITIONS, f"{limit} in a row were wrong", "pse-pboc 3")


def tell(card: Application, guard: Guard, *, right: bool) -> None:
    """Put a result into the transaction: one more in a row, or none."""
    if _limit(card) is None:
        return
    store, address = card.domain.store, _address(card, guard)
    held = store.byte(address)
    after = _NONE if right else max(held - 1, 0)
    if after != held:
        store.write(address, bytes((after,)))
