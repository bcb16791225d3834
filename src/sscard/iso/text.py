"""Text and number formats of data elements (ssse-lb002 2.2; pse-pboc 2.7).

Each format is a pair: the name writes, `from_` the name reads. Values that do not fit are a
ValueError, except `gbk`, which shortens at a character. Stdlib only; both sides of the wire.
"""

__all__ = [
    "an",
    "ascii_text",
    "bcd",
    "cn",
    "from_an",
    "from_ascii",
    "from_bcd",
    "from_cn",
    "from_gbk",
    "from_n",
    "gbk",
    "n",
]


def bcd(digits: str) -> bytes:
    """Pack an even number of decimal digits, two a byte: "20240115" is 4 bytes."""
    if len(digits) % 2:
        raise ValueError(f"BCD packs digits in pairs, {digits!r} has {len(digits)}")
    return bytes.fromhex(_decimal(digits))


def from_bcd(data: bytes) -> str:
    """Unpack BCD; ValueError when a nibble is not a decimal digit."""
    return _decimal(data.hex())


def cn(digits: str, size: int) -> bytes:
    """Format cn: digits left-justified, filled with F to `size` bytes."""
    return bytes.fromhex(_fitting(digits, size).ljust(size * 2, "f"))


def from_cn(data: bytes) -> str:
    """Read format cn; ValueError when anything but digits stands before the F's."""
    return _decimal(data.hex().rstrip("f"))


def n(value: int, size: int) -> bytes:
    """Format n: a number as BCD, right-justified, zero-filled to `size` bytes (amounts)."""
    if value < 0:
        raise ValueError(f"format n has no sign: {value}")
    return bytes.fromhex(_fitting(str(value), size).rjust(size * 2, "0"))


def from_n(data: bytes) -> int:
    """Read format n as a number; ValueError when a nibble is not a decimal digit."""
    return int(from_bcd(data) or "0")


def ascii_text(text: str) -> bytes:
    """Encode as ASCII; UnicodeEncodeError (a ValueError) for anything else."""
    return text.encode("ascii")


def from_ascii(data: bytes) -> str:
    """Decode ASCII; UnicodeDecodeError (a ValueError) for anything else."""
    return data.decode("ascii")


def an(text: str, size: int, fill: int = 0x00) -> bytes:
    """Format an: ASCII left-justified, filled to `size` bytes (00; some writers use 20 or FF)."""
    return _filled(ascii_text(text), size, fill)


def from_an(data: bytes, fill: int = 0x00) -> str:
    """Read format an without its trailing fill."""
    return from_ascii(data.rstrip(bytes((fill,))))


def gbk(text: str, size: int, fill: int = 0x00, encoding: str = "gb18030") -> bytes:
    """Chinese text in GB18030 (of which GBK is a part), filled to `size` bytes.

    A text too long keeps the characters that fit whole; none is ever cut in two.
    `encoding="gbk"` refuses characters outside GBK with a UnicodeEncodeError.
    """
    kept = b""
    for character in text:
        longer = kept + character.encode(encoding)
        if len(longer) > size:
            break
        kept = longer
    return _filled(kept, size, fill)


def from_gbk(data: bytes, fill: int = 0x00, encoding: str = "gb18030") -> str:
    """Read Chinese text without its trailing fill; UnicodeDecodeError for other bytes.

    The fill must be a byte that ends no character: 00, 20 or FF.
    """
    return data.rstrip(bytes((fill,))).decode(encoding)


def _decimal(digits: str) -> str:
    if digits and not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{digits!r} has something other than decimal digits")
    return digits


def _fitting(digits: str, size: int) -> str:
    if len(digits) > size * 2:
        raise ValueError(f"{len(digits)} digits do not fit {size} bytes")
    return _decimal(digits)


def _filled(data: bytes, size: int, fill: int) -> bytes:
    if len(data) > size:
        raise ValueError(f"{len(data)} characters do not fit {size} bytes")
    return data.ljust(size, bytes((fill,)))
