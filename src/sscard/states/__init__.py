"""Cards in the states a tester needs: blocked, expired, counterfeit, not yet personalised.

Where a state is a matter of data it changes the card's profile before the card is made; where it
only comes from use, the card is made and then used, with its own commands. Either way any card
profile with the SSSE, or for the states of the bank (`pse-..`) with a debit application, may
stand below.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sscard.card import Card
from sscard.env import Env
from sscard.errors import ProfileError
from sscard.states.bank import BANK_STATES
from sscard.states.social import SOCIAL_STATES
from sscard.states.state import Overrides, State

__all__ = ["BANK_STATES", "SOCIAL_STATES", "STATES", "State", "card_in_state"]

STATES: Final[Mapping[str, State]] = MappingProxyType({**SOCIAL_STATES, **BANK_STATES})
"""The states by name."""


def card_in_state(
    state: str,
    profile: str = "sample",
    overrides: Overrides | None = None,
    *,
    env: Env | None = None,
) -> Card:
    """Return a card of a profile in one of `STATES`, without power.

    `profile` is a shipped one or a path, `overrides` go over the state's own values. Errors:
    ProfileError for an unknown state, or one that a card of this profile cannot come to.
    """
    if state not in STATES:
        raise ProfileError(f"there is no state {state}; there are: {', '.join(STATES)}")
    return STATES[state].make(profile, overrides or {}, env)
