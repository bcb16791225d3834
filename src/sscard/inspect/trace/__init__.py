"""Traces: what passed between a terminal and a card, written down, read back and explained.

JSON lines of format 1 (docs/traces.md). Recorders take them from a card, a port or a reader's
slot; secrets are masked unless somebody asks for them.
"""

from sscard.inspect.trace.entries import (
    FORMAT,
    Apdu,
    Commit,
    Entry,
    Failure,
    Header,
    Mute,
    Power,
    Random,
    Recovery,
    Refused,
    Trace,
    Write,
)
from sscard.inspect.trace.follow import Follower, Place, Step
from sscard.inspect.trace.lines import TraceError, dumps, load, loads
from sscard.inspect.trace.masking import Masker, masked_trace
from sscard.inspect.trace.octets import Octets
from sscard.inspect.trace.proofs import Prover
from sscard.inspect.trace.recorder import CardRecorder, RecordedPort, RecordedSlot, Recorder
from sscard.inspect.trace.story import story

__all__ = [
    "FORMAT",
    "Apdu",
    "CardRecorder",
    "Commit",
    "Entry",
    "Failure",
    "Follower",
    "Header",
    "Masker",
    "Mute",
    "Octets",
    "Place",
    "Power",
    "Prover",
    "Random",
    "RecordedPort",
    "RecordedSlot",
    "Recorder",
    "Recovery",
    "Refused",
    "Step",
    "Trace",
    "TraceError",
    "Write",
    "dumps",
    "load",
    "loads",
    "masked_trace",
    "story",
]
