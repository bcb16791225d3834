"""What the model of the SSSE is made of: its answers, its switches, what it remembers.

Source: ssse-lb002 3, 4.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sscard.errors import SscardError
from sscard.iso.apdu import Command
from sscard.testing.models.ssse_tables import File

__all__ = [
    "ANY_REFUSAL",
    "DES",
    "KEY_TRIES",
    "MAC_TRIES",
    "MASTER",
    "MASTER_TRIES",
    "NAME",
    "PIN",
    "PIN_TRIES",
    "SM4",
    "Answer",
    "Contents",
    "Handler",
    "Lasting",
    "NotModelledError",
    "Policy",
    "Proof",
    "Refused",
    "Session",
]

NAME: Final = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
MASTER: Final = 0
"""The KID of a master key; `PIN` is the other proof."""
PIN: Final = "PIN"
KEY_TRIES, MASTER_TRIES, PIN_TRIES, MAC_TRIES = 14, 8, 6, 3
DES, SM4 = 0, 4

ANY_REFUSAL: Final = ("6???",)

Proof = int | str
Handler = Callable[[Command], "Answer"]


class NotModelledError(SscardError):
    """A command whose effect the model does not know: keep it out of the sequence."""


class Refused(Exception):
    """A status word other than 9000 ends a command."""

    def __init__(self, *sw: str) -> None:
        super().__init__(*sw)
        self.sw = sw


class Answer(NamedTuple):
    """What a card may answer: one of `sw`, and `data` unless None; `sw` () abstains, `why`.

    In a status word a `?` is any digit, as in APDU scripts.
    """

    sw: tuple[str, ...] = ("9000",)
    data: bytes | None = b""
    why: str = ""

    @classmethod
    def abstain(cls, why: str) -> "Answer":
        """Return an answer that accepts whatever comes."""
        return cls((), None, why)


@dataclass(frozen=True)
class Policy:
    """The switches of a card that the model knows (docs/profile-options.md).

    `update_sm` gives `mac` or `enc_mac` by (place, FID), `marker` the FCI's 9F0C86 byte.
    """

    challenge_policy: str = "last"
    sm_mode: str = "session"
    pin_sm_key: str = "STK"
    block_mode: str = "auth+STKmac"
    card_block_scope: str = "domain"
    record_le: str = "ignore"
    marker: str = ""
    update_sm: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass
class Contents:
    """A file and what it holds now: records, newest first if cyclic, or bytes.

    `known` is False once the card itself wrote what the model cannot foresee.
    """

    file: File
    records: list[bytes] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    known: bool = True


@dataclass
class Lasting:
    """What a directory keeps over a reset: its block and its two counts of failures."""

    block: str = ""
    mac_left: int = MAC_TRIES
    unblock_left: int = MAC_TRIES


@dataclass
class Session:
    """What a reset clears: where one stands, what is proved, which challenges are valid.

    `place` is SSSE, DF01.., MF, PSE, or "" where nothing is current.
    """

    place: str = "MF"
    file: Contents | None = None
    wide: set[Proof] = field(default_factory=set)
    local: set[Proof] = field(default_factory=set)
    challenges: tuple[bytes, ...] = ()
