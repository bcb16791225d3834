"""A PSAM's commands in words: usage byte, factors, purchase, CREATE (cos 7; ssse-lb002 5.1).

What is enciphered may be a PIN, what goes into a MAC a record of the holder: the data of
DES_CRYPT are marked secret, but for the header of the command that is protected.
"""

from collections.abc import Callable, Iterator

from sscard.inspect.explanation import Explanation
from sscard.inspect.names import algorithm_name, key_usage_name
from sscard.iso.apdu import Command
from sscard.spec.psam import FREE, NEVER, DirectoryEntry, FileEntry, FileKind, levels

__all__ = ["DATA", "PARAMETERS", "explain_answer_data", "explain_factors"]

_FACTOR = 8
_FACTORS = ("card", "city", "province")
_MODES = {
    0x00: "encipher, the last blocks",
    0x01: "MAC, the last blocks",
    0x02: "encipher, more follow",
    0x03: "MAC, further blocks",
    0x05: "MAC in one call",
    0x07: "MAC, the first blocks",
}
_WITH_IV = (0x05, 0x07)
_ENCIPHERING = (0x00, 0x02)
_HEADER = 5
_KINDS = {
    FileKind.MF: "MF",
    FileKind.DF: "DF",
    FileKind.KEYS: "key file",
    FileKind.TRANSPARENT: "transparent",
    FileKind.VARIABLE: "linear variable",
}
_TRANSACTION = (
    ("card's random number", 4),
    ("card's sequence number", 2),
    ("amount", 4),
    ("transaction type", 1),
    ("date", 4),
    ("time", 3),
    ("key version", 1),
    ("algorithm", 1),
)
_PURCHASES = {0x05: "deposit purchase", 0x06: "purse purchase"}

Parameters = tuple[tuple[str, str], ...]


def explain_factors(data: bytes) -> tuple[Explanation, ...]:
    """Explain diversification factors, innermost first: card, city, province (cos 7.3)."""
    return tuple(_factors(data))


def _factors(data: bytes) -> Iterator[Explanation]:
    for index in range(0, len(data), _FACTOR):
        raw = data[index : index + _FACTOR]
        number = index // _FACTOR
        level = _FACTORS[number] if number < len(_FACTORS) else f"level {number + 1}"
        text = raw.decode("ascii", "replace")
        words = text if number and text.isalnum() and text.isascii() else ""
        if len(raw) < _FACTOR:
            words = "too short"
        yield Explanation(f"{level} factor", words, raw)


# --- P1 and P2 --------------------------------------------------------------------------------


def _key(command: Command) -> Parameters:
    return (("P1", key_usage_name(command.p1)), ("P2", f"key id or version {command.p2:02X}"))


def _mode(command: Command) -> Parameters:
    return (("P1", _MODES.get(command.p1, f"undefined, {command.p1:02X}")),)


def _none(command: Command) -> Parameters:
    return (("P1 P2", f"{command.p1p2:04X}, should be 0000"),) if command.p1p2 else ()


PARAMETERS: dict[int, Callable[[Command], Parameters]] = {
    0xDE: _key,
    0x1A: _key,
    0xFA: _mode,
    0x70: _none,
    0x72: _none,
    0x80: _none,
    0x8A: _none,
}
"""What P1 and P2 of an instruction of the PSAM alone say."""


# --- data fields ------------------------------------------------------------------------------


def _session(command: Command) -> Explanation:
    """INIT SESSION: as many factors as the usage byte has levels, then the session factor."""
    data, size = command.data, _FACTOR * levels(command.p1)
    session = data[size:]
    words = "not a cipher block"
    if len(session) == _FACTOR:
        words = "of a 3DES key"
    elif len(session) == 2 * _FACTOR:
        words = "of an SM4 key, R || 00 x 8" if not any(session[_FACTOR:]) else "of an SM4 key"
    parts = explain_factors(data[:size])
    return Explanation("data", "", data, (*parts, Explanation("session factor", words, session)))


def _diversified(command: Command) -> Explanation:
    return Explanation("data", "", command.data, explain_factors(command.data))


