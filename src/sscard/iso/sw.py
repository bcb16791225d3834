"""Status words (ISO 7816-4; the complete lists of cos 5.3, ssse-lb002 3.11, pse-pboc 2.2).

Each is declared once, with its meaning. A status word is an `int`; the ones that carry a
number in their low bits are made by functions, not by arithmetic in handlers.
"""

from typing import ClassVar

__all__ = ["SW"]


class SW(int):
    """A status word: a 16-bit integer that knows its meaning.

    `SW(0x6982).meaning` is a sentence; `bytes(SW.OK)` its two bytes on the wire.
    """

    __slots__ = ()

    OK: ClassVar["SW"]
    WARNING: ClassVar["SW"]
    CORRUPT_DATA: ClassVar["SW"]
    END_OF_FILE: ClassVar["SW"]
    FILE_INVALIDATED: ClassVar["SW"]
    FILE_TERMINATED: ClassVar["SW"]
    AUTHENTICATION_FAILED: ClassVar["SW"]
    UNCHANGED: ClassVar["SW"]
    MEMORY_FAILURE: ClassVar["SW"]
    WRONG_LENGTH: ClassVar["SW"]
    CHANNEL_NOT_SUPPORTED: ClassVar["SW"]
    SM_NOT_SUPPORTED: ClassVar["SW"]
    CHAINING_NOT_SUPPORTED: ClassVar["SW"]
    NOT_ACCEPTED: ClassVar["SW"]
    WRONG_FILE_KIND: ClassVar["SW"]
    SECURITY_STATUS: ClassVar["SW"]
    BLOCKED: ClassVar["SW"]
    NO_CHALLENGE: ClassVar["SW"]
    CONDITIONS: ClassVar["SW"]
    NO_CURRENT_EF: ClassVar["SW"]
    SM_MISSING: ClassVar["SW"]
    SM_WRONG: ClassVar["SW"]
    WRONG_DATA: ClassVar["SW"]
    NOT_SUPPORTED: ClassVar["SW"]
    FILE_NOT_FOUND: ClassVar["SW"]
    RECORD_NOT_FOUND: ClassVar["SW"]
    NO_SPACE: ClassVar["SW"]
    WRONG_P1P2: ClassVar["SW"]
    DATA_NOT_FOUND: ClassVar["SW"]
    FID_EXISTS: ClassVar["SW"]
    NAME_EXISTS: ClassVar["SW"]
    WRONG_OFFSET: ClassVar["SW"]
    INS_UNKNOWN: ClassVar["SW"]
    CLA_UNKNOWN: ClassVar["SW"]
    INTERNAL_FAULT: ClassVar["SW"]
    MAC_WRONG: ClassVar["SW"]
    PERMANENTLY_BLOCKED: ClassVar["SW"]
    INSUFFICIENT_FUNDS: ClassVar["SW"]
    COUNTER_LIMIT: ClassVar["SW"]
    KEY_INDEX: ClassVar["SW"]
    MAC_NOT_AVAILABLE: ClassVar["SW"]

    @staticmethod
    def tries_left(tries: int) -> "SW":
        """63Cx: comparison failed, `tries` (0..15) left."""
        if not 0 <= tries <= 15:
            raise ValueError(f"tries left must be 0..15, not {tries}")
        return SW(0x63C0 | tries)

    @staticmethod
    def more(length: int) -> "SW":
        """61xx: `length` (1..256) bytes wait for GET RESPONSE."""
        return SW(0x6100 | (length & 0xFF))

    @staticmethod
    def wrong_le(length: int) -> "SW":
        """6Cxx: repeat the command with Le = `length` (1..256)."""
        return SW(0x6C00 | (length & 0xFF))

    @classmethod
    def of(cls, response: bytes) -> "SW":
        """Return the status word at the end of a response of at least two bytes."""
        return cls(int.from_bytes(response[-2:], "big"))

    @property
    def meaning(self) -> str:
        """What the status word says, in words."""
        named = _MEANINGS.get(int(self))
        if named is not None:
            return named[1]
        high, low = self >> 8, self & 0xFF
        if high == 0x61:
            return f"{low or 256} bytes waiting"
        if high == 0x6C:
            return f"wrong Le, {low or 256} is right"
        if self & 0xFFF0 == 0x63C0:
            return f"comparison failed, {self & 0x0F} tries left"
        return "unknown status word"

    def __bytes__(self) -> bytes:
        return self.to_bytes(2, "big")

    def __repr__(self) -> str:
        return f"SW(0x{int(self):04X})"

    def __str__(self) -> str:
        return f"{int(self):04X}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec) if spec in ("", "s") else int.__format__(self, spec)


