"""BER-TLV with names: records and FCIs of the PSE, FCPs, GET DATA answers (pse-pboc 2.7, 5.1).

Constructed objects open into their parts; values come typed; personal data are marked secret.
"""

from collections.abc import Callable

from sscard.inspect.explaining import bitfields
from sscard.inspect.explanation import Explanation
from sscard.inspect.names import access_words, df_name, domain_name, kind_name, protection_words
from sscard.iso.text import from_gbk, from_n
from sscard.iso.tlv import TlvError, parse, parse_dol
from sscard.spec.pboc import AIDS, DEBIT_AID, PPSE_NAME, PSE_NAME, TAGS
from sscard.spec.ssse import SSSE_NAME

__all__ = ["explain_ber", "explain_dol", "explain_fcp", "explain_object", "is_ber", "is_template"]

_PERSONAL = frozenset((0x57, 0x5A, 0x5F20, 0x9F0B, 0x9F61))
_CONSTRUCTED = frozenset((0x61, 0x62, 0x6F, 0x70, 0x71, 0x72, 0x73, 0x77, 0xA5, 0xBF0C))
_OPENED = _CONSTRUCTED | {0xE1, 0xE2}
_DOLS = frozenset((0x8C, 0x8D, 0x97, 0x9F38, 0x9F49, 0x9F4F))
_NUMBERS = frozenset((0x9F13, 0x9F17, 0x9F36, 0x9F53, 0x9F58, 0x9F59, 0x9F14, 0x9F23, 0x9F72))
_DATES = frozenset((0x5F24, 0x5F25, 0x9A))
_LIFE_CYCLES = {1: "creation", 4: "deactivated", 5: "activated", 12: "terminated"}
_BITFIELDS: dict[int, Callable[[bytes], Explanation]] = {
    0x82: bitfields.explain_aip,
    0x8E: bitfields.explain_cvm_list,
    0x94: bitfields.explain_afl,
    0x95: bitfields.explain_tvr,
    0x9F07: bitfields.explain_auc,
    0x9F0D: bitfields.explain_tvr,
    0x9F0E: bitfields.explain_tvr,
    0x9F0F: bitfields.explain_tvr,
    0x9F10: bitfields.explain_iad,
    0x9F27: bitfields.explain_cid,
    0x9F52: bitfields.explain_ada,
    0x9F66: bitfields.explain_ttq,
    0x9F68: bitfields.explain_processes,
    0x9F6C: bitfields.explain_ctq,
}
_KNOWN_NAMES = {
    **AIDS,
    PSE_NAME: "PSE directory",
    PPSE_NAME: "PPSE directory",
    SSSE_NAME: "social security environment",
    DEBIT_AID: "PBOC debit",
}


def is_ber(data: bytes) -> bool:
    """Whether `data` are BER-TLV objects and nothing else."""
    try:
        return bool(parse(data))
    except TlvError:
        return False


def is_template(data: bytes) -> bool:
    """Whether `data` are one constructed object whose value are BER-TLV objects again."""
    try:
        objects = parse(data)
        return len(objects) == 1 and objects[0][0] in _OPENED and bool(parse(objects[0][1]))
    except TlvError:
        return False


def explain_ber(data: bytes, levels: int = 8) -> tuple[Explanation, ...]:
    """Explain consecutive BER-TLV objects, opened `levels` deep.

    Errors: TlvError when the outermost bytes are none.
    """
    return tuple(explain_object(tag, value, levels) for tag, value in parse(data))


def explain_object(tag: int, value: bytes, levels: int = 8) -> Explanation:
    """Explain one object by its tag."""
    if tag == 0x62:
        return explain_fcp(value)
    if tag in _REPORTS:
        return _report(tag, value)
    known = TAGS.get(tag)
    label = f"{tag:02X} {known.name}" if known else f"{tag:02X}"
    if tag in _CONSTRUCTED and levels:
        try:
            return Explanation(label, "", value, explain_ber(value, levels - 1))
        except TlvError as error:
            return Explanation(label, f"malformed: {error}", value)
    if tag in _BITFIELDS:
        found = _BITFIELDS[tag](value)
        return Explanation(label, found.value, value, found.parts, found.ref)
    if tag in _DOLS:
        return explain_dol(label, value)
    form = known.format if known else "b"
    return Explanation(label, _words(tag, value, form), value, secret=tag in _PERSONAL)


