"""What GENERATE AC must answer, by the tables of risk management (pse-pboc 5.2 to 5.4).

The tables are `sscard.testing.models.pse_risk`, written from the page alone. They need what the
card remembers of earlier transactions. Where that is not known the first answer is judged by
what can be seen from outside; the second follows from the first.
"""

from itertools import product
from typing import NamedTuple

from sscard.iso.text import from_n
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.pse.application import Application
from sscard.testing.conformance.pse.deal import Hypothesis
from sscard.testing.conformance.pse.switches import rules_of
from sscard.testing.models.pse_risk import BLANK, Bits, first, second

__all__ = ["Foreseen", "after_first", "foreseen_first", "foreseen_second", "settled"]

_KINDS = {"AAC": 0b00, "TC": 0b01, "ARQC": 0b10}
_FIRST_MASK = 0xFF5002
"""CVR bits of a first answer that do not hang on earlier transactions: byte 2, PIN tries and new
card in byte 3, DDA in byte 4."""


_Y1, _DECLINED = "Y1", "05"


class Foreseen(NamedTuple):
    """One answer the card may give: kind, CID and CVR (under a mask), and what it then knows."""

    kind: str
    cid: int
    cvr: int
    cid_mask: int = 0xFF
    cvr_mask: int = 0xFFFFFF
    after: Hypothesis | None = None
    blocks: bool = False

    def fits(self, cid: int, cvr: int) -> bool:
        """Whether an answer is this one."""
        same_cvr = (cvr ^ self.cvr) & self.cvr_mask == 0
        return same_cvr and (cid ^ self.cid) & self.cid_mask == 0

    def __str__(self) -> str:
        full = self.cvr_mask == 0xFFFFFF
        cvr = f"03{self.cvr:06X}" if full else f"03{self.cvr:06X} under 00{self.cvr_mask:06X}"
        return f"{self.kind} with CID {self.cid:02X} and CVR {cvr}"


def tags_of(app: Application) -> dict[str, object]:
    """Return the card's limits in the form of the tables."""
    held: dict[str, object] = {}
    for number, value in app.elements.items():
        tag = f"{number:04X}"
        if tag in ("9F54", "9F5C", "9F75"):
            held[tag] = from_n(value)
        elif tag == "9F73":
            held[tag] = value.hex()
        elif tag in ("9F51", "9F57", "9F76"):
            held[tag] = value
        else:
            held[tag] = int.from_bytes(value, "big")
    return held


def _bytes_of(cvr: str) -> int:
    """Return the three bytes of a CVR behind its length."""
    return int.from_bytes(bytes.fromhex(cvr)[1:], "big")


def terminal_of(values: dict[int, bytes]) -> dict[str, object]:
    """Return what risk management looks at of the terminal's data."""
    return {
        "9F02": from_n(values.get(0x9F02, b"\0")),
        "5F2A": values.get(0x5F2A, bytes(2)),
        "9F1A": values.get(0x9F1A, bytes(2)),
        "95": int.from_bytes(values.get(0x95, b""), "big"),
    }


def settled(bench: Bench, app: Application) -> list[Hypothesis]:
    """Return what a card knows after an approval of its issuer: nothing but its counters."""
    state = dict(BLANK) | {"atc": app.deal.atc, "lo": app.deal.atc}
    return [Hypothesis(rules, state) for rules in rules_of(bench)]


def foreseen_first(app: Application, asked: str, values: dict[int, bytes]) -> list[Foreseen]:
    """Return the answers a first GENERATE AC may give (5.3)."""
    deal = app.deal
    found = []
    for rules, state in app.known:
        kind, cid, cvr, after, blocks = first(
            tags_of(app), state | {"atc": deal.atc}, terminal_of(values), asked,
            aip=deal.aip[0], cvr=deal.cvr, tries=app.tries, exceeded=deal.exceeded,
            blocked=deal.blocked, rules=rules,
        )  # fmt: skip
        hypothesis = Hypothesis(rules, after)
        number = _bytes_of(cvr)
        found.append(Foreseen(kind, cid, number, after=hypothesis, blocks=blocks))
    return found or _by_what_is_seen(app, asked)


def _by_what_is_seen(app: Application, asked: str) -> list[Foreseen]:
    """A card never answers more than it is asked, and shows what this transaction was (5.3)."""
    deal, tags = app.deal, tags_of(app)
    ada = int.from_bytes(app.elements.get(0x9F52, b""), "big")
    new = not tags.get("9F13")
    spent = app.tries == 0 and not Bits(deal.cvr).get(2, 3)
    must_decline = deal.blocked or (spent and bool(ada & 0x0044))
    may = {"AAC": ["AAC"], "ARQC": ["ARQC"], "TC": ["TC", "ARQC"]}[asked]
    limit = tags.get("9F58")
    behind = deal.atc - int(str(tags.get("9F13", 0)))
    if asked == "TC" and ((new and ada & 0x0200) or (isinstance(limit, int) and behind > limit)):
        may = ["ARQC"]
    found = []
    for kind in ["AAC"] if must_decline else may:
        bits = Bits(deal.cvr)
        bits.raw &= 0x0FFFFF
        bits.raw |= (0b1000 | _KINDS[kind]) << 20
        bits.put(3, 5, value=new)
        if spent:
            bits.put(3, 7)
        found.append(Foreseen(kind, _KINDS[kind] << 6, bits.raw, 0xC0, _FIRST_MASK))
    return found


def after_first(app: Application, fitting: list[Foreseen]) -> None:
    """Keep what the answer taught."""
    app.known = [way.after for way in fitting if way.after is not None]


def foreseen_second(
    bench: Bench, app: Application, asked: str, arc: str, values: dict[int, bytes]
) -> list[Foreseen]:
    """Return the answers a second GENERATE AC may give (5.4): it follows from the first."""
    deal = app.deal
    alone = arc in ("Y3", "Z3")
    counters = dict(BLANK) | {"atc": deal.atc}
    counters["lo"] = int.from_bytes(app.elements.get(0x9F13, b""), "big")
    known = app.known or [Hypothesis(rules, counters) for rules in rules_of(bench)]
    # amounts spent offline decide when the terminal is alone: without them either answer passes
    unsure = alone and not app.known and 0x9F5C in app.elements
    # Y1 approves in one implementation alone (14 #24): the card may as well decline
    arcs = (arc, _DECLINED) if arc == _Y1 else (arc,)
    found = []
    for (rules, state), code in product(known, arcs):
        kind, cid, cvr, after = second(
            tags_of(app), state | {"atc": deal.atc}, terminal_of(values), asked,
            aip=deal.aip[0], cvr=deal.cvr, arc=code, issuer=deal.issuer, tries=app.tries,
            blocked=deal.blocked, rules=rules,
        )  # fmt: skip
        hypothesis = Hypothesis(rules, after) if app.known else None
        way = Foreseen(kind, cid, _bytes_of(cvr), after=hypothesis)
        found.append(way)
        if unsure:
            found.append(way._replace(kind="TC or AAC", cid_mask=0, cvr_mask=0x3FBFFF))
    return found