_MEANINGS: dict[int, tuple[str, str]] = {
    0x9000: ("OK", "done"),
    0x6200: ("WARNING", "warning, nothing changed"),
    0x6281: ("CORRUPT_DATA", "the data returned may be corrupt"),
    0x6282: ("END_OF_FILE", "the file ended before Le bytes were read"),
    0x6283: ("FILE_INVALIDATED", "the selected object is blocked, deactivated or damaged"),
    0x6285: ("FILE_TERMINATED", "the selected domain is terminated"),
    0x6300: ("AUTHENTICATION_FAILED", "authentication failed"),
    0x6400: ("UNCHANGED", "refused, nothing changed"),
    0x6581: ("MEMORY_FAILURE", "the EEPROM could not be written"),
    0x6700: ("WRONG_LENGTH", "wrong Lc or Le"),
    0x6881: ("CHANNEL_NOT_SUPPORTED", "logical channels are not supported"),
    0x6882: ("SM_NOT_SUPPORTED", "secure messaging is not supported for this command"),
    0x6884: ("CHAINING_NOT_SUPPORTED", "command chaining is not supported"),
    0x6901: ("NOT_ACCEPTED", "the command is not accepted in this state"),
    0x6981: ("WRONG_FILE_KIND", "the command does not fit the kind of file or key"),
    0x6982: ("SECURITY_STATUS", "the security status is not satisfied"),
    0x6983: ("BLOCKED", "the key or PIN is blocked"),
    0x6984: ("NO_CHALLENGE", "no usable challenge or reference data"),
    0x6985: ("CONDITIONS", "the conditions of use are not satisfied"),
    0x6986: ("NO_CURRENT_EF", "no EF is current"),
    0x6987: ("SM_MISSING", "secure messaging is required and missing"),
    0x6988: ("SM_WRONG", "the secure messaging MAC is wrong"),
    0x6A80: ("WRONG_DATA", "the data field is wrong"),
    0x6A81: ("NOT_SUPPORTED", "function not supported, or card or application blocked"),
    0x6A82: ("FILE_NOT_FOUND", "file or application not found"),
    0x6A83: ("RECORD_NOT_FOUND", "record not found"),
    0x6A84: ("NO_SPACE", "not enough space"),
    0x6A86: ("WRONG_P1P2", "wrong P1 or P2"),
    0x6A88: ("DATA_NOT_FOUND", "key or data object not found"),
    0x6A89: ("FID_EXISTS", "an object with this identifier exists already"),
    0x6A8A: ("NAME_EXISTS", "a directory with this name exists already"),
    0x6B00: ("WRONG_OFFSET", "the offset lies outside the file"),
    0x6D00: ("INS_UNKNOWN", "unknown instruction"),
    0x6E00: ("CLA_UNKNOWN", "unknown class"),
    0x6F00: ("INTERNAL_FAULT", "internal fault; the card is mute until reset"),
    0x9302: ("MAC_WRONG", "the MAC of the transaction is wrong"),
    0x9303: ("PERMANENTLY_BLOCKED", "the application is permanently blocked"),
    0x9401: ("INSUFFICIENT_FUNDS", "insufficient funds"),
    0x9402: ("COUNTER_LIMIT", "the transaction counter has reached its limit"),
    0x9403: ("KEY_INDEX", "the key index is not supported"),
    0x9406: ("MAC_NOT_AVAILABLE", "the required MAC is not available"),
}
for _code, (_name, _) in _MEANINGS.items():
    setattr(SW, _name, SW(_code))