def explain_dol(label: str, data: bytes) -> Explanation:
    """Explain a data object list: tags with their names and lengths."""
    try:
        entries = parse_dol(data)
    except TlvError as error:
        return Explanation(label, f"malformed: {error}", data)
    parts = tuple(
        Explanation(f"{tag:02X} {TAGS[tag].name}" if tag in TAGS else f"{tag:02X}", f"{length}")
        for tag, length in entries
    )
    total = sum(length for _, length in entries)
    return Explanation(label, f"asks for {total} bytes", data, parts)


def _words(tag: int, value: bytes, form: str) -> str:
    if tag in (0x4F, 0x84):
        return _KNOWN_NAMES.get(value) or df_name(value)
    if tag == 0x88 and len(value) == 1:
        return f"SFI {value[0]:02X}"
    if tag == 0x9F4D and len(value) == 2:
        return f"SFI {value[0]:02X}, {value[1]} records"
    if tag == 0x57:
        return _track2(value)
    try:
        if tag in _DATES and len(value) == 3:
            return f"20{value[0]:02X}-{value[1]:02X}-{value[2]:02X}"
        if tag in _NUMBERS:
            return str(int.from_bytes(value, "big"))
        if form == "n":
            return str(from_n(value))
        if form == "cn":
            return value.hex().upper().rstrip("F")
        if form in ("an", "ans"):
            return from_gbk(value).rstrip("\0 ")
    except ValueError:
        return "not of its format"
    return ""


def _track2(value: bytes) -> str:
    pan, _, rest = value.hex().upper().partition("D")
    if len(rest) < 7:
        return "not of its format"
    return f"PAN {pan}, expiry 20{rest[:2]}-{rest[2:4]}, service code {rest[4:7]}"


# --- file control parameters --------------------------------------------------------------

_FCP_NAMES = {
    0x80: "capacity",
    0x81: "quota",
    0x82: "kind",
    0x83: "FID",
    0x84: "DF name",
    0x86: "access conditions",
    0x88: "SFI",
    0x8A: "life-cycle status",
    0xA5: "environment",
}


def explain_fcp(value: bytes) -> Explanation:
    """Explain the value of a template 62 (cos 2.2, 2.3)."""
    ref = "cos 2.2"
    try:
        objects = parse(value)
    except TlvError as error:
        return Explanation("62 file control parameters", f"malformed: {error}", value, ref=ref)
    directory = (0x82, b"\x38") in objects
    parts = tuple(_fcp_object(tag, content, directory=directory) for tag, content in objects)
    return Explanation("62 file control parameters", "", value, parts, ref)


def _fcp_object(tag: int, value: bytes, *, directory: bool) -> Explanation:
    label = f"{tag:02X} {_FCP_NAMES.get(tag, 'unknown tag')}"
    number = int.from_bytes(value, "big")
    if tag == 0x86:
        return Explanation(label, "", value, _conditions(value, directory=directory))
    if tag == 0xA5:
        return Explanation(label, "", value, _environment(value))
    words = ""
    if tag in (0x80, 0x81):
        words = f"{number} bytes"
    elif tag == 0x82 and value:
        words = kind_name(value[0])
        if len(value) == 5:
            words += f", {value[4]} records of {int.from_bytes(value[2:4], 'big')} bytes at most"
    elif tag == 0x83:
        words = f"{number:04X}"
    elif tag == 0x84:
        words = df_name(value)
    elif tag == 0x88:
        words = f"{number >> 3:02X}"
    elif tag == 0x8A:
        words = _LIFE_CYCLES.get(number, "unknown")
    return Explanation(label, words, value)


