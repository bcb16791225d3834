"""Card risk management once more, as a script over integers (pse-pboc 5.2 to 5.4).

Written from the page alone. State is a plain dictionary; CVR bits are addressed as the page
does, by byte and bit, so that nothing is shared with the card but the page. `Tags` are the
personalised elements by tag in hex: numbers for limits and 9F52, 9F56, the digits of 9F73 as
text, codes as whatever compares; `Terminal` is 9F02, 5F2A, 9F1A, 95 in the same form. An element
that is not there is absent. `Rules` are the switches of section 14 that reach into the tables.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

__all__ = ["BLANK", "Bits", "Rules", "State", "first", "second"]

State = dict[str, int]
"""atc, lo (9F13), ctta, dual, cur (international currency), cty (country), the indicators ask
(online authorisation), iaf, sda, dda, scf, and scc (script counter)."""
Tags = Mapping[str, Any]

BLANK: Final[State] = dict.fromkeys(
    ("atc", "lo", "ctta", "dual", "cur", "cty", "ask", "iaf", "sda", "dda", "scf", "scc"), 0
)
_TYPES: Final = {"AAC": 0x00, "TC": 0x40, "ARQC": 0x80}
_MOST: Final = 10**12 - 1


class Rules(NamedTuple):
    """Switches 36, 48 and 50: referrals approve, AACs count abroad, converted amounts rounded."""

    referrals: bool = True
    declined_counts: bool = True
    rounded: bool = False


BY_THE_PAGE: Final = Rules()


class Bits:
    """Three CVR bytes, bit 8 the most significant (4.5)."""

    def __init__(self, raw: int = 0) -> None:
        self.raw = raw

    def put(self, byte: int, bit: int, *, value: object = True) -> None:
        """Set a bit of CVR byte 2, 3 or 4, or clear it."""
        mask = 1 << (8 * (4 - byte) + bit - 1)
        self.raw = self.raw | mask if value else self.raw & ~mask

    def get(self, byte: int, bit: int) -> int:
        """Return a bit."""
        return self.raw >> (8 * (4 - byte) + bit - 1) & 1

    def hex(self) -> str:
        """Return the CVR with its length byte."""
        return f"03{self.raw:06X}"


def bit(word: int, byte: int, number: int, size: int = 2) -> int:
    """Return a bit of a word of `size` bytes, as the page counts them."""
    return word >> (8 * (size - byte) + number - 1) & 1


# --- counters (5.1, 5.3) ---------------------------------------------------------------------


def _converted(tags: Tags, amount: int, rules: Rules) -> int | None:
    if "9F73" not in tags:
        return None
    digits = tags["9F73"]
    whole, rest = divmod(amount * int(digits[1:]), 10 ** int(digits[0]))
    up = rules.rounded and 2 * rest >= 10 ** int(digits[0])
    return int(whole + up)


def _dual_share(tags: Tags, terminal: Tags, rules: Rules) -> int | None:
    """What the transaction weighs in the dual-currency amount; None when it does not."""
    if "9F51" not in tags:
        return None
    if terminal["5F2A"] == tags["9F51"]:
        return int(terminal["9F02"])
    if "9F76" in tags and terminal["5F2A"] == tags["9F76"]:
        return _converted(tags, terminal["9F02"], rules)
    return None


def _at_home(tags: Tags, terminal: Tags) -> bool:
    return "9F51" in tags and terminal["5F2A"] == tags["9F51"]


def _count_abroad(tags: Tags, terminal: Tags, card: State) -> None:
    if "9F51" in tags and terminal["5F2A"] != tags["9F51"]:
        card["cur"] = min(255, card["cur"] + 1)
    if "9F57" in tags and terminal["9F1A"] != tags["9F57"]:
        card["cty"] = min(255, card["cty"] + 1)


def _add_amounts(tags: Tags, terminal: Tags, card: State, rules: Rules) -> None:
    if _at_home(tags, terminal):
        card["ctta"] = min(_MOST, card["ctta"] + terminal["9F02"])
    card["dual"] = min(_MOST, card["dual"] + (_dual_share(tags, terminal, rules) or 0))


def _note_failures(terminal: Tags, card: State) -> None:
    if bit(terminal["95"], 1, 7, 5):
        card["sda"] = 1
    if bit(terminal["95"], 1, 4, 5) or bit(terminal["95"], 1, 3, 5):
        card["dda"] = 1


# --- the first GENERATE AC (5.3) -------------------------------------------------------------


def first(
    tags: Tags,
    card: State,
    terminal: Tags,
    asked: str,
    *,
    aip: int,
    cvr: int = 0,
    tries: int | None = None,
    exceeded: bool = False,
    blocked: bool = False,
    rules: Rules = BY_THE_PAGE,
) -> tuple[str, int, str, State, bool]:
    """Return answer, CID, CVR, the state after, and whether the application was blocked."""
    card, bits, block, decline = dict(card), Bits(cvr), False, False
    ada = tags.get("9F52", 0)
    go_online = _remembered(bits, card, ada, aip)
    if _too_fast(tags, card, terminal, rules):  # 6 to 10
        bits.put(3, 6)
        go_online = True
    if card["lo"] == 0:  # 11
        bits.put(3, 5)
        go_online = go_online or bool(bit(ada, 1, 2))
    if tries == 0 and not bits.get(2, 3):  # 12
        bits.put(3, 7)
        if bit(ada, 2, 7):
            decline = True
        elif bit(ada, 2, 6):
            go_online = True
        elif bit(ada, 2, 3):
            decline = block = True
            bits.put(3, 2)
    if blocked or decline or asked == "AAC":
        answer = "AAC"
    else:
        answer = "ARQC" if go_online or asked == "ARQC" else "TC"
    bits.put(2, 8)
    bits.put(2, 7, value=False)
    bits.put(2, 6, value=answer == "ARQC")
    bits.put(2, 5, value=answer == "TC")
    cid = _TYPES[answer]
    if answer == "ARQC":
        card["ask"] = 1
    if answer == "TC" or (answer == "AAC" and rules.declined_counts):
        _count_abroad(tags, terminal, card)
    if answer == "TC":
        card["ask"] = 0
        _add_amounts(tags, terminal, card, rules)
    if answer == "AAC":
        _note_failures(terminal, card)
        cid |= 0x08 if bit(ada, 1, 5) else 0
        cid |= 0x0A if exceeded and bit(ada, 1, 4) else 0
    return answer, cid, bits.hex(), card, block and answer == "AAC"


def _remembered(bits: Bits, card: State, ada: int, aip: int) -> bool:
    """Lines 1 to 5: what earlier transactions left; whether it sends this one online."""
    go_online = False
    if card["ask"]:  # 1
        bits.put(3, 8)
        go_online = True
    if aip >> 2 & 1 and card["iaf"]:  # 2
        bits.put(3, 4)
        go_online = go_online or bool(bit(ada, 1, 8))
    if aip >> 6 & 1 and card["sda"]:  # 3
        bits.put(3, 1)
    if aip >> 5 & 1 and card["dda"]:  # 4
        bits.put(4, 3)
    bits.raw |= card["scc"] << 4  # 5
    if card["scf"]:
        bits.put(4, 4)
        go_online = go_online or bool(bit(ada, 2, 4))
    return go_online


def _too_fast(tags: Tags, card: State, terminal: Tags, rules: Rules) -> bool:
    """Lines 6 to 10."""
    share = _dual_share(tags, terminal, rules)
    money, country = "9F51" in tags, "9F57" in tags
    return bool(
        ("9F58" in tags and card["atc"] - card["lo"] > tags["9F58"])
        or (
            "9F53" in tags
            and money
            and terminal["5F2A"] != tags["9F51"]
            and card["cur"] + 1 > tags["9F53"]
        )
        or (
            "9F72" in tags
            and country
            and terminal["9F1A"] != tags["9F57"]
            and card["cty"] + 1 > tags["9F72"]
        )
        or (
            tags.get("9F54")
            and _at_home(tags, terminal)
            and card["ctta"] + terminal["9F02"] > tags["9F54"]
        )
        or ("9F75" in tags and share is not None and card["dual"] + share > tags["9F75"])
    )


# --- the second GENERATE AC (5.4) ------------------------------------------------------------


def second(
    tags: Tags,
    card: State,
    terminal: Tags,
    asked: str,
    *,
    aip: int,
    cvr: int,
    arc: str,
    issuer: str | None = None,
    tries: int | None = None,
    blocked: bool = False,
    rules: Rules = BY_THE_PAGE,
) -> tuple[str, int, str, State]:
    """Return answer, CID, CVR and the state after.

    `issuer`: None not received, "bad", or the ARC that came with a good ARPC.
    """
    card, bits = dict(card), Bits(cvr)
    good = issuer is not None and issuer != "bad"
    if good:
        card["iaf"] = 0
    if issuer == "bad":
        card["iaf"] = 1
        bits.put(2, 4)
    if blocked:
        asked = "AAC"
    bits.put(2, 8, value=False)
    bits.put(2, 7, value=False)
    if arc in {"Y3", "Z3"}:
        answer, cid = _alone(tags, card, terminal, asked, bits, tries, rules)
    else:
        fine = {"00", "10", "11", "Y1"} | ({"01", "02"} if rules.referrals else set())
        accept = asked == "TC" and arc in fine and (not good or issuer in fine)
        answer, cid = _with_the_issuer(tags, card, bits, issuer, aip >> 2 & 1, accept=accept)
    bits.put(2, 7, value=answer == "TC")
    return answer, cid, bits.hex(), card


def _alone(
    tags: Tags,
    card: State,
    terminal: Tags,
    asked: str,
    bits: Bits,
    tries: int | None,
    rules: Rules,
) -> tuple[str, int]:
    """Part B: the terminal could not go online."""
    ada, decline = tags.get("9F52", 0), False
    share = _dual_share(tags, terminal, rules)
    if "9F59" in tags and card["atc"] - card["lo"] > tags["9F59"]:
        bits.put(3, 6)
        decline = True
    if card["lo"] == 0:
        bits.put(3, 5)
        decline = decline or bool(bit(ada, 1, 1))
    if tries == 0 and not bits.get(2, 3) and bit(ada, 2, 5):
        bits.put(3, 7)
        decline = True
    if "9F5C" in tags:
        own = _at_home(tags, terminal) and card["ctta"] + terminal["9F02"] > tags["9F5C"]
        dual = "9F75" in tags and share is not None and card["dual"] + share > tags["9F5C"]
        if own or dual:
            bits.put(3, 6)
            decline = True
    bits.put(2, 1)
    answer = "AAC" if asked == "AAC" or decline else "TC"
    if answer == "TC" or rules.declined_counts:
        _count_abroad(tags, terminal, card)
    if answer == "TC":
        _add_amounts(tags, terminal, card, rules)
        return answer, 0x40
    _note_failures(terminal, card)
    return answer, 0x08 if bit(ada, 1, 5) else 0


def _with_the_issuer(
    tags: Tags, card: State, bits: Bits, issuer: str | None, has_ia: int, *, accept: bool
) -> tuple[str, int]:
    """Part A: an online answer."""
    ada, mandatory = tags.get("9F52", 0), bool(tags.get("9F56", 0) & 0x80)
    missing = has_ia and issuer is None
    if missing and mandatory:
        card["iaf"] = 1
    if accept and (
        (missing and mandatory and bit(ada, 1, 6)) or (issuer == "bad" and bit(ada, 1, 7))
    ):
        return "AAC", 0x0B if bit(ada, 1, 3) else 0
    if missing:
        bits.put(3, 3)
    if not has_ia or issuer not in (None, "bad") or (issuer is None and not mandatory):
        card.update(ask=0, sda=0, dda=0, scc=0, scf=0)
        if accept:
            card.update(ctta=0, dual=0, cur=0, cty=0, lo=card["atc"])
    return ("TC", 0x40) if accept else ("AAC", 0)
