"""Code bytes of files, keys and access conditions, under the names profiles use (cos 2, 4.4)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = [
    "ACCESS_ENVIRONMENT",
    "ACCESS_FREE",
    "ACCESS_NEVER",
    "ACCESS_OPERAND",
    "ACCESS_OR",
    "ALGORITHMS",
    "DIRECTORY_KIND",
    "KEY_FILE_FID",
    "KEY_FILE_KIND",
    "KEY_FLAG_KCV",
    "KEY_FLAG_PROTECTED",
    "KEY_FLAG_SESSION",
    "KEY_HEADER_SIZE",
    "KEY_RECORD_SIZE",
    "KEY_TYPES",
    "KINDS",
    "MASTER_GRANT",
    "PIN_GRANT",
    "SM_ENCIPHER",
    "SM_MAC",
    "SUITE_SM4",
    "SUITE_TDES",
]

DIRECTORY_KIND: Final = 0x38
KEY_FILE_KIND: Final = 0x0C
KEY_FILE_FID: Final = 0xEF80
KEY_RECORD_SIZE: Final = 40
KEY_HEADER_SIZE: Final = 12

KINDS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "transparent": 0x01,
        "fixed": 0x02,
        "variable": 0x04,
        "tlv": 0x05,
        "cyclic": 0x06,
        "internal": 0x09,
    }
)
"""Kinds of working and internal EFs, tag 82 byte 1 (cos 2.2); the key file is KEY_FILE_KIND."""

KEY_TYPES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "master": 0x00,
        "pin": 0x01,
        "puk": 0x02,
        "pin_reload": 0x03,
        "stk": 0x07,
        "load": 0x08,
        "purchase": 0x09,
        "tac": 0x0A,
        "external": 0x0D,
        "internal": 0x0E,
        "ac": 0x10,
        "mac": 0x11,
        "enc": 0x12,
        "kenc": 0x13,
        "kmac": 0x14,
        "kdek": 0x15,
        "kmc_data": 0x16,
    }
)
"""Byte 0 of a key header (cos 4.4; 10 and above pse-pboc 9)."""

ALGORITHMS: Final[Mapping[str, int]] = MappingProxyType({"3des": 0, "des": 1, "ssf33": 2, "sm4": 4})
"""Byte 3 of a key header (cos 4.4; 02 ssse-lb002 4.2, whose cipher is not public)."""

KEY_FLAG_PROTECTED: Final = 0x01
"""b1: the key is only written enciphered and with a MAC."""
KEY_FLAG_SESSION: Final = 0x02
"""b2: EXTERNAL AUTHENTICATE takes the session form (cos 4.7)."""
KEY_FLAG_KCV: Final = 0x04
"""b3: the key check value may be queried."""

PIN_GRANT: Final = 1
"""Environment grant that stands for the cardholder's PIN (ssse-lb002 4.4)."""
MASTER_GRANT: Final = 15
"""Grant bit of a directory's master key (cos 2.3)."""

ACCESS_FREE: Final = 0x0000
ACCESS_NEVER: Final = 0xFFFF
ACCESS_OPERAND: Final = 0x80
"""Top bit of each operand byte of an access condition."""
ACCESS_ENVIRONMENT: Final = 0x40
"""L bit: the grant is one of the environment, not of the current directory."""
ACCESS_OR: Final = 0x20
"""o bit of the second operand: either suffices; clear means both are needed."""

SM_MAC: Final = 0x80
"""b8 of an sm byte: the command carries a MAC; b4-b1 name the STK (cos 2.3)."""
SM_ENCIPHER: Final = 0x40
"""b7 of an sm byte: the command's data are enciphered."""

SUITE_TDES: Final = 0x01
"""Algorithm suite bit of tag C1 in A5: 3DES (cos 2.2)."""
SUITE_SM4: Final = 0x02
"""Algorithm suite bit of tag C1 in A5: SM4."""