def _conditions(value: bytes, *, directory: bool) -> tuple[Explanation, ...]:
    names: tuple[str, ...]
    if directory and len(value) == 6:
        names = ("create", "delete", "admin")
    elif len(value) == 4:
        names = ("add a key", "unused")
    elif len(value) == 8:
        names = ("read", "update", "append")
    else:
        return (Explanation("conditions", "wrong length", value),)
    parts = [
        Explanation(name, access_words(int.from_bytes(value[2 * at : 2 * at + 2], "big")))
        for at, name in enumerate(names)
    ]
    if len(value) == 8:
        parts.append(Explanation("protection of reads", protection_words(value[6])))
        parts.append(Explanation("protection of writes", protection_words(value[7])))
    return tuple(parts)


def _environment(value: bytes) -> tuple[Explanation, ...]:
    try:
        objects = parse(value)
    except TlvError as error:
        return (Explanation("environment", f"malformed: {error}"),)
    parts = []
    for tag, content in objects:
        if tag == 0xC0 and len(content) == 1:
            parts.append(Explanation("C0 domain", domain_name(content[0]), content))
        elif tag == 0xC1 and len(content) == 1:
            suite = [name for bit, name in ((1, "3DES"), (2, "SM4")) if content[0] & bit]
            parts.append(Explanation("C1 algorithms", " and ".join(suite) or "none", content))
        else:
            parts.append(Explanation(f"{tag:02X}", "", content))
    return tuple(parts)


# --- GET DATA of the COS -------------------------------------------------------------------

_REPORTS = {
    0xE1: (
        "card report",
        {
            0x80: "chip serial",
            0x81: "card life cycle",
            0x82: "EEPROM size",
            0x83: "unallocated bytes",
            0x84: "COS id",
            0x86: "states of the environments",
        },
    ),
    0xE2: (
        "domain report",
        {
            0x80: "domain",
            0x81: "state",
            0x82: "quota",
            0x83: "free bytes",
            0x84: "master-key version",
            0x85: "master-key check value",
            0x86: "block state",
        },
    ),
}
_CARD_STATES = {
    0x01: "BLANK",
    0x03: "INITIALISED",
    0x07: "HANDED_OVER",
    0x0F: "ISSUED",
    0x7F: "LOCKED",
    0xFF: "TERMINATED",
}
_STATES = {0x01: "CREATED", 0x03: "OWNED", 0x07: "OPERATIONAL", 0xFF: "TERMINATED"}
_BLOCKS = {0: "none", 1: "temporary", 2: "permanent", 3: "card blocked"}


def _report(tag: int, value: bytes) -> Explanation:
    """Explain E1 and E2, the answers of GET DATA C0 and D0 (cos 5.1)."""
    title, names = _REPORTS[tag]
    try:
        objects = parse(value)
    except TlvError as error:
        return Explanation(f"{tag:02X} {title}", f"malformed: {error}", value)
    parts = tuple(
        Explanation(
            f"{inner:02X} {names.get(inner, 'unknown')}",
            _report_words(names.get(inner, ""), content),
            content,
        )
        for inner, content in objects
    )
    return Explanation(f"{tag:02X} {title}", "", value, parts, "cos 5.1")


def _report_words(name: str, content: bytes) -> str:
    number = int.from_bytes(content, "big")
    match name:
        case "card life cycle":
            return _CARD_STATES.get(number, "unknown")
        case "state":
            return _STATES.get(number, "unknown")
        case "domain":
            return domain_name(number)
        case "block state":
            return _BLOCKS.get(number, "unknown")
        case "EEPROM size" | "unallocated bytes" | "quota" | "free bytes":
            return f"{number} bytes"
        case "states of the environments":
            pairs = zip(content[::2], content[1::2], strict=False)
            return ", ".join(
                f"{domain_name(code)} {_STATES.get(state, 'unknown')}" for code, state in pairs
            )
        case _:
            return ""
