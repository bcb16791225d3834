"""What the suite of the bank application knows of the card in hand, and how it found out.

The survey is safe: SELECT, READ RECORD and GET DATA alone. What it learns (names, lists, limits)
is the card's own to choose; what a case expects of it is the reference's. Source: pse-pboc 1, 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.text import from_cn
from sscard.iso.tlv import TlvError, parse_dol
from sscard.keys.vault import BankCard
from sscard.spec.pboc import DEBIT_AID, GET_DATA, PSE_NAME, RID
from sscard.terminal.bank.ber import objects
from sscard.terminal.bank.errors import BadCardData
from sscard.terminal.stack import Reply
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.pse.deal import Deal, Hypothesis
from sscard.testing.conformance.ssse.identity import survey as social_survey

__all__ = [
    "BANK",
    "DIRECTORY",
    "Application",
    "absent",
    "application",
    "blocked_card",
    "dol",
    "fci_of",
    "get_data",
    "inside",
    "read_record",
    "read_records",
    "select",
    "survey",
]

BANK, DIRECTORY = "bank application", "PSE directory"
"""What cases are about, as `Bench.absent` has it."""

_BLOCKED, _CARD_BLOCKED = SW.FILE_INVALIDATED, SW.NOT_SUPPORTED
_THERE = (SW.OK, _BLOCKED, _CARD_BLOCKED)
_RECORDS_MAX = 32
_TLV_SFIS = range(1, 11)
_KEY_INDEX_AT = 1
_ATC_MAX, _RUN = 0xFFFF, 2_000
"""At FFFF the application is blocked for ever; a run takes fewer transactions than `_RUN`."""


@dataclass(slots=True)
class Application:
    """The bank application of one card.

    `aid` its name; `fci` the answer to SELECT; `blocked` "", or the words why it is; `spent`
    whether the PIN had no tries left before the first case; `careless` whether a script with a
    wrong MAC was taken; `elements`
    what GET DATA gave, by tag; `records` those of SFI 1 to 10 by (SFI, number), and `tags` the
    data objects in them; `early` whether records could be read before GET PROCESSING OPTIONS.
    `deal` is the transaction under way; `known` what risk management may remember, empty when
    nothing is known of it; `distrust` why nothing is computed for this card, "" when it may be.
    """

    aid: bytes = DEBIT_AID
    directory: list[bytes] = field(default_factory=list)
    fci: bytes = b""
    blocked: str = ""
    card_blocked: bool = False
    spent: bool = False
    careless: bool = False
    elements: dict[int, bytes] = field(default_factory=dict)
    records: dict[tuple[int, int], bytes] = field(default_factory=dict)
    tags: dict[int, bytes] = field(default_factory=dict)
    early: bool = True
    deal: Deal = field(default_factory=Deal)
    known: list[Hypothesis] = field(default_factory=list)
    distrust: str = ""
    numbers: int = 0
    issuer_data: bytes = b""
    last_script: bytes = bytes(4)
    last_arpc: bytes = bytes(8)

    @property
    def template(self) -> Mapping[int, bytes]:
        """The members of A5 in the FCI."""
        return inside(self.fci, 0x6F, 0xA5)

    @property
    def pdol(self) -> bytes:
        """The list GET PROCESSING OPTIONS is answered by; empty without one."""
        return self.template.get(0x9F38, b"")

    @property
    def contactless(self) -> bool:
        """Whether the card is reached without contacts: its PDOL asks for 9F66 (1.4, 6.2)."""
        return 0x9F66 in {tag for tag, _ in dol(self.pdol)}

    @property
    def offers_cash(self) -> bool:
        """Whether electronic cash may be opened: a balance, and a PDOL that decides (6.1)."""
        asked = {tag for tag, _ in dol(self.pdol)}
        return 0x9F79 in self.elements and asked >= {0x9F7A, 0x9F02, 0x5F2A}

    @property
    def log_entry(self) -> tuple[int, int]:
        """SFI and number of records of the log; zeros without a log (pse-pboc 7)."""
        entry = inside(self.fci, 0x6F, 0xA5, 0xBF0C).get(0x9F4D, b"")
        return (entry[0], entry[1]) if len(entry) == 2 else (0, 0)

    @property
    def worn(self) -> str:
        """Why no transaction is begun, whatever the state: the ATC would be used up (3)."""
        atc = int.from_bytes(self.elements.get(0x9F36, b""), "big")
        if _ATC_MAX - atc > _RUN:
            return ""
        return f"the ATC is {atc:04X}: at FFFF the application is blocked for ever"

    @property
    def unfit(self) -> str:
        """Why no transaction of the contacts is begun; "" when one may be."""
        if self.contactless:
            return "a transaction of the contacts, and the card is on its contactless interface"
        return self.worn

    @property
    def tries(self) -> int | None:
        """Tries the PIN has left, as last read; None without a PIN."""
        held = self.elements.get(0x9F17)
        return held[0] if held else None

    @property
    def bank_card(self) -> BankCard | None:
        """The card as its bank names it; None while PAN or key index are not known."""
        if 0x5A not in self.tags or len(self.issuer_data) < 2:
            return None
        try:
            pan = from_cn(self.tags[0x5A])
        except ValueError:
            return None
        psn = self.tags.get(0x5F34, b"\0").hex()
        return BankCard(pan, psn, self.issuer_data[_KEY_INDEX_AT])

    def take(self, sfi: int, number: int, record: bytes) -> None:
        """Keep a record of SFI 1 to 10, and the data objects in it."""
        self.records[sfi, number] = record
        for tag, value in inside(record, 0x70).items():
            self.tags.setdefault(tag, value)

    def refresh(self, bench: Bench) -> None:
        """Read the counters once more."""
        for tag in (0x9F13, 0x9F17, 0x9F36):
            value = get_data(bench, tag)
            if value is not None:
                self.elements[tag] = value


def application(bench: Bench) -> Application:
    """Return what was learnt of the card's bank application."""
    found = bench.learnt.setdefault("pse", Application())
    assert isinstance(found, Application)
    return found


