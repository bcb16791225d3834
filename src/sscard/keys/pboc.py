"""Cryptography of the PBOC debit application (pse-pboc 4.1-4.8), 3DES throughout.

Card keys from issuer keys, session keys per ATC, cryptograms, ARPC, scripts and PIN blocks.
Pure; the card and the bank host use the same functions.
"""

from sscard.keys.block import Algorithm, engine
from sscard.keys.line import unwrap, wrap
from sscard.keys.mac import blocks_mac, retail_mac

__all__ = [
    "arpc",
    "cryptogram",
    "emv_common_session_key",
    "idd_mac",
    "online_pin_block",
    "online_pin_digits",
    "pan_factor",
    "pin_block",
    "pin_change_block",
    "pin_change_digits",
    "pin_digits",
    "script_block_decrypt",
    "script_block_encrypt",
    "script_decrypt",
    "script_encrypt",
    "script_mac",
    "session_key",
    "session_seed",
    "udk",
    "vis_session_key",
]

_ALL_ONES = b"\xff" * 8
_PIN_HEAD = b"\x08"
_PIN_TAIL = b"\x80" + bytes(6)


def udk(mdk: bytes, pan: str, psn: str = "00") -> bytes:
    """Derive a card key from an issuer master key (EMV option A); 16 bytes.

    `pan` and `psn` as in `pan_factor`. Source: pse-pboc 4.1.
    """
    block = pan_factor(pan, psn)
    return engine(Algorithm.TDES, mdk).encrypt(block + _xor(block, _ALL_ONES))


def pan_factor(pan: str, psn: str = "00") -> bytes:
    """Return Y, the 8 bytes that stand for a card where its keys are derived.

    Shapes: `pan` decimal digits without filler; `psn` two digits. The rightmost 16 digits of
    PAN || PSN count, shorter ones are padded with 0 on the left. Source: pse-pboc 4.1.
    """
    digits = pan + psn
    if len(psn) != 2 or not (pan and digits.isascii() and digits.isdigit()):
        raise ValueError("PAN and PSN are decimal digits, the PSN two of them")
    return bytes.fromhex(digits[-16:].rjust(16, "0"))


def session_key(udk: bytes, atc: int) -> bytes:
    """SK = E3(UDK, 0^6 || ATC) || E3(UDK, 0^6 || ~ATC); 16 bytes. Source: pse-pboc 4.2."""
    return engine(Algorithm.TDES, udk).encrypt(session_seed(atc))


def session_seed(atc: int, *, common: bool = False) -> bytes:
    """Return the 16 bytes a UDK enciphers to a session key; `common`: to EMV's common one."""
    counter = _atc(atc)
    if common:
        return counter + b"\xf0" + bytes(5) + counter + b"\x0f" + bytes(5)
    return bytes(6) + counter + bytes(6) + _atc(atc ^ 0xFFFF)


def emv_common_session_key(udk: bytes, atc: int) -> bytes:
    """Derive the EMV common session key, a profile switch; 16 bytes. Source: pse-pboc 4.2."""
    return engine(Algorithm.TDES, udk).encrypt(session_seed(atc, common=True))


def vis_session_key(udk: bytes, atc: int) -> bytes:
    """XOR ATC and ~ATC into the ends of the halves (VIS), a profile switch. pse-pboc 4.2."""
    return _xor(udk, bytes(6) + _atc(atc) + bytes(6) + _atc(atc ^ 0xFFFF))


def cryptogram(session_key: bytes, data: bytes) -> bytes:
    """AC: the 8-byte retail MAC under SK-AC over the data of pse-pboc 4.4."""
    return retail_mac(session_key, data)


def arpc(session_key: bytes, ac1: bytes, arc: bytes) -> bytes:
    """ARPC = E3(SK-AC, AC1 ^ (ARC || 0^6)).

    `ac1` is the 8-byte cryptogram of the first GENERATE AC, `arc` 2 bytes. pse-pboc 4.7.
    """
    if len(ac1) != 8 or len(arc) != 2:
        raise ValueError("the ARPC is made of an 8-byte cryptogram and a 2-byte ARC")
    return engine(Algorithm.TDES, session_key).encrypt(_xor(ac1, arc + bytes(6)))


def script_mac(session_key: bytes, header: bytes, atc: int, ac1: bytes, data: bytes) -> bytes:
    """Return the 4-byte MAC of a script command, under SK-MAC.

    `header` is CLA INS P1 P2 Lc as sent (Lc counts the MAC), `ac1` the cryptogram of the first
    GENERATE AC, `data` the command data as sent without the MAC. Source: pse-pboc 4.8.
    """
    if len(header) != 5 or len(ac1) != 8:
        raise ValueError("a script MAC starts from a 5-byte header and an 8-byte cryptogram")
    return retail_mac(session_key, header + _atc(atc) + ac1 + data)[:4]


def script_encrypt(session_key: bytes, data: bytes) -> bytes:
    """Encipher script data under SK-ENC: LD || data, 80 00.. if needed, ECB. pse-pboc 4.8."""
    return wrap(Algorithm.TDES, session_key, data)


