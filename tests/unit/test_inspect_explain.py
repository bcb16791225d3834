"""`explain`: names, addressing, typed values; and what it must not show (style 2.8; cos 5.1)."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.card import Card
from sscard.inspect import KINDS, Explanation, explain, explain_event
from sscard.inspect.explaining.catalogue import TABLES, lookup, place_name
from sscard.iso.tlv import encode, encode_simple
from sscard.spec.pboc import TAGS
from sscard.spec.ssse import ITEM_NAMES, SSSE_FID, V2

KEY = "B0C3BE8D15CCE35B43AE0D702B4D80CD"
NAME = "091E" + "D5C5B2E2CAD4".ljust(60, "0")


def text(data: str, **options: object) -> str:
    return str(explain(data, **options))


# --- every command ------------------------------------------------------------------------

ROWS = [(domain, row.cla, row.ins, row.name) for domain, table in TABLES.items() for row in table]


@pytest.mark.parametrize(("domain", "cla", "ins", "name"), ROWS)
def test_every_row_of_every_table_is_explained_by_its_name(domain, cla, ins, name):
    where = place_name(domain)
    tree = explain(bytes((cla, ins, 0, 0)), domain=where)
    assert tree.label == name.partition(" (")[0]
    assert tree.ref


def test_a_command_of_two_domains_has_both_names_unless_the_domain_is_known():
    assert {entry.name for entry in lookup(0x80, 0x50)} == {
        "INITIALIZE FOR LOAD / PURCHASE",
        "INITIALIZE UPDATE",
    }
    assert explain("80500000080001020304050607", domain="PSE").label == "INITIALIZE UPDATE"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("00B2052806", "tag 05"),
        ("00B2010412", "record number 1"),
        ("00B2010412", "the current EF"),
        ("00B2083014", "SFI 06"),
        ("00DC002B04AABBCCDD", "a new newest record of SFI 05"),
        ("00B0950A0A", "SFI 15, which becomes current"),
        ("00B0950A0A", "offset 10"),
        ("00B003E814", "offset 1000 of the current EF"),
        ("00A4000002EF05", "FID: EF05"),
        ("00A40400", "by DF name"),
        ("80CA9F3600", "9F36 application transaction counter"),
        ("80CA00D000", "domain report"),
        ("80AE4000", "TC, an approval"),
        ("84D401000411223344", "replace"),
        ("841E0001045C865855", "permanent"),
        ("0082000408" + "00" * 8, "key 04"),
        ("008200830A16E77895E0513B623030", "ARPC"),
        ("0082000411" + "00" * 16 + "01", "key version"),
    ],
)
def test_parameters_and_data_in_words(command, words):
    assert words in text(command)


# --- what it must not show ------------------------------------------------------------------

SECRETS = {
    "PIN": ("0020000003123456", {}, "123456"),
    "PIN block": ("002000800826123456FFFFFFFF", {}, "123456"),
    "new PIN": ("805E010007123456FF654321", {}, "654321"),
    "key in clear": ("80D400001C0D04010033040000" + "8F000310" + KEY, {}, KEY),
    "key enciphered": ("84D4000014" + KEY + "01020304", {}, KEY),
    "holder's number": ("0812393939393031313939303031303131323332", {}, "3939393930313139"),
    "holder's name": (NAME, {}, "D5C5B2E2CAD4"),
    "name in an answer": (NAME + "9000", {"command": "00B2093020"}, "D5C5B2E2CAD4"),
    "name in a record cut off": (NAME[:20] + "9000", {"command": "00B2093020"}, "D5C5B2E2CAD4"),
    "name under a tag of no table": (
        "77" + NAME[2:] + "9000",
        {"command": "00B2093020", "domain": "SSSE"},
        "D5C5B2E2CAD4",
    ),
    "track 2 in a template cut off": (
        "7040571362109500000000009000",
        {"command": "00B2010C00", "domain": "PSE"},
        "62109500",
    ),
    "name in an update": ("00DC093020" + NAME, {}, "D5C5B2E2CAD4"),
    "birth date": ("0D0419900101", {}, "19900101"),
    "PAN": ("5A0A6210950000000000017F", {"kind": "tlv"}, "62109500"),
    "track 2": (
        "701557136210950000000000017D30126200000012345F",
        {},
        "6210950000",
    ),
    "photo": ("FFD8FFE000104A4649469000", {"command": "00B0880008"}, "FFD8FFE0"),
    "photo written": ("00D6880008FFD8FFE000104A46", {}, "FFD8FFE0"),
    "private key": ("80E200000B820408D212800EE26F5E5D", {}, "D212800E"),
    "reference PIN": ("80E200000B80100826123456FFFFFFFF", {}, "123456"),
}


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_left_out_and_shown_on_demand(name):
    data, options, secret = SECRETS[name]
    hidden = explain(data, **options)
    for shown in (str(hidden), json.dumps(hidden.to_json()), repr(hidden)):
        assert secret not in shown.upper()
        assert bytes.fromhex(secret[: len(secret) & ~1]).hex() not in shown
    assert "not shown" in str(hidden)
    assert secret in str(explain(data, reveal=True, **options)).upper()


def test_what_is_public_is_not_hidden():
    shown = text("0709543030303030303158")
    assert "T0000001X, check character right" in shown
    assert "2024-01-15" in text("050420240115")
    log = text("0D0102030405069000", command="00B2015C00", domain="PSE")
    assert "bytes of no TLV form  [0D010203040506]" in log


# --- records and data elements ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("directory", "item"),
    [
        pytest.param(directory.fid, item, id=f"{directory.fid:04X}-{file.fid:04X}-{item.tag:02X}")
        for directory in V2
        for file in directory.files
        if file.kind == "tlv"
        for item in file.items
    ],
)
def test_ssse_2_every_item_of_the_tables_is_known(directory, item):
    record = encode_simple(item.tag, bytes(item.length))
    tree = explain(record, kind="record", directory=directory)
    assert tree.parts[0].ref.startswith("ssse-lb002 2.")
    for name in ITEM_NAMES.get((directory, item.tag), ()):
        assert name in tree.parts[0].label


def test_ssse_10_3_records_without_being_told_what_they_are():
    assert "card category" in text("020133")
    assert explain("020133").find("tag 02") is not None
    assert "sex" in text("0A0131")
    assert "male" in text("0A0131")
    assert "2.00" in text("0304322E3030")
    assert "region" in text("0110999901D15600000500000001F0E44726")


def test_the_directory_decides_what_a_tag_means():
    record = encode_simple(0x28, b"13800000000\0\0\0\0")
    assert "telephone" in text(record, directory=0xDF01)
    assert "not an item" in text(record, directory=SSSE_FID, kind="record")


@pytest.mark.parametrize("tag", sorted(TAGS))
def test_pse_pboc_every_tag_has_its_name(tag):
    value = bytes(TAGS[tag].length or 4)
    tree = explain(encode(tag, value), kind="tlv")
    assert TAGS[tag].name in tree.label


def test_pse_pboc_2_7_bit_fields_in_words():
    assert "new card" in text("0008000000", kind="tvr")
    assert "dynamic data authentication supported" in text("7C00", kind="aip")
    assert "at ATMs" in text("AB80", kind="auc")
    assert "ARQC" in text("80", kind="cid")
    assert "declined, PIN try limit exceeded" in text("02", kind="cid")
    assert "records 1 to 2, 1 of them signed" in text("10010201", kind="afl")
    assert "type 01" in text("07010103A41002010A010000010000A1EB339A", kind="iad")


def test_cos_2_3_access_conditions_in_words():
    cases = {
        "0000": "always",
        "FFFF": "never",
        "8F00": "master key",
        "CF00": "EMK",
        "8400": "key 04 of the directory",
        "C100": "holder PIN",
        "C184": "holder PIN and key 04 of the directory",
        "C1A4": "holder PIN or key 04 of the directory",
        "1234": "undefined condition 1234",
    }
    for word, words in cases.items():
        assert explain(word, kind="ac2").value == words


# --- forms -----------------------------------------------------------------------------------


def test_hex_may_have_blanks_and_colons():
    assert explain("00 a4 04 00").label == explain("00:A4:04:00").label == "SELECT"


@pytest.mark.parametrize(
    "options", [{"data": "xyz"}, {"data": "9"}, {"data": "9000", "kind": "poem"}]
)
def test_wrong_arguments_are_a_value_error(options):
    with pytest.raises(ValueError, match=r"hex|kind"):
        explain(**options)
    with pytest.raises(ValueError, match="domain"):
        explain("9000", domain="MARS")


@given(data=st.binary(max_size=64), kind=st.sampled_from([None, *KINDS]), reveal=st.booleans())
def test_any_bytes_are_explained(data, kind, reveal):
    tree = explain(data, kind=kind, reveal=reveal)
    assert str(tree)
    assert json.dumps(tree.to_json())


@given(data=st.binary(max_size=64), command=st.binary(min_size=4, max_size=12))
def test_any_answer_to_any_command_is_explained(data, command):
    assert str(explain(data, command=command))


def test_deep_nesting_ends():
    data = b""
    for _ in range(3000):
        data = encode(0x6F, data[:60_000])
    assert isinstance(explain(data), Explanation)


def test_trace_events_in_words():
    card = Card.blank()
    events: list[object] = []
    card.trace(events.append)
    activation = card.power_on()
    activation.transmit(bytes.fromhex("0020000003123456"))
    activation.transmit(random.Random(1).randbytes(2))
    shown = "\n".join(str(explain_event(event)) for event in events)
    assert "historical bytes" in shown
    assert "refused because" in shown
    assert "123456" not in shown


@pytest.mark.parametrize(
    ("command", "domain", "section"),
    [
        ("04DA9F58050511223344", None, "pse-pboc 4.8"),
        ("841E000004AABBCCDD", None, "ssse-lb002 4.6; pse-pboc 4.8"),
        ("841E000004AABBCCDD", "PSE", "pse-pboc 4.8"),
        ("841E000004AABBCCDD", "SSSE", "ssse-lb002 4.6"),
        ("8424000004AABBCCDD", "PSE", "pse-pboc 4.8"),
        ("04DC010C06700011223344", "PSE", "pse-pboc 4.8"),
        ("84E4000006DF01AABBCCDD", "PSE", "cos 6.1"),
    ],
)
def test_the_section_of_a_mac_is_that_of_the_place(command, domain, section):
    parts = explain(command, kind="command", domain=domain).parts
    data = next(part for part in parts if part.label == "data")
    assert next(part for part in data.parts if part.label == "MAC").ref == section


def test_pse_2_2_the_pse_has_no_current_ef_and_an_arpc_names_no_key():
    for command in ("04DC010C06700011223344", "00B2010C00"):
        assert "current" not in text(command, kind="command", domain="PSE")
    assert "which becomes current" in text("00B2010C00", kind="command", domain="SSSE")
    shown = text("008200000A11223344556677883030", kind="command")
    assert "master key" not in shown