def blocked_card(bench: Bench) -> str:
    """Return why a card takes nothing at all, "" for one that does."""
    app = application(bench)
    return app.blocked if app.card_blocked else ""


def inside(data: bytes, *templates: int) -> dict[int, bytes]:
    """Return the data objects inside nested templates; none where they are not there."""
    held: dict[int, bytes] = {}
    try:
        for tag in templates:
            held = dict(reversed(objects(data, "")))
            if tag not in held:
                return {}
            data = held[tag]
        return dict(reversed(objects(data, "")))
    except BadCardData:
        return {}


def dol(data: bytes) -> list[tuple[int, int]]:
    """Return the (tag, length) pairs of a list; none when it is malformed."""
    try:
        return parse_dol(data)
    except TlvError:
        return []


# ---- commands --------------------------------------------------------------------------------


def select(name: bytes, p2: int = 0x00) -> Command:
    """SELECT by name; P2 02: the next occurrence (pse-pboc 1.2)."""
    return Command(0x00, 0xA4, 0x04, p2, name, 256)


def fci_of(bench: Bench, reply: Reply) -> bytes:
    """Return the FCI of an answer to SELECT; that of a blocked application waits on T=0 (1.2)."""
    if reply.sw != _BLOCKED or reply.data:
        return reply.data
    return bench.transmit(Command(0x00, 0xC0, 0x00, 0x00, le=256)).data


def read_record(number: int, sfi: int) -> Command:
    """READ RECORD by number and SFI (pse-pboc 2.5)."""
    return Command(0x00, 0xB2, number, sfi << 3 | 4, le=256)


def get_data(bench: Bench, tag: int) -> bytes | None:
    """GET DATA: return a value, None where the card gives none (pse-pboc 2.3)."""
    reply = bench.transmit(Command(0x80, 0xCA, tag >> 8, tag & 0xFF, le=256))
    return inside(reply.data).get(tag) if reply.sw == SW.OK else None


# ---- survey ----------------------------------------------------------------------------------


def absent(bench: Bench) -> str:
    """Return why there is nothing of a bank on the card; "" when there is."""
    words = []
    for name in (DEBIT_AID, PSE_NAME):
        bench.reset()
        words.append(bench.transmit(select(name)).sw)
    if any(sw in _THERE for sw in words):
        return ""
    return f"no bank application: SELECT of {DEBIT_AID.hex().upper()} answers {words[0]}"


def survey(bench: Bench) -> None:
    """Learn what the cases need. Nothing is proved, nothing written, no transaction begun."""
    social_survey(bench)
    app = Application()
    bench.learnt["pse"] = app
    bench.reset()
    reply = bench.transmit(select(PSE_NAME))
    if reply.sw != SW.OK:
        bench.absent.add(DIRECTORY)
    else:
        _read_directory(bench, app, inside(reply.data, 0x6F, 0xA5).get(0x88, b"\1")[0])
    bench.reset()
    reply = bench.transmit(select(app.aid))
    app.fci = fci_of(bench, reply)
    if reply.sw == _BLOCKED:
        app.blocked = "the application is blocked: SELECT answers 6283"
    elif reply.sw == _CARD_BLOCKED:
        app.card_blocked = True
        app.blocked = "the card is blocked: SELECT answers 6A81"
        bench.absent.discard(DIRECTORY)
    elif reply.sw != SW.OK:
        bench.absent.add(BANK)
    if reply.sw in (SW.OK, _BLOCKED):
        for tag in sorted(GET_DATA):
            value = get_data(bench, tag)
            if value is not None:
                app.elements[tag] = value
        app.spent = app.tries == 0
        read_records(bench, app)
    bench.log.clear()


def _read_directory(bench: Bench, app: Application, sfi: int) -> None:
    for number in range(1, _RECORDS_MAX):
        reply = bench.transmit(read_record(number, sfi))
        if reply.sw != SW.OK:
            break
        app.directory.append(reply.data)
    names = [name for record in app.directory for name in names_of(record)]
    app.aid = next((name for name in names if name.startswith(RID)), DEBIT_AID)


def names_of(record: bytes) -> list[bytes]:
    """Return the application names of a directory record (pse-pboc 1.3)."""
    try:
        entries = [v for t, v in objects(inside_one(record), "") if t == 0x61]
    except BadCardData:
        return []
    return [name for entry in entries if (name := inside(entry).get(0x4F))]


def inside_one(record: bytes) -> bytes:
    """Return the value of a record's template 70; empty when it is none."""
    held = inside(record)
    return held.get(0x70, b"")


def read_records(bench: Bench, app: Application) -> None:
    """Keep the records of SFI 1 to 10, unless the card wants GET PROCESSING OPTIONS first."""
    for sfi in _TLV_SFIS:
        for number in range(1, _RECORDS_MAX):
            reply = bench.transmit(read_record(number, sfi))
            if reply.sw == SW.CONDITIONS:
                app.early = False
                return
            if reply.sw != SW.OK:
                break
            app.take(sfi, number, reply.data)
