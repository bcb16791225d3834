"""Numbers of data groupings of PBOC personalisation, and which of them are what (pse-pboc 9.3).

What each holds is told in `sscard.spec.pboc.DGIS`. Both sides of STORE DATA use them.
"""

from typing import Final

__all__ = [
    "AIP_AFL",
    "AIP_AFL_CASH",
    "AIP_AFL_QUICK",
    "CARD_KEYS",
    "CONTACTLESS",
    "FCI",
    "FCI_CONTACTLESS",
    "ICC_CRT",
    "ICC_EXPONENT",
    "ICC_MODULUS",
    "ISSUER_DATA",
    "KEY_CHECK_VALUES",
    "PIN",
    "PIN_CRT",
    "PIN_TRIES",
    "PRIVATE_KEYS",
    "RISK_DATA",
    "SECRETS",
    "UNPADDED",
    "is_record",
]

FCI: Final = 0x9102
AIP_AFL: Final = 0x9104
AIP_AFL_CASH: Final = 0x9203
"""The answer to GPO in a transaction of electronic cash."""
AIP_AFL_QUICK: Final = 0x9207
"""That of qPBOC; it may hold a 9F10 of its own."""
FCI_CONTACTLESS: Final = 0x9103
CONTACTLESS: Final = frozenset((FCI_CONTACTLESS, AIP_AFL_QUICK))
"""What a card without contactless interface does not take."""
ISSUER_DATA: Final = 0x9200
CARD_KEYS: Final = 0x8000
KEY_CHECK_VALUES: Final = 0x9000
PIN: Final = 0x8010
PIN_TRIES: Final = 0x9010
RISK_DATA: Final = (0x0D01, 0x0E01)
ICC_MODULUS: Final = 0x8101
ICC_EXPONENT: Final = 0x8103
ICC_CRT: Final = range(0x8201, 0x8206)
PIN_CRT: Final = range(0x8301, 0x8306)
"""The private key for enciphered PINs, where it is not the ICC key: as EMV CPS numbers it."""
PRIVATE_KEYS: Final = frozenset((ICC_MODULUS, ICC_EXPONENT, *ICC_CRT, *PIN_CRT))
UNPADDED: Final = frozenset((CARD_KEYS, PIN))
"""Whole blocks by nature: enciphered without padding (pse-pboc 9.2)."""
SECRETS: Final = PRIVATE_KEYS | UNPADDED
"""What is enciphered when P1 leaves it to the application."""


def is_record(dgi: int) -> bool:
    """Whether a DGI is a record: first byte the SFI, second its number."""
    return 0x01 <= dgi >> 8 <= 0x1E and bool(dgi & 0xFF) and dgi not in RISK_DATA
