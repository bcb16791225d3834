"""Monitors: protocol properties as small automata over a trace (docs/traces.md).

They work on an emulated card, a physical one, or a recording. `monitors()` gives fresh ones.
"""

from sscard.testing.monitors.bank import (
    AtcRises,
    GpoFirst,
    NoTcAfterAac,
    ScriptsInSession,
    TwoCryptograms,
)
from sscard.testing.monitors.monitor import Monitor, Violation, Watch, watch
from sscard.testing.monitors.social import ChallengeOnce, FreshChallenges, ReadRights, TriesFall

__all__ = [
    "AtcRises",
    "ChallengeOnce",
    "FreshChallenges",
    "GpoFirst",
    "Monitor",
    "NoTcAfterAac",
    "ReadRights",
    "ScriptsInSession",
    "TriesFall",
    "TwoCryptograms",
    "Violation",
    "Watch",
    "monitors",
    "watch",
]


def monitors(generation: str | None = None) -> list[Monitor]:
    """Return one of each monitor; `generation` is the card's (v1, v2, v3), None if not known."""
    return [
        GpoFirst(),
        TwoCryptograms(),
        NoTcAfterAac(),
        ScriptsInSession(),
        AtcRises(),
        ChallengeOnce(),
        FreshChallenges(),
        ReadRights(generation),
        TriesFall(),
    ]
