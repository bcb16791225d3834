"""PBOC debit as data: identifiers, data elements, DGIs and the bits of its bit fields.

Sources: pse-pboc 1, 2.3, 2.7, 4.5, 5.1, 5.2, 9.3.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = [
    "ADA_BITS",
    "AIDS",
    "AIP_BITS",
    "CVR_BITS",
    "DEBIT_AID",
    "DGIS",
    "GET_DATA",
    "LOG_FORMAT",
    "PPSE_NAME",
    "PSE_FID",
    "PSE_NAME",
    "PUT_DATA",
    "RID",
    "TAGS",
    "TVR_BITS",
    "Tag",
]

PSE_FID: Final = 0xDDF2
PSE_NAME: Final = b"1PAY.SYS.DDF01"
PPSE_NAME: Final = b"2PAY.SYS.DDF01"
RID: Final = bytes.fromhex("A000000333")
DEBIT_AID: Final = bytes.fromhex("A000000333010101")

AIDS: Final[Mapping[bytes, str]] = MappingProxyType(
    {
        DEBIT_AID: "PBOC debit",
        bytes.fromhex("A000000333010102"): "PBOC credit",
        bytes.fromhex("A000000333010103"): "PBOC quasi-credit",
        bytes.fromhex("A000000333010106"): "PBOC electronic cash",
        bytes.fromhex("A00000000386980701"): "PBOC e-purse and e-deposit",
    }
)
"""Application identifiers (pse-pboc 1.1)."""


class Tag(NamedTuple):
    """A data element.

    `length` in bytes, None when variable; `format` as the standard writes it (b, n, cn, an,
    ans); `get_data` readable by GET DATA; `put_data` changeable by PUT DATA (pse-pboc 5.1).
    """

    tag: int
    name: str
    length: int | None
    format: str
    get_data: bool = False
    put_data: bool = False


_ROWS: Final[tuple[Tag, ...]] = (
    Tag(0x4F, "application identifier", None, "b"),
    Tag(0x50, "application label", None, "ans"),
    Tag(0x57, "track 2 equivalent data", None, "b"),
    Tag(0x5A, "application PAN", None, "cn"),
    Tag(0x61, "application template", None, "b"),
    Tag(0x6F, "FCI template", None, "b"),
    Tag(0x70, "record template", None, "b"),
    Tag(0x71, "issuer script template 1", None, "b"),
    Tag(0x72, "issuer script template 2", None, "b"),
    Tag(0x73, "directory discretionary template", None, "b"),
    Tag(0x77, "response template format 2", None, "b"),
    Tag(0x80, "response template format 1", None, "b"),
    Tag(0x82, "application interchange profile", 2, "b"),
    Tag(0x83, "command template", None, "b"),
    Tag(0x84, "DF name", None, "b"),
    Tag(0x87, "application priority indicator", 1, "b"),
    Tag(0x88, "SFI of the directory file", 1, "b"),
    Tag(0x8A, "authorisation response code", 2, "an"),
    Tag(0x8C, "CDOL1", None, "b"),
    Tag(0x8D, "CDOL2", None, "b"),
    Tag(0x8E, "cardholder verification method list", None, "b"),
    Tag(0x8F, "CA public key index", 1, "b"),
    Tag(0x90, "issuer public key certificate", None, "b"),
    Tag(0x91, "issuer authentication data", None, "b"),
    Tag(0x92, "issuer public key remainder", None, "b"),
    Tag(0x93, "signed static application data", None, "b"),
    Tag(0x94, "application file locator", None, "b"),
    Tag(0x95, "terminal verification results", 5, "b"),
    Tag(0x9A, "transaction date", 3, "n"),
    Tag(0x9B, "transaction status information", 2, "b"),
    Tag(0x9C, "transaction type", 1, "n"),
    Tag(0xA5, "FCI proprietary template", None, "b"),
    Tag(0x5F20, "cardholder name", None, "ans"),
    Tag(0x5F24, "application expiry date", 3, "n"),
    Tag(0x5F25, "application effective date", 3, "n"),
    Tag(0x5F28, "issuer country code", 2, "n"),
    Tag(0x5F2A, "transaction currency code", 2, "n"),
    Tag(0x5F2D, "language preference", None, "an"),
    Tag(0x5F30, "service code", 2, "n"),
    Tag(0x5F34, "PAN sequence number", 1, "n"),
    Tag(0x9F02, "amount, authorised", 6, "n"),
    Tag(0x9F03, "amount, other", 6, "n"),
    Tag(0x9F07, "application usage control", 2, "b"),
    Tag(0x9F08, "application version number", 2, "b"),
    Tag(0x9F0B, "cardholder name extended", None, "ans"),
    Tag(0x9F0D, "issuer action code, default", 5, "b"),
    Tag(0x9F0E, "issuer action code, denial", 5, "b"),
    Tag(0x9F0F, "issuer action code, online", 5, "b"),
    Tag(0x9F10, "issuer application data", None, "b"),
    Tag(0x9F11, "issuer code table index", 1, "n"),
    Tag(0x9F12, "application preferred name", None, "ans"),
    Tag(0x9F13, "last online ATC register", 2, "b", get_data=True),
    Tag(0x9F14, "lower consecutive offline limit (terminal)", 1, "b"),
    Tag(0x9F17, "PIN try counter", 1, "b", get_data=True),
    Tag(0x9F1A, "terminal country code", 2, "n"),
    Tag(0x9F21, "transaction time", 3, "n"),
    Tag(0x9F23, "upper consecutive offline limit (terminal)", 1, "b"),
    Tag(0x9F26, "application cryptogram", 8, "b"),
    Tag(0x9F27, "cryptogram information data", 1, "b"),
    Tag(0x9F2D, "ICC PIN encipherment public key certificate", None, "b"),
    Tag(0x9F2E, "ICC PIN encipherment public key exponent", None, "b"),
    Tag(0x9F2F, "ICC PIN encipherment public key remainder", None, "b"),
    Tag(0x9F32, "issuer public key exponent", None, "b"),
    Tag(0x9F36, "application transaction counter", 2, "b", get_data=True),
    Tag(0x9F37, "unpredictable number", 4, "b"),
    Tag(0x9F38, "PDOL", None, "b"),
    Tag(0x9F42, "application currency code", 2, "n"),
    Tag(0x9F44, "application currency exponent", 1, "n"),
    Tag(0x9F45, "data authentication code", 2, "b"),
    Tag(0x9F46, "ICC public key certificate", None, "b"),
    Tag(0x9F47, "ICC public key exponent", None, "b"),
    Tag(0x9F48, "ICC public key remainder", None, "b"),
    Tag(0x9F49, "DDOL", None, "b"),
    Tag(0x9F4A, "static data authentication tag list", None, "b"),
    Tag(0x9F4B, "signed dynamic application data", None, "b"),
    Tag(0x9F4D, "log entry", 2, "b"),
    Tag(0x9F4E, "merchant name", None, "ans"),
    Tag(0x9F4F, "log format", None, "b", get_data=True),
    Tag(0x9F51, "application currency code (card)", 2, "n", get_data=True),
    Tag(0x9F52, "application default action", 2, "b", get_data=True),
    Tag(0x9F53, "consecutive offline limit, by currency", 1, "b", get_data=True, put_data=True),
    Tag(0x9F54, "cumulative offline amount limit", 6, "n", get_data=True, put_data=True),
    Tag(0x9F56, "issuer authentication indicator", 1, "b", get_data=True),
    Tag(0x9F57, "issuer country code (card)", 2, "n", get_data=True),
    Tag(0x9F58, "lower consecutive offline limit", 1, "b", get_data=True, put_data=True),
    Tag(0x9F59, "upper consecutive offline limit", 1, "b", get_data=True, put_data=True),
    Tag(0x9F5A, "issuer URL 2", None, "ans"),
    Tag(0x9F5C, "cumulative offline amount upper limit", 6, "n", get_data=True, put_data=True),
    Tag(0x9F5D, "available offline spending amount", 6, "n", get_data=True),
    Tag(0x9F61, "cardholder identification number", None, "ans"),
    Tag(0x9F62, "cardholder identification type", 1, "cn"),
    Tag(0x9F63, "card product identification", 16, "b"),
    Tag(0x9F66, "terminal transaction qualifiers", 4, "b"),
    Tag(0x9F68, "card additional processes", 4, "b", get_data=True),
    Tag(0x9F69, "card authentication related data", 8, "b"),
    Tag(0x9F6B, "card CVM limit", 6, "n", get_data=True, put_data=True),
    Tag(0x9F6C, "card transaction qualifiers", 2, "b"),
    Tag(0x9F6D, "electronic cash reset threshold", 6, "n", get_data=True, put_data=True),
    Tag(0x9F72, "consecutive offline limit, by country", 1, "b", get_data=True, put_data=True),
    Tag(0x9F73, "currency conversion factor", 4, "n", get_data=True, put_data=True),
    Tag(0x9F74, "electronic cash issuer authorisation code", 6, "an"),
    Tag(0x9F75, "cumulative offline amount, dual currency", 6, "n", get_data=True, put_data=True),
    Tag(0x9F76, "second application currency code", 2, "n", get_data=True),
    Tag(0x9F77, "electronic cash balance limit", 6, "n", get_data=True, put_data=True),
    Tag(0x9F78, "electronic cash transaction limit", 6, "n", get_data=True, put_data=True),
    Tag(0x9F79, "electronic cash balance", 6, "n", get_data=True, put_data=True),
    Tag(0x9F7A, "electronic cash terminal support indicator", 1, "b"),
    Tag(0x9F7B, "electronic cash terminal transaction limit", 6, "n"),
    Tag(0xBF0C, "FCI issuer discretionary data", None, "b"),
)

TAGS: Final[Mapping[int, Tag]] = MappingProxyType({row.tag: row for row in _ROWS})
"""Data elements by tag (pse-pboc 2.7, 5.1)."""
GET_DATA: Final[frozenset[int]] = frozenset(row.tag for row in _ROWS if row.get_data)
"""Tags GET DATA may read once personalised (pse-pboc 2.3)."""
PUT_DATA: Final[frozenset[int]] = frozenset(row.tag for row in _ROWS if row.put_data)
"""Tags PUT DATA may change on a card personalised with them (pse-pboc 5.1)."""

LOG_FORMAT: Final = bytes.fromhex("9A039F21039F02069F03069F1A025F2A029F4E149C019F3602")
"""The usual 9F4F: records of 45 bytes (pse-pboc 7)."""

DGIS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x0D01: "card risk data changeable by script",
        0x0E01: "fixed card risk data",
        0x8000: "UDK-AC, UDK-MAC, UDK-ENC",
        0x8010: "reference PIN block",
        0x8101: "ICC private key: modulus",
        0x8103: "ICC private key: exponent",
        0x8201: "ICC private key CRT: q^-1 mod p",
        0x8202: "ICC private key CRT: d mod (q-1)",
        0x8203: "ICC private key CRT: d mod (p-1)",
        0x8204: "ICC private key CRT: q",
        0x8205: "ICC private key CRT: p",
        0x8301: "PIN private key CRT: q^-1 mod p",
        0x8302: "PIN private key CRT: d mod (q-1)",
        0x8303: "PIN private key CRT: d mod (p-1)",
        0x8304: "PIN private key CRT: q",
        0x8305: "PIN private key CRT: p",
        0x9000: "key check values of 8000",
        0x9010: "PIN try counter and limit",
        0x9102: "FCI template A5, contact",
        0x9103: "FCI template A5, contactless",
        0x9104: "GET PROCESSING OPTIONS answer, contact",
        0x9200: "issuer application data template",
        0x9203: "GET PROCESSING OPTIONS answer, electronic cash",
        0x9206: "GET PROCESSING OPTIONS answer, MSD",
        0x9207: "GET PROCESSING OPTIONS answer, qPBOC",
    }
)
"""Data grouping identifiers; 0101 to 1Exx are records, SFI then record number (pse-pboc 9.3)."""

AIP_BITS: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (1, 7): "static data authentication supported",
        (1, 6): "dynamic data authentication supported",
        (1, 5): "cardholder verification supported",
        (1, 4): "terminal risk management to be performed",
        (1, 3): "issuer authentication supported",
        (1, 1): "combined data authentication supported",
    }
)
"""(byte, bit) of tag 82, both from 1, bit 8 the most significant (pse-pboc 5.1)."""

ADA_BITS: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (1, 8): "issuer authentication failed: next transaction online",
        (1, 7): "issuer authentication performed and failed: decline",
        (1, 6): "issuer authentication mandatory, no ARPC received: decline",
        (1, 5): "declined offline: advice",
        (1, 4): "PIN try limit exceeded in this transaction and declined: advice",
        (1, 3): "declined, issuer authentication failed or not performed: advice",
        (1, 2): "new card: online",
        (1, 1): "new card and unable to go online: decline",
        (2, 8): "PIN try limit exceeded in this transaction: block application",
        (2, 7): "PIN try limit exceeded before: decline",
        (2, 6): "PIN try limit exceeded before: online",
        (2, 5): "PIN try limit exceeded before and unable to go online: decline",
        (2, 4): "script failed in a previous transaction: online",
        (2, 3): "PIN try limit exceeded before: decline and block application",
    }
)
"""(byte, bit) of tag 9F52 (pse-pboc 5.2)."""

CVR_BITS: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (2, 4): "issuer authentication performed and failed",
        (2, 3): "offline PIN verification performed",
        (2, 2): "offline PIN verification failed",
        (2, 1): "unable to go online",
        (3, 8): "last online transaction not completed",
        (3, 7): "PIN try limit exceeded",
        (3, 6): "velocity checking exceeded",
        (3, 5): "new card",
        (3, 4): "issuer authentication failure on last online transaction",
        (3, 3): "issuer authentication not performed after online authorisation",
        (3, 2): "application blocked because PIN try limit exceeded",
        (3, 1): "SDA failed on last transaction and it was declined offline",
        (4, 4): "script processing failed on last transaction",
        (4, 3): "DDA or CDA failed on last transaction and it was declined offline",
        (4, 2): "DDA performed",
    }
)
"""(byte, bit) of the CVR's single-bit fields (pse-pboc 4.5); byte 1 is its length 03. Byte 2
b8-b7 and b6-b5 are the second and first GENERATE AC: 00 AAC, 01 TC, 10 ARQC or not yet
requested; byte 4 b8-b5 count script commands."""

TVR_BITS: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (1, 8): "offline data authentication not performed",
        (1, 7): "SDA failed",
        (1, 6): "ICC data missing",
        (1, 5): "card on exception file",
        (1, 4): "DDA failed",
        (1, 3): "CDA failed",
        (2, 8): "application versions differ",
        (2, 7): "application expired",
        (2, 6): "application not yet effective",
        (2, 5): "service not allowed",
        (2, 4): "new card",
        (3, 8): "cardholder verification failed",
        (3, 7): "unknown cardholder verification method",
        (3, 6): "PIN try limit exceeded",
        (3, 5): "PIN pad missing or not working",
        (3, 4): "PIN not entered",
        (3, 3): "online PIN entered",
        (4, 8): "floor limit exceeded",
        (4, 7): "lower consecutive offline limit exceeded",
        (4, 6): "upper consecutive offline limit exceeded",
        (4, 5): "selected at random for online processing",
        (4, 4): "merchant forced online",
        (5, 8): "default TDOL used",
        (5, 7): "issuer authentication failed",
        (5, 6): "script failed before final GENERATE AC",
        (5, 5): "script failed after final GENERATE AC",
    }
)
"""(byte, bit) of tag 95 (pse-pboc 2.7)."""
