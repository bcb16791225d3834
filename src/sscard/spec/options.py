"""Switches of COS and applets that a card image keeps in its options page.

The reference leaves these points open or names a default with alternatives. The first value of
each is the default, so a card of defaults needs no options page at all. Numbers are stable for
ever: a number retired is never used again. A value is stored as its index in `values`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["BY_NAME", "BY_NUMBER", "DEFAULTS", "OPTIONS", "Option"]


class Option(NamedTuple):
    """One switch: its stable number 1..255, name, values (default first), meaning, section."""

    number: int
    name: str
    values: tuple[str, ...]
    meaning: str
    ref: str


OPTIONS: Final[tuple[Option, ...]] = (
    Option(
        1,
        "record_le",
        ("ignore", "strict"),
        "a wrong Le of READ RECORD returns the whole record, or answers 6Cxx",
        "ssse-lb002 3.4",
    ),
    Option(
        2,
        "challenge_policy",
        ("last", "history:4"),
        "only the latest challenge is valid, or the last four are",
        "ssse-lb002 3.8",
    ),
    Option(
        3,
        "sm_mode",
        ("session", "pboc_iv"),
        "SSSE secure messaging: session key and IV 0, or the key itself and IV = challenge",
        "ssse-lb002 4.7",
    ),
    Option(
        4,
        "pin_sm_key",
        ("STK", "PUK"),
        "the key that protects RELOAD PIN and UNBLOCK PIN",
        "ssse-lb002 3.7",
    ),
    Option(
        5,
        "block_mode",
        ("auth+STKmac", "mac_with_LK"),
        "APPLICATION and CARD BLOCK: authenticate LK/BK and MAC with STK, or MAC with LK/BK",
        "ssse-lb002 4.7",
    ),
    Option(
        6,
        "card_block_scope",
        ("domain", "card"),
        "CARD BLOCK ends the own environment only, or the whole card",
        "cos 3.5",
    ),
    Option(
        7,
        "scrub_keys",
        ("on", "off"),
        "pages that held keys are scrubbed from the journal ring",
        "cos 1.4",
    ),
    Option(
        8,
        "kcv_public",
        ("on", "off"),
        "GET DATA D0 shows the master key's check value to everyone",
        "cos 5.1",
    ),
    Option(
        9,
        "partial_names",
        ("off", "on"),
        "SELECT in the SSSE takes the beginning of a DF name",
        "ssse-lb002 3.3",
    ),
    Option(
        10,
        "select_ddf1_by_fid",
        ("on", "off"),
        "SELECT DDF1 by FID from a DFxx finds the parent environment",
        "ssse-lb002 3.3",
    ),
    Option(
        11,
        "select_3f00_enters_ssse",
        ("off", "on"),
        "SELECT 3F00 answers as the MF but makes the SSSE current",
        "ssse-lb002 3.3",
    ),
    Option(
        12,
        "fci_alg_marker",
        ("none", "01", "02", "03"),
        "9F0C86xx at the end of A5 in the FCI of the SSSE: 01 DES, 02 SSF33, 03 SM4",
        "ssse-lb002 3.3",
    ),
    Option(
        13,
        "ext_auth_kid00",
        ("mk", *(f"{kid:02X}" for kid in range(1, 0x80))),
        "what EXTERNAL AUTHENTICATE with P2 = 00 and Lc 10 means: the master key, or this KID",
        "ssse-lb002 3.8",
    ),
    Option(
        14,
        "card_kind",
        ("user", "psam"),
        "what the card is: a social security card, or the PSAM of a terminal (ADR 7)",
        "cos 7",
    ),
    Option(
        15,
        "psam_mac",
        ("block", "4"),
        "DES_CRYPT of the PSAM answers a whole block, whose first 4 bytes are the MAC, or those 4",
        "cos 7.4; ssse-lb002 5.1",
    ),
    Option(
        16,
        "reload_by_key_load",
        ("off", "on"),
        "RELOAD PIN also in the shape of a key load, 84 D4 00 01",
        "ssse-lb002 3.2",
    ),
    Option(
        17,
        "medical_account",
        ("deposit", "purse"),
        "the account of DF04: P2 01 and types 01, 05, or P2 02 and types 02, 06",
        "ssse-lb002 3.10",
    ),
    Option(
        40,
        "verify_state",
        ("initiated", "any"),
        "VERIFY of the PSE between GPO and the first GENERATE AC only, or whenever it is selected",
        "pse-pboc 2.4",
    ),
    Option(
        41,
        "pin_malformed",
        ("wrong", "6A80"),
        "a PIN block that is none counts as a wrong PIN, or answers 6A80 and costs no try",
        "pse-pboc 2.4",
    ),
    Option(
        42,
        "pin_absent",
        ("6984", "6983"),
        "what VERIFY answers where no offline PIN is personalised",
        "pse-pboc 2.4",
    ),
    Option(
        43,
        "pin_decipherment",
        ("6984", "wrong"),
        "an enciphered PIN in no right form, or over another challenge: 6984 at no try, or wrong",
        "pse-pboc 2.4, 4.10",
    ),
    Option(
        44,
        "icv_encryption",
        ("off", "on"),
        "C-MACs of personalisation start from the one before as it is, or enciphered",
        "pse-pboc 9.1",
    ),
    Option(
        45,
        "cps_mac_error",
        ("6988", "6982"),
        "what a wrong C-MAC of the personalisation channel answers",
        "pse-pboc 9.1",
    ),
    Option(
        46,
        "risk_data_tags",
        ("any", "strict"),
        "DGIs 0D01 and 0E01 take each other's data elements, or only their own",
        "pse-pboc 9.3",
    ),
)

BY_NAME: Final[Mapping[str, Option]] = MappingProxyType({o.name: o for o in OPTIONS})
BY_NUMBER: Final[Mapping[int, Option]] = MappingProxyType({o.number: o for o in OPTIONS})
DEFAULTS: Final[Mapping[str, str]] = MappingProxyType({o.name: o.values[0] for o in OPTIONS})