def script_decrypt(session_key: bytes, data: bytes) -> bytes:
    """Undo `script_encrypt`. ValueError on a wrong length byte or padding."""
    return unwrap(Algorithm.TDES, session_key, data)


def script_block_encrypt(session_key: bytes, data: bytes) -> bytes:
    """Encipher whole blocks under SK-ENC: the 16 bytes of PIN CHANGE. Source: pse-pboc 4.8."""
    return engine(Algorithm.TDES, session_key).encrypt(data)


def script_block_decrypt(session_key: bytes, data: bytes) -> bytes:
    """Decipher whole blocks under SK-ENC: the 16 bytes of PIN CHANGE. Source: pse-pboc 4.8."""
    return engine(Algorithm.TDES, session_key).decrypt(data)


def idd_mac(session_key: bytes, atc: int, amounts: bytes, *, always: bool = True) -> bytes:
    """Return the 4-byte MAC in issuer discretionary data, under SK-MAC.

    Over ATC || `amounts` (5 or 10 bytes), zero-filled to whole blocks, then padded 80 00.. ;
    with `always` off two amounts get no padding block. Source: pse-pboc 4.6, 14 #12.
    """
    data = _atc(atc) + amounts
    filled = data + bytes(-len(data) % 8)
    padded = always or len(amounts) <= 5
    return (retail_mac(session_key, filled) if padded else blocks_mac(session_key, filled))[:4]


def pin_block(digits: str) -> bytes:
    """Reference PIN in format 2: 2N, N digits, F to 8 bytes (VERIFY). pse-pboc 2.4, 11.8."""
    return _pin_field(0x20, digits)


def pin_digits(block: bytes) -> str:
    """Read the digits of a format 2 block; ValueError unless `pin_block` makes just that."""
    return _read_pin_field(0x20, block)


def online_pin_block(digits: str, pan: str) -> bytes:
    """PIN block that goes on line, ISO 9564 format 0, in clear.

    (0N, N digits, F..) ^ (0000, the 12 rightmost digits of the PAN but the check digit).
    """
    return _xor(_pin_field(0x00, digits), _pan_field(pan))


def online_pin_digits(block: bytes, pan: str) -> str:
    """Read the digits of a clear format 0 block; ValueError unless it is one for this PAN."""
    if len(block) != 8:
        raise ValueError("a PIN block has 8 bytes")
    return _read_pin_field(0x00, _xor(block, _pan_field(pan)))


def pin_change_block(udk_enc: bytes, new: str, current: str | None = None) -> bytes:
    """Return the 16 plain bytes of PIN CHANGE: 08 || DELTA || 80 00.. (then ECB under SK-ENC).

    DELTA = (0^4 || UDK-ENC[4..7]) ^ (0N, new digits, F..) [^ current digits, 0..]. Without
    `current` the form of P2=02, with it that of P2=01. Source: pse-pboc 4.8.
    """
    delta = _xor(_pin_mask(udk_enc, current), _pin_field(0x00, new))
    return _PIN_HEAD + delta + _PIN_TAIL


def pin_change_digits(udk_enc: bytes, block: bytes, current: str | None = None) -> str:
    """Recover the new PIN from the deciphered 16 bytes of PIN CHANGE.

    Errors: ValueError when it is malformed, by a wrong key or a wrong current PIN (the card
    answers 6A80). A wrong current PIN may also give other digits: only the script's MAC
    vouches for them. Source: pse-pboc 4.8.
    """
    delta = block[1:9]
    if block != _PIN_HEAD + delta + _PIN_TAIL:
        raise ValueError("this is not a PIN CHANGE block")
    return _read_pin_field(0x00, _xor(_pin_mask(udk_enc, current), delta))


def _pin_mask(udk_enc: bytes, current: str | None) -> bytes:
    mask = bytes(4) + udk_enc[4:8]
    if current is None:
        return mask
    return _xor(mask, bytes.fromhex(_pin(current).ljust(16, "0")))


def _pin_field(control: int, digits: str) -> bytes:
    filled = _pin(digits).ljust(14, "f")
    return bytes((control | len(digits),)) + bytes.fromhex(filled)


def _read_pin_field(control: int, block: bytes) -> str:
    count = block[0] ^ control if len(block) == 8 else 0
    digits = block[1:].hex()[:count]
    if not 4 <= count <= 12 or _pin_field(control, digits) != block:
        raise ValueError("this is not a PIN block")
    return digits


def _pan_field(pan: str) -> bytes:
    return bytes.fromhex(pan[:-1][-12:].rjust(16, "0"))


def _pin(digits: str) -> str:
    if not 4 <= len(digits) <= 12 or not (digits.isascii() and digits.isdigit()):
        raise ValueError("a PIN is 4 to 12 decimal digits")
    return digits


def _atc(atc: int) -> bytes:
    return atc.to_bytes(2, "big")


def _xor(left: bytes, right: bytes) -> bytes:
    mixed = int.from_bytes(left, "big") ^ int.from_bytes(right, "big")
    return mixed.to_bytes(len(left), "big")
