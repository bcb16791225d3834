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
        20,
        "pse_next_name",
        ("restart", "6A82"),
        "SELECT of the next occurrence (P2 02) without a first: the first, or 6A82",
        "pse-pboc 1.2",
    ),
    Option(
        21,
        "pse_failed_select",
        ("reset", "keep"),
        "a SELECT that finds nothing ends the transaction of the application, or leaves it",
        "pse-pboc 1.2",
    ),
    Option(
        22,
        "pse_empty_get_response",
        ("6985", "6D00"),
        "GET RESPONSE in the PSE with nothing waiting",
        "pse-pboc 2.1",
    ),
    Option(
        23,
        "pse_ac_reserved_bits",
        ("ignore", "6A86"),
        "bits of P1 of GENERATE AC that have no meaning",
        "pse-pboc 2.2",
    ),
    Option(
        24,
        "pse_log_format_absent",
        ("6A88", "empty"),
        "GET DATA of a log format that was not personalised: 6A88, or 9F4F00",
        "pse-pboc 2.3",
    ),
    Option(
        25,
        "pse_read_before_gpo",
        ("allowed", "6985"),
        "READ RECORD of SFI 1 to 10 before GET PROCESSING OPTIONS; the log is always readable",
        "pse-pboc 2.5",
    ),
    Option(
        26,
        "pse_record_zero",
        ("6A83", "6A86"),
        "READ RECORD of record 00",
        "pse-pboc 2.5",
    ),
    Option(
        27,
        "pse_cda_unsupported",
        ("6985", "ignore"),
        "CDA asked of a card whose AIP does not offer it",
        "pse-pboc 3",
    ),
    Option(
        28,
        "pse_failures_max",
        ("off", "100"),
        "script MACs, and ARPCs, that may be wrong in a row before they are refused for good",
        "pse-pboc 3",
    ),
    Option(
        29,
        "pse_session_keys",
        ("pboc", "emv_csk"),
        "session keys of PBOC, or the common session keys of EMV",
        "pse-pboc 4.2",
    ),
    Option(
        30,
        "pse_script_keys",
        ("session", "vis"),
        "scripts under the same kind of session keys, or under those of VIS",
        "pse-pboc 4.2",
    ),
    Option(
        31,
        "pse_idd_padding",
        ("always", "if_needed"),
        "the MAC in issuer data over two amounts: one more block of padding, or none",
        "pse-pboc 4.6",
    ),
    Option(
        32,
        "pse_pin_change_key",
        ("ENC", "AC"),
        "the card key whose bytes mask a new PIN",
        "pse-pboc 4.8",
    ),
    Option(
        33,
        "pse_pin_change_roles",
        ("emv", "swapped"),
        "PIN CHANGE knows the current PIN with P2 01 and not with 02, or the other way round",
        "pse-pboc 4.8, 14 #14",
    ),
    Option(
        34,
        "pse_pin_blocks",
        ("AAC", "6985"),
        "the first GENERATE AC that blocks the application (ADA 2.b3): an AAC, or 6985",
        "pse-pboc 5.3",
    ),
    Option(
        35,
        "pse_log_declined",
        ("off", "on"),
        "transactions that end in an AAC are logged, too",
        "pse-pboc 5.4, 7",
    ),
    Option(
        36,
        "pse_approving_arcs",
        ("referrals", "strict"),
        "ARCs that approve: 00 10 11 01 02 Y1, or without the referrals 01 and 02",
        "pse-pboc 5.4",
    ),
    Option(
        37,
        "pse_put_data_limit",
        ("6A80", "6985", "6976"),
        "PUT DATA of a balance above its limit",
        "pse-pboc 5.6",
    ),
    Option(
        38,
        "pse_long_record",
        ("6A84", "6A83"),
        "UPDATE RECORD of a script with a record the file has no room for",
        "pse-pboc 5.6",
    ),
    Option(
        39,
        "pse_ac_format",
        ("80", "77"),
        "GENERATE AC without CDA: 80 with values alone, or 77 with their tags",
        "pse-pboc 2.6",
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
    Option(
        47,
        "pse_open_without_pin",
        ("yes", "no"),
        "a first GENERATE AC without PIN tries leaves the session open for scripts",
        "pse-pboc 3, 14 #25",
    ),
    Option(
        48,
        "pse_declined_counts",
        ("yes", "no"),
        "the counters of foreign currency and country count AACs, too",
        "pse-pboc 5.3, 14 #26",
    ),
    Option(
        49,
        "pse_arpc_unsupported",
        ("checked", "6985"),
        "EXTERNAL AUTHENTICATE of a card whose AIP offers no issuer authentication",
        "pse-pboc 3, 14 #27",
    ),
    Option(
        50,
        "pse_conversion",
        ("dropped", "rounded"),
        "the fraction of an amount converted with 9F73",
        "pse-pboc 5.1, 14 #29",
    ),
    Option(
        51,
        "pse_missing_ac_item",
        ("zeros", "6985"),
        "an item of the cryptogram that the CDOL does not ask for",
        "pse-pboc 4.4",
    ),
    Option(
        52,
        "electronic_cash",
        ("off", "on"),
        "DGI 9203 is taken, and GET PROCESSING OPTIONS may open a transaction of electronic cash",
        "pse-pboc 6.1",
    ),
    Option(
        53,
        "pse_cash_balance",
        ("after", "before"),
        "the balance in issuer data of types 01 and 03 when electronic cash is debited",
        "pse-pboc 6.1, 14 #19",
    ),
    Option(
        54,
        "contactless",
        ("off", "on"),
        "the card has a contactless interface: PPSE, DGIs 9103 and 9207, qPBOC",
        "pse-pboc 1.5, 6.2",
    ),
)

BY_NAME: Final[Mapping[str, Option]] = MappingProxyType({o.name: o for o in OPTIONS})
BY_NUMBER: Final[Mapping[int, Option]] = MappingProxyType({o.number: o for o in OPTIONS})
DEFAULTS: Final[Mapping[str, str]] = MappingProxyType({o.name: o.values[0] for o in OPTIONS})
