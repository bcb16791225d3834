"""The debit transaction: its states and which command leads where (pse-pboc 3).

Every state is a type that holds what is legal in it, no more: a second GENERATE AC without a
first has nothing to receive. `NEXT` is the whole machine; what has no row there is 6985. The
diagram in `docs/` is generated from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sscard.apps.pse.cvr import Cvr
from sscard.apps.pse.risk import Aip, Issuer, Verdict
from sscard.keys.cps import ChannelKeys

__all__ = [
    "NEXT",
    "SCRIPTS",
    "Channel",
    "Finished",
    "Greeting",
    "Idle",
    "Initiated",
    "Online",
    "Open",
    "Quick",
    "Script",
    "Selected",
    "Transaction",
    "states_of",
]

_NO_RESULTS = Cvr(0)
_SILENT = Issuer()


@dataclass(frozen=True, slots=True)
class Greeting:
    """INITIALIZE UPDATE was answered: what the host has to prove itself with (9.1).

    Shapes: `host_random` 8 bytes, `card_random` 6, `sequence` the number of the session.
    """

    keys: ChannelKeys
    host_random: bytes
    sequence: int
    card_random: bytes


@dataclass(frozen=True, slots=True)
class Channel:
    """The secure channel is open: session keys, level 00, 01 or 03, the last C-MAC (9.1)."""

    keys: ChannelKeys
    level: int
    last_mac: bytes


@dataclass(frozen=True, slots=True)
class Idle:
    """No debit application is in use: the PSE directory, or one still being personalised.

    `block` is the number the next STORE DATA block must have, `rest` the beginning of a DGI
    that goes on in it (9.2); `channel` is the secure channel, if one is open or being opened.
    """

    block: int = 0
    rest: bytes = field(default=b"", repr=False)
    channel: Greeting | Channel | None = None


@dataclass(frozen=True, slots=True)
class Selected:
    """A personalised application is selected."""


@dataclass(frozen=True, slots=True)
class Initiated:
    """GPO has opened a transaction: its ATC, the AIP it was answered, the terminal's PDOL data.

    `cvr` collects what VERIFY and INTERNAL AUTHENTICATE leave; `pin_exceeded`: the last PIN
    try went in this transaction; `cash`: it is one of electronic cash (6.1).
    """

    atc: int
    profile: bytes
    pdol_data: bytes = b""
    cvr: Cvr = _NO_RESULTS
    pin_exceeded: bool = False
    cash: bool = False

    @property
    def aip(self) -> Aip:
        """What byte 1 of the AIP says the application can do."""
        return Aip(self.profile[0])


@dataclass(frozen=True, slots=True)
class Online:
    """The first GENERATE AC answered ARQC: `ac1`, from which ARPC and script MACs start.

    `cdol1_values` are those of its data by tag, as the list then was: a script may change it.
    `scripts_over`, here and in the states that follow: a script's MAC was wrong, and no other
    is taken in this session (section 3).
    """

    atc: int
    profile: bytes
    pdol_data: bytes
    cdol1_data: bytes
    cdol1_values: Mapping[int, bytes] = field(repr=False)
    ac1: bytes
    cvr: Cvr
    issuer: Issuer = _SILENT
    scripts_over: bool = False

    @property
    def aip(self) -> Aip:
        """What byte 1 of the AIP says the application can do."""
        return Aip(self.profile[0])


@dataclass(frozen=True, slots=True)
class Open:
    """The first GENERATE AC answered AAC or TC, of a blocked application or without PIN tries.

    The session stays open for EXTERNAL AUTHENTICATE over that cryptogram and for the scripts
    that unblock; there is no second GENERATE AC. Section 3 calls it ONLINE as well.
    """

    atc: int
    ac1: bytes
    issuer: Issuer = _SILENT
    scripts_over: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """The second GENERATE AC has been answered; scripts may follow."""

    atc: int
    ac1: bytes
    issuer: Issuer
    scripts_over: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """The first GENERATE AC answered TC or AAC, and that was all."""


@dataclass(frozen=True, slots=True)
class Quick:
    """GPO has answered a whole transaction of qPBOC (6.2); the terminal reads records.

    `last`: SFI and number of the AFL's last record, whose reading makes the approval `waiting`
    final; `terms` the PDOL data; `signature` for the record that carries it.
    """

    last: tuple[int, int]
    terms: bytes
    waiting: Verdict | None = None
    signature: bytes = b""


Transaction = Idle | Selected | Initiated | Online | Open | Script | Finished | Quick

SCRIPTS = (
    "APPLICATION BLOCK",
    "APPLICATION UNBLOCK",
    "CARD BLOCK",
    "PIN CHANGE/UNBLOCK",
    "PUT DATA",
    "UPDATE RECORD",
)
"""The commands of issuer scripts (2.2)."""

NEXT: Mapping[tuple[type[Transaction], str], frozenset[type[Transaction]]] = MappingProxyType(
    {
        (Selected, "GET PROCESSING OPTIONS"): frozenset({Initiated, Quick, Finished}),
        (Initiated, "VERIFY"): frozenset({Initiated}),
        (Initiated, "INTERNAL AUTHENTICATE"): frozenset({Initiated}),
        (Initiated, "GENERATE AC"): frozenset({Online, Open, Finished}),
        (Online, "EXTERNAL AUTHENTICATE"): frozenset({Online}),
        (Online, "GENERATE AC"): frozenset({Script}),
        (Open, "EXTERNAL AUTHENTICATE"): frozenset({Open}),
        **{
            (state, name): frozenset({state})
            for state in (Online, Open, Script)
            for name in SCRIPTS
        },
    }
)
"""(state, command) -> the states it may lead to. SELECT of an application leads to SELECTED
from everywhere; READ RECORD, GET DATA and GET CHALLENGE are legal everywhere and lead nowhere."""


def states_of(command: str) -> frozenset[type[Transaction]]:
    """Return the states that a command belongs into, by its name."""
    return frozenset(state for state, name in NEXT if name == command)