def _crypt(command: Command) -> Explanation:
    data = command.data
    if command.p1 in _ENCIPHERING:
        part = Explanation("plain blocks", "", data, secret=True)
        return Explanation("data", "", data, (part,))
    parts: list[Explanation] = []
    rest = data
    if command.p1 in _WITH_IV:
        words = "half of it, if the key is SM4" if len(data) >= 2 * _FACTOR else ""
        parts.append(Explanation("IV", words, data[:_FACTOR]))
        rest = data[_FACTOR:]
        if _is_header(rest):
            parts.append(Explanation("header of the command", "", rest[:_HEADER]))
            rest = rest[_HEADER:]
    parts.append(Explanation("padded message", "", rest, secret=True))
    return Explanation("data", "", data, tuple(parts))


def _is_header(message: bytes) -> bool:
    """Whether a padded message begins with a command under line protection, as its Lc says."""
    if len(message) < 2 * _FACTOR - _HEADER or message[0] not in (0x04, 0x84):
        return False
    end = message[4] + 1  # Lc counts the four bytes of the MAC, which are not in the message
    return end < len(message) and message[end] == 0x80 and not any(message[end + 1 :])


def _purchase(command: Command) -> Explanation:
    parts, at, data = [], 0, command.data
    for name, size in _TRANSACTION:
        raw = data[at : at + size]
        parts.append(Explanation(name, _transaction_words(name, raw), raw))
        at += size
    return Explanation("data", "", data, (*parts, *explain_factors(data[at:])))


def _transaction_words(name: str, raw: bytes) -> str:
    number = int.from_bytes(raw, "big")
    match name:
        case "amount":
            return f"{number // 100}.{number % 100:02d} yuan"
        case "transaction type":
            return _PURCHASES.get(number, f"unknown type {number:02X}")
        case "date" if len(raw) == 4:
            return f"{raw[:2].hex()}-{raw[2:3].hex()}-{raw[3:].hex()}"
        case "time" if len(raw) == 3:
            return ":".join(f"{byte:02x}" for byte in raw)
        case "algorithm":
            return algorithm_name(number)
        case "card's sequence number" | "key version":
            return str(number)
        case _:
            return ""


def _mac2(command: Command) -> Explanation:
    return Explanation("MAC2", "of the card, over the amount", command.data)


def _create(command: Command) -> Explanation:
    data = command.data
    try:
        parts = _file(data) if len(data) == 8 else _directory(data)
    except ValueError as error:
        return Explanation("data", f"malformed: {error}", data)
    return Explanation("data", "", data, parts, "cos 2.1")


def _file(data: bytes) -> tuple[Explanation, ...]:
    entry = FileEntry.parse(data)
    return (
        *_head(entry.fid, entry.kind, data),
        Explanation("size", f"{entry.size} bytes", data[4:6]),
        Explanation("read", _right(entry.read), data[6:7]),
        Explanation("write", _right(entry.write), data[7:8]),
    )


def _directory(data: bytes) -> tuple[Explanation, ...]:
    entry = DirectoryEntry.parse(data)
    return (
        *_head(entry.fid, entry.kind, data),
        Explanation("SFI of the DIR", f"{entry.dir_sfi:02X}" if entry.dir_sfi else "none"),
        Explanation("DF name", entry.name.hex().upper(), entry.name),
    )


def _head(fid: int, kind: int, data: bytes) -> tuple[Explanation, Explanation]:
    words = _KINDS[FileKind(kind)]
    return Explanation("FID", f"{fid:04X}", data[:2]), Explanation("type", words, data[2:3])


def _right(right: int) -> str:
    return {FREE: "free", NEVER: "never"}.get(right, "master key")


DATA: dict[int, Callable[[Command], Explanation]] = {
    0xDE: _session,
    0x1A: _diversified,
    0xFA: _crypt,
    0x70: _purchase,
    0x72: _mac2,
    0x80: _create,
    0x8A: _create,
}
"""The data field of an instruction of the PSAM alone."""


# --- answers ----------------------------------------------------------------------------------


def explain_answer_data(command: Command, data: bytes) -> Explanation | None:
    """Explain what a PSAM answered; None for a command other cards have too."""
    if command.ins == 0x70 and len(data) == 8:
        number = str(int.from_bytes(data[:4], "big"))
        return Explanation(
            "data",
            "",
            data,
            (
                Explanation("terminal transaction number", number, data[:4]),
                Explanation("MAC1", "", data[4:]),
            ),
            "cos 7.3",
        )
    if command.ins == 0xFA:
        if command.p1 in _ENCIPHERING:
            return Explanation("cryptogram", "", data)
        return Explanation("MAC", "its first four bytes", data)
    return None
