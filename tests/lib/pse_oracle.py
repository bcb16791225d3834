"""Card risk management once more, as a script over integers: the oracle of pse-pboc 5.2 to 5.4.

Written from the page alone and imports nothing of the card. State is a plain dictionary; CVR
bits are addressed as the page does, by byte and bit, so that nothing is shared but the page.
"""

from typing import Any

State = dict[str, int]
"""atc, lo (9F13), ctta, dual, cur (international currency), cty (country), the indicators ask
(online authorisation), iaf, sda, dda, scf, and scc (script counter)."""

BLANK: State = dict.fromkeys(
    ("atc", "lo", "ctta", "dual", "cur", "cty", "ask", "iaf", "sda", "dda", "scf", "scc"), 0
)


class Bits:
    """Three CVR bytes, bit 8 the most significant."""

    def __init__(self, raw: int = 0) -> None:
        self.raw = raw

    def put(self, byte: int, bit: int, value: int = 1) -> None:
        mask = 1 << (8 * (4 - byte) + bit - 1)
        self.raw = self.raw | mask if value else self.raw & ~mask

    def get(self, byte: int, bit: int) -> int:
        return self.raw >> (8 * (4 - byte) + bit - 1) & 1

    def hex(self) -> str:
        return f"03{self.raw:06X}"


def bit(word: int, byte: int, number: int, size: int = 2) -> int:
    return word >> (8 * (size - byte) + number - 1) & 1


def converted(tags: dict[str, Any], amount: int) -> int | None:
    if "9F73" not in tags:
        return None
    digits = tags["9F73"]
    return amount * int(digits[1:]) // 10 ** int(digits[0])


def dual_share(tags: dict[str, Any], terminal: dict[str, Any]) -> int | None:
    """What the transaction weighs in the dual-currency amount; None when it does not."""
    if "9F51" not in tags:
        return None
    if terminal["5F2A"] == tags["9F51"]:
        return terminal["9F02"]
    if "9F76" in tags and terminal["5F2A"] == tags["9F76"]:
        return converted(tags, terminal["9F02"])
    return None


def count_abroad(tags: dict[str, Any], terminal: dict[str, Any], card: State) -> None:
    if "9F51" in tags and terminal["5F2A"] != tags["9F51"]:
        card["cur"] = min(255, card["cur"] + 1)
    if "9F57" in tags and terminal["9F1A"] != tags["9F57"]:
        card["cty"] = min(255, card["cty"] + 1)


def add_amounts(tags: dict[str, Any], terminal: dict[str, Any], card: State) -> None:
    if "9F51" in tags and terminal["5F2A"] == tags["9F51"]:
        card["ctta"] = min(10**12 - 1, card["ctta"] + terminal["9F02"])
    card["dual"] = min(10**12 - 1, card["dual"] + (dual_share(tags, terminal) or 0))


def note_failures(terminal: dict[str, Any], card: State) -> None:
    if bit(terminal["95"], 1, 7, 5):
        card["sda"] = 1
    if bit(terminal["95"], 1, 4, 5) or bit(terminal["95"], 1, 3, 5):
        card["dda"] = 1


def first(
    tags: dict[str, Any],
    card: State,
    terminal: dict[str, Any],
    asked: str,
    *,
    aip: int,
    cvr: int = 0,
    tries: int | None = None,
    exceeded: bool = False,
    blocked: bool = False,
) -> tuple[str, int, str, State, bool]:
    """Return answer, CID, CVR, the state after, and whether the application was blocked."""
    card, bits, block = dict(card), Bits(cvr), False
    ada = tags.get("9F52", 0)
    go_online = decline = False
    has_ia, has_sda, has_dda = aip >> 2 & 1, aip >> 6 & 1, aip >> 5 & 1
    if card["ask"]:  # 1
        bits.put(3, 8)
        go_online = True
    if has_ia and card["iaf"]:  # 2
        bits.put(3, 4)
        if bit(ada, 1, 8):
            go_online = True
    if has_sda and card["sda"]:  # 3
        bits.put(3, 1)
    if has_dda and card["dda"]:  # 4
        bits.put(4, 3)
    bits.raw |= card["scc"] << 4  # 5
    if card["scf"]:
        bits.put(4, 4)
        if bit(ada, 2, 4):
            go_online = True
    velocity = False
    if "9F58" in tags and card["atc"] - card["lo"] > tags["9F58"]:  # 6
        velocity = True
    money = "9F51" in tags
    if "9F53" in tags and money and terminal["5F2A"] != tags["9F51"]:  # 7
        velocity = velocity or card["cur"] + 1 > tags["9F53"]
    if "9F72" in tags and "9F57" in tags and terminal["9F1A"] != tags["9F57"]:  # 8
        velocity = velocity or card["cty"] + 1 > tags["9F72"]
    if tags.get("9F54") and money and terminal["5F2A"] == tags["9F51"]:  # 9
        velocity = velocity or card["ctta"] + terminal["9F02"] > tags["9F54"]
    share = dual_share(tags, terminal)
    if "9F75" in tags and share is not None:  # 10
        velocity = velocity or card["dual"] + share > tags["9F75"]
    if velocity:
        bits.put(3, 6)
        go_online = True
    if card["lo"] == 0:  # 11
        bits.put(3, 5)
        if bit(ada, 1, 2):
            go_online = True
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
    elif go_online or asked == "ARQC":
        answer = "ARQC"
    else:
        answer = "TC"
    bits.put(2, 8)
    bits.put(2, 7, 0)
    bits.put(2, 6, answer == "ARQC")
    bits.put(2, 5, answer == "TC")
    cid = {"AAC": 0x00, "TC": 0x40, "ARQC": 0x80}[answer]
    if answer == "ARQC":
        card["ask"] = 1
    else:
        count_abroad(tags, terminal, card)
    if answer == "TC":
        card["ask"] = 0
        add_amounts(tags, terminal, card)
    if answer == "AAC":
        note_failures(terminal, card)
        if bit(ada, 1, 5):
            cid |= 0x08
        if exceeded and bit(ada, 1, 4):
            cid |= 0x0A
    return answer, cid, bits.hex(), card, block and answer == "AAC"


