"""Typed records: the vectors of the reference, round trips over every item of every table."""

import string
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.iso.tlv import TlvError
from sscard.spec.items import Item, parse_items
from sscard.spec.ssse import V2, VERSIONS
from sscard.terminal.records import (
    Field,
    decode_item,
    decode_record,
    decode_row,
    encode_item,
    encode_record,
    encode_row,
    item_name,
    join_name,
    moment,
    split_name,
)

ISSUER, HOLDER = V2[0].files[0], V2[0].files[1]
ITEMS = sorted(
    {
        item
        for table in VERSIONS.values()
        for directory in table
        for file in directory.files
        for item in file.items
    },
    key=repr,
)
TEXT = st.text(
    st.characters(codec="gb18030", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=12
)


@pytest.mark.parametrize(
    ("file", "record", "value"),
    [
        (ISSUER, "0304322E3030", "2.00"),
        (ISSUER, "040C915600000299990199990100", "915600000299990199990100"),
        (ISSUER, "050420240115", date(2024, 1, 15)),
        (ISSUER, "0709543030303030303158", "T0000001X"),
        (HOLDER, "091ED5C5B2E2CAD4" + "00" * 24, "张测试"),
        (HOLDER, "4E14" + "00" * 20, None),
        (HOLDER, "0B0101", "01"),
        (HOLDER, "0C03999901", "999901"),
        (HOLDER, "0D0419900101", date(1990, 1, 1)),
    ],
)
def test_ssse_10_3_records_of_the_reference(file, record, value):
    field = decode_record(file, bytes.fromhex(record))
    assert field.value == value
    assert encode_record(field.item, value).hex().upper() == record


def test_ssse_10_3_binary_stays_binary():
    raw = bytes.fromhex("999901D15600000500000001F0E44726")
    field = decode_record(ISSUER, b"\x01\x10" + raw)
    assert field.value == field.raw == raw


@pytest.mark.parametrize("record", ["0503202401", "990100", "0504202401150600", "05042024"])
def test_a_record_of_another_file_is_refused(record):
    with pytest.raises(TlvError):
        decode_record(ISSUER, bytes.fromhex(record))


# ---- formats -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notation", "raw", "value"),
    [
        ("05 cn 04", "20240230", "20240230"),  # no such day: digits
        ("05 cn 04", "FFFFFFFF", None),
        ("05 cn 04", "202401FF", "202401"),
        ("05 cn 04", "2024A115", bytes.fromhex("2024A115")),
        ("05 cn 03", "123FFF", "123"),
        ("cn 07", "20240120093000", datetime(2024, 1, 20, 9, 30)),
        ("cn 07", "20240120253000", "20240120253000"),
        ("92 dec 04", "000004D2", 1234),
        ("92 dec 04", "FFFFFFFF", None),
        ("an 01", "05", b"\x05"),  # the type of a debit, a number in a text item
        ("09 an 04", "41FFFFFF", "A"),  # one writer fills with FF
        ("09 an 04", "D5C5B2E2", "张测"),
        ("09 an 04", "D5C5B200", bytes.fromhex("D5C5B200")),  # a character cut in two
    ],
)
def test_ssse_2_2_formats(notation, raw, value):
    assert decode_item(parse_items(notation)[0], bytes.fromhex(raw)) == value


@pytest.mark.parametrize(
    ("notation", "value"),
    [
        ("09 an 04", "ABCDE"),
        ("09 an 04", "张测试"),
        ("09 an 04", "A\0"),
        ("09 an 04", 5),
        ("09 an 04", b"ABC"),
        ("0B cn 01", "123"),
        ("0B cn 01", "1A"),
        ("0B cn 01", date(2024, 1, 1)),
        ("05 cn 04", datetime(2024, 1, 1, 1)),
        ("92 dec 04", -1),
        ("92 dec 04", 1 << 32),
        ("92 dec 04", "5"),
        ("01 b 02", "AB"),
        ("40 {57 an 03}", "ABC"),
    ],
)
def test_what_does_not_fit_is_refused_and_never_cut(notation, value):
    with pytest.raises(ValueError, match=r"."):
        encode_item(parse_items(notation)[0], value)


