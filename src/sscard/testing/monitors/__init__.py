"""Monitors: protocol properties as small automata over a trace (docs/traces.md).

They work on an emulated card, a physical one, or a recording. `monitors()` gives fresh ones.
"""

from sscard.testing.monitors.bank import AtcRises, GpoFirst, NoTcAfterAac, TwoCryptograms
from sscard.testing.monitors.monitor import Monitor, Violation, Watch, watch
from sscard.testing.monitors.social import ChallengeOnce, ReadRights, TriesFall

__all__ = [
    "AtcRises",
    "ChallengeOnce",
    "GpoFirst",
    "Monitor",
    "NoTcAfterAac",
    "ReadRights",
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
        AtcRises(),
        ChallengeOnce(),
        ReadRights(generation),
        TriesFall(),
    ]
