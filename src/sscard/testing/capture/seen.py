"""What a capture has seen of a card, kept while it is being read."""

from dataclasses import dataclass, field

from sscard.iso.sw import SW
from sscard.spec.pboc import DEBIT_AID

__all__ = ["BankCapture", "Capture", "SocialCapture"]


@dataclass(slots=True)
class SocialCapture:
    """What the social security environment gave.

    `guessed`: the card does not tell its generation; `national`: its keys are for SSF33. `records`
    are those of a file by directory and file, `contents` whole transparent files; `partial` are
    files that gave some of their records only, `hidden` cyclic ones that gave none and want a
    proof, with how many records there are, 0 when the card does not tell; `rules` are read rules
    that the card has otherwise than its generation's table; `names` are those of directories that
    the table calls otherwise; `missing` are directories and files the table has and the card has
    not. `blocked` are directories whose SELECT says that they are, with what a read in them
    answers. `tries` are those the PIN has left, None when the card does not tell.
    """

    generation: str = "v2"
    guessed: bool = False
    national: bool = False
    region: str = ""
    records: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)
    contents: dict[tuple[int, int], bytes] = field(default_factory=dict)
    partial: list[tuple[int, int]] = field(default_factory=list)
    hidden: dict[tuple[int, int], int] = field(default_factory=dict)
    rules: dict[tuple[int, int], str] = field(default_factory=dict)
    names: dict[int, bytes] = field(default_factory=dict)
    missing: list[tuple[int, int]] = field(default_factory=list)
    blocked: dict[int, SW] = field(default_factory=dict)
    tries: int | None = None


@dataclass(slots=True)
class BankCapture:
    """What the bank's application gave.

    `directory` are the records of the PSE by SFI and number, `fci` and `directory_fci` the A5
    templates, `records` those of the application, `elements` values of GET DATA by tag, `log`
    SFI and number of records. `aip` and `afl` are empty when no transaction was begun, `others`
    further AIDs of the directory, `refused` is what GET PROCESSING OPTIONS answered instead of AIP
    and AFL. `selected`: the application is there; `invalidated`: its SELECT answered 6283.
    `proximity_fci` is the A5 template of the PPSE, there on a contactless interface: `fci` and
    `aip` are then what a contactless terminal is told.
    """

    aid: bytes = DEBIT_AID
    directory_fci: bytes = b""
    directory: dict[tuple[int, int], bytes] = field(default_factory=dict)
    fci: bytes = b""
    records: dict[tuple[int, int], bytes] = field(default_factory=dict)
    elements: dict[int, bytes] = field(default_factory=dict)
    log: tuple[int, int] = (0, 0)
    aip: bytes = b""
    afl: bytes = b""
    others: tuple[bytes, ...] = ()
    refused: str = ""
    selected: bool = False
    invalidated: bool = False
    proximity_fci: bytes = b""


@dataclass(slots=True)
class Capture:
    """What was seen of a card.

    `dead` are the environments whose SELECT answers 6A81, as after CARD BLOCK. `at` is what is
    being read, "" when all was; `cut` says why reading ended there, "" when it did not.
    """

    atr: bytes = b""
    social: SocialCapture | None = None
    bank: BankCapture | None = None
    dead: list[str] = field(default_factory=list)
    at: str = ""
    cut: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to make a profile of: a card with two dead ends may be blank."""
        return self.social is None and self.bank is None and len(self.dead) != 1