def test_a_constructed_item():
    item = parse_items("40 {57 an 03, 58 cn 03, 59 an 28}")[0]
    unset = encode_item(item, None)
    assert unset.hex().upper() == "5703" + "00" * 3 + "5803FFFFFF" + "5928" + "00" * 40
    fields = decode_item(item, unset)
    assert [field.value for field in fields] == [None] * 3
    named = (Field(item.inner[0], b"", "ABC"), Field(item.inner[2], b"", "某校"))
    again = decode_item(item, encode_item(item, named))
    assert [field.value for field in again] == ["ABC", None, "某校"]


def test_a_malformed_constructed_item_is_bytes():
    item = parse_items("40 {57 an 03}")[0]
    assert decode_item(item, bytes.fromhex("5704414243")) == bytes.fromhex("5704414243")
    assert decode_item(item, bytes.fromhex("5803414243")) == bytes.fromhex("5803414243")


# ---- rows ----------------------------------------------------------------------------------------


def test_ssse_3_10_a_row_of_the_debit_log():
    log = next(file for file in V2[4].files if file.fid == 0xEF08)
    raw = bytes.fromhex("000105999901000001" + "20260701103000" + "000003E8000007D0000003E8")
    row = decode_row(log.items, raw)
    values = tuple(field.value for field in row)
    assert values[2:] == ("999901000001", datetime(2026, 7, 1, 10, 30), 1000, 2000, 1000)
    assert encode_row(log.items, values) == raw


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="2 bytes"):
        decode_row(parse_items("b 02"), b"\0")
    with pytest.raises(ValueError, match="1 fields"):
        encode_row(parse_items("b 02"), ())


# ---- round trips ---------------------------------------------------------------------------------


def values_of(item: Item):
    """Values an item can hold, in the form they are decoded to."""
    if item.inner:
        parts = [
            values_of(part).map(
                lambda value, part=part: Field(part, encode_item(part, value), value)
            )
            for part in item.inner
        ]
        return st.tuples(*parts)
    if item.type == "b":
        return st.binary(min_size=item.length, max_size=item.length)
    if item.type in ("dec", "hex"):
        return st.integers(0, (1 << 8 * item.length) - 2)
    if item.type == "an":
        fitting = TEXT.filter(lambda text: len(text.encode("gb18030")) <= item.length)
        narrow = st.text(string.ascii_letters, min_size=1, max_size=item.length)
        return st.none() | (fitting if item.length >= 8 else narrow)
    dates = st.dates(min_value=date(1, 1, 1)) if item.length == 4 else st.nothing()
    moments = (
        st.datetimes().map(lambda at: at.replace(microsecond=0))
        if item.length == 7
        else st.nothing()
    )
    digits = st.text("0123456789", min_size=1, max_size=min(2 * item.length, 7))
    return st.none() | dates | moments | digits


@given(st.sampled_from(ITEMS).flatmap(lambda item: st.tuples(st.just(item), values_of(item))))
def test_every_item_of_every_table_round_trips(case):
    item, value = case
    raw = encode_item(item, value)
    assert len(raw) == item.length
    assert decode_item(item, raw) == value


@given(st.sampled_from(ITEMS).flatmap(
    lambda item: st.tuples(st.just(item), st.binary(min_size=item.length, max_size=item.length))
))  # fmt: skip
def test_any_bytes_of_a_card_can_be_decoded_and_written_again(case):
    item, raw = case
    again = encode_item(item, decode_item(item, raw))
    assert decode_item(item, again) == decode_item(item, raw)


# ---- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["张测试", "买买提" * 5, "买买提" * 5 + "买", "㐀䶵" * 6, ""])
def test_ssse_2_3_a_long_name_goes_into_the_extension(name):
    head, rest = split_name(name)
    assert len(head.encode("gb18030")) <= 30
    assert join_name(head or None, rest or None) == name


def test_ssse_2_3_a_name_too_long_is_refused():
    with pytest.raises(ValueError, match="50 bytes"):
        split_name("买" * 26)


def test_item_names():
    assert item_name(0xDDF1, 0x05) == "date of issue"
    assert item_name(0xDF07, 0xF0) == "tag F0"


def test_ssse_3_10_moment():
    assert moment(datetime(2024, 1, 20, 9, 30)).hex() == "20240120093000"
