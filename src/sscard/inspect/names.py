"""Words for the codes of the COS: domains, kinds, key types, states, access conditions.

What the human views share, so that a file or a key has one name everywhere.
Source: cos 2.2, 2.3, 4.4.
"""

from sscard.cos.layout import PAGE_SIZE, Superblock
from sscard.cos.objects import KeyType, Kind
from sscard.iso.text import from_gbk
from sscard.keys import Algorithm
from sscard.spec.psam import levels, use_of

__all__ = [
    "access_words",
    "algorithm_name",
    "df_name",
    "domain_name",
    "key_type_name",
    "key_usage_name",
    "kind_name",
    "page_name",
    "protection_words",
    "tries_words",
]

_DOMAINS = {0: "CM", 1: "SSSE", 2: "PSE"}
_KINDS = {
    Kind.DIRECTORY: "directory",
    Kind.TRANSPARENT: "transparent",
    Kind.LINEAR_FIXED: "linear fixed",
    Kind.LINEAR_VARIABLE: "linear variable",
    Kind.LINEAR_TLV: "linear TLV",
    Kind.CYCLIC: "cyclic",
    Kind.INTERNAL: "internal",
    Kind.KEY: "key file",
}
_KEY_TYPES = {
    KeyType.MASTER: "master key",
    KeyType.PIN: "PIN",
    KeyType.PUK: "PUK",
    KeyType.PIN_RELOAD: "PIN reload key",
    KeyType.STK: "line protection key (STK)",
    KeyType.DLK: "load key (DLK)",
    KeyType.DPK: "purchase key (DPK)",
    KeyType.DTK: "TAC key (DTK)",
    KeyType.EXTERNAL_AUTH: "external authentication key",
    KeyType.INTERNAL_AUTH: "internal authentication key",
    KeyType.ISSUER_AC: "issuer key AC",
    KeyType.ISSUER_MAC: "issuer key MAC",
    KeyType.ISSUER_ENC: "issuer key ENC",
    KeyType.KENC: "KENC",
    KeyType.KMAC: "KMAC",
    KeyType.KDEK: "KDEK",
    KeyType.KMC_DATA: "KMC identifier",
}
_ALGORITHMS = {
    Algorithm.TDES: "3DES",
    Algorithm.DES: "DES",
    Algorithm.SSF33: "SSF33",
    Algorithm.SM4: "SM4",
}
_FIXED = (
    ("chip_page", "CH chip page"),
    ("atr_page", "AT ATR page"),
    ("card_page", "CS card state"),
    ("extent_page", "EX extent table"),
)


def domain_name(code: int) -> str:
    """CM, SSSE or PSE; another code as `domain xx`."""
    return _DOMAINS.get(code, f"domain {code:02X}")


def kind_name(kind: int) -> str:
    """The kind of a file, tag 82 byte 1."""
    return _KINDS.get(kind, f"unknown kind {kind:02X}")  # type: ignore[call-overload,no-any-return]


def key_type_name(kind: int) -> str:
    """The type of a key, byte 0 of its header."""
    return _KEY_TYPES.get(kind, f"unknown key type {kind:02X}")  # type: ignore[call-overload,no-any-return]


def key_usage_name(usage: int) -> str:
    """The usage byte of a PSAM's key, in words (cos 7.2)."""
    use = use_of(usage)
    word = "unknown use" if use is None else use.name.lower().replace("_", " ")
    return f"usage {usage:02X} ({word}, {levels(usage)} levels to go)"


def algorithm_name(code: int) -> str:
    """The algorithm of a key, byte 3 of its header."""
    return _ALGORITHMS.get(code, f"unknown algorithm {code:02X}")  # type: ignore[call-overload,no-any-return]


def tries_words(tries: int) -> str:
    """The tries byte of a key header: maximum and initial value, or unlimited."""
    return "unlimited tries" if tries == 0xFF else f"{tries >> 4} tries, first {tries & 15}"


def access_words(word: int) -> str:
    """An AC2 access condition in words; an undefined word says so. Source: cos 2.3."""
    if word == 0x0000:
        return "always"
    if word == 0xFFFF:
        return "never"
    first, second = word >> 8, word & 0xFF
    if first & 0xB0 != 0x80 or (second and second & 0x90 != 0x80):
        return f"undefined condition {word:04X}"
    text = _operand(first)
    if second:
        text += (" or " if second & 0x20 else " and ") + _operand(second)
    return text


def _operand(byte: int) -> str:
    grant = byte & 0x0F
    if byte & 0x40:
        named = {15: "EMK", 1: "holder PIN"}
        return named.get(grant, f"environment key {grant:02X}")
    return "master key" if grant == 15 else f"key {grant:02X} of the directory"


def protection_words(sm: int) -> str:
    """An sm byte in words. Source: cos 2.3."""
    if not sm:
        return "none"
    parts = [
        word
        for bit, word in ((0x80, "MAC"), (0x40, "enciphered"), (0x20, "MAC on the answer"))
        if sm & bit
    ]
    return f"{' and '.join(parts) or 'undefined'} under STK {sm & 0x0F:02X}"


def df_name(name: bytes) -> str:
    """A DF name as text where it is text, else in hex."""
    try:
        text = from_gbk(name)
    except UnicodeDecodeError:
        return name.hex().upper()
    return text if text and text.isprintable() and text[0].isalnum() else name.hex().upper()


def page_name(block: Superblock, page: int) -> str:
    """What the map of the image says a page is for. Source: cos 2.5."""
    if page < 2:
        return f"superblock copy {page}"
    for field, name in _FIXED:
        if page == getattr(block, field):
            return name
    if page == 6:
        return "OP options page"
    slot = page - block.journal_start
    if 0 <= slot < block.journal_pages:
        return f"journal slot {slot}"
    if block.heap_start <= page < block.heap_start + block.heap_pages:
        return "heap"
    return "reserved" if page * PAGE_SIZE < block.size else "outside the image"