def second(
    tags: dict[str, Any],
    card: State,
    terminal: dict[str, Any],
    asked: str,
    *,
    aip: int,
    cvr: int,
    arc: str,
    issuer: str | None = None,
    tries: int | None = None,
    blocked: bool = False,
) -> tuple[str, int, str, State]:
    """`issuer`: None not received, "bad", or the ARC that came with a good ARPC."""
    card, bits = dict(card), Bits(cvr)
    ada = tags.get("9F52", 0)
    mandatory = bool(tags.get("9F56", 0) & 0x80)
    has_ia = aip >> 2 & 1
    good = issuer is not None and issuer != "bad"
    if good:
        card["iaf"] = 0
    if issuer == "bad":
        card["iaf"] = 1
        bits.put(2, 4)
    if blocked:
        asked = "AAC"
    if arc in {"Y3", "Z3"}:
        decline = False
        if "9F59" in tags and card["atc"] - card["lo"] > tags["9F59"]:
            bits.put(3, 6)
            decline = True
        if card["lo"] == 0:
            bits.put(3, 5)
            if bit(ada, 1, 1):
                decline = True
        if tries == 0 and not bits.get(2, 3) and bit(ada, 2, 5):
            bits.put(3, 7)
            decline = True
        if (
            "9F5C" in tags
            and "9F51" in tags
            and terminal["5F2A"] == tags["9F51"]
            and card["ctta"] + terminal["9F02"] > tags["9F5C"]
        ):
            bits.put(3, 6)
            decline = True
        share = dual_share(tags, terminal)
        if (
            "9F5C" in tags
            and "9F75" in tags
            and share is not None
            and card["dual"] + share > tags["9F5C"]
        ):
            bits.put(3, 6)
            decline = True
        bits.put(2, 1)
        count_abroad(tags, terminal, card)
        answer = "AAC" if asked == "AAC" or decline else "TC"
        cid = 0x40 if answer == "TC" else 0x08 if bit(ada, 1, 5) else 0
        if answer == "TC":
            add_amounts(tags, terminal, card)
        else:
            note_failures(terminal, card)
        bits.put(2, 8, 0)
        bits.put(2, 7, answer == "TC")
        return answer, cid, bits.hex(), card
    fine = {"00", "10", "11", "01", "02", "Y1"}
    accept = arc in fine and (not good or issuer in fine)
    settle = not has_ia or good or (issuer is None and not mandatory)
    if asked == "TC" and accept:
        decline = False
        if has_ia and issuer is None and mandatory:
            card["iaf"] = 1
            if bit(ada, 1, 6):
                decline = True
        if issuer == "bad" and bit(ada, 1, 7):
            decline = True
        bits.put(2, 8, 0)
        bits.put(2, 7, not decline)
        if decline:
            return "AAC", 0x0B if bit(ada, 1, 3) else 0, bits.hex(), card
        if has_ia and issuer is None:
            bits.put(3, 3)
        if settle:
            card.update(ask=0, sda=0, dda=0, scc=0, scf=0, ctta=0, dual=0, cur=0, cty=0)
            card["lo"] = card["atc"]
        return "TC", 0x40, bits.hex(), card
    bits.put(2, 8, 0)
    bits.put(2, 7, 0)
    if has_ia and issuer is None:
        bits.put(3, 3)
        if mandatory:
            card["iaf"] = 1
    if settle:
        card.update(ask=0, sda=0, dda=0, scc=0, scf=0)
    return "AAC", 0, bits.hex(), card
