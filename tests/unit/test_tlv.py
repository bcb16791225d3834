"""TLV codecs: round trips, strictness, DOLs (pse-pboc 2.7; ssse-lb002 2.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.iso import tlv
from sscard.iso.tlv import TlvError

h = bytes.fromhex


def is_tag(tag):
    try:
        tlv.encode(tag, b"")
    except TlvError:
        return False
    return True


TAGS = st.one_of(
    st.sampled_from([0x5A, 0x57, 0x84, 0x90, 0x9F36, 0x5F2D, 0xBF0C, 0x9F4B, 0xDF8101]),
    st.integers(1, 0xFE).filter(is_tag),
    st.integers(0x1F01, 0xFF7F).filter(is_tag),
)
OBJECTS = st.lists(st.tuples(TAGS, st.binary(max_size=300)), max_size=6)


@given(OBJECTS)
def test_ber_round_trip(objects):
    data = b"".join(tlv.encode(tag, value) for tag, value in objects)
    assert tlv.parse(data) == objects


@given(st.binary(max_size=40))
def test_ber_accepts_only_what_it_would_write(data):
    try:
        objects = tlv.parse(data)
    except TlvError:
        return
    assert b"".join(tlv.encode(tag, value) for tag, value in objects) == data


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65535])
def test_pse_2_7_lengths(length):
    data = tlv.encode(0x70, bytes(length))
    prefix = {1: b"", 2: b"\x81", 3: b"\x82"}[len(data) - length - 1]
    assert data[1:].startswith(prefix)
    assert tlv.parse(data) == [(0x70, bytes(length))]


def test_pse_2_7_longer_than_two_length_bytes():
    with pytest.raises(TlvError, match="82 LL LL"):
        tlv.encode(0x70, bytes(65536))


def test_exactly_the_well_formed_one_and_two_byte_tags_are_written():
    one = [tag for tag in range(256) if is_tag(tag)]
    assert one == [tag for tag in range(1, 256) if tag & 0x1F != 0x1F]
    two = [tag for tag in range(0x100, 0x10000) if is_tag(tag)]
    assert two == [
        tag for tag in range(0x100, 0x10000) if tag >> 8 & 0x1F == 0x1F and not tag & 0x80
    ]


@pytest.mark.parametrize("tag", [0, -1, 0x1F, 0x9F80, 0x9F8000, 0x9FFFFF, 0x01000000])
def test_malformed_tags(tag):
    with pytest.raises(TlvError):
        tlv.encode(tag, b"")


@pytest.mark.parametrize(
    "data",
    [
        "5A",
        "9F",
        "9F36",
        "5A02AA",
        "00",
        "5A0000",
        "5A80",
        "5A8105" + "AA" * 5,
        "5A81",
        "5A82",
        "5A820080" + "AA" * 128,
        "5A83000001AA",
        "9F8001",
        "DF818101",
        "5A8201",
    ],
)
def test_malformed_objects(data):
    with pytest.raises(TlvError):
        tlv.parse(h(data))


FCI = h(
    "6F398408A000000333010101A52D500A50424F432044454249548701015F2D027A689F110101"
    "9F120A50424F43204445424954BF0C059F4D020B0A"
)


@pytest.mark.parametrize(
    ("tag", "value"),
    [(0x84, "A000000333010101"), (0x87, "01"), (0x9F4D, "0B0A"), (0xBF0C, "9F4D020B0A")],
)
def test_pse_11_3_find_in_the_fci(tag, value):
    assert tlv.find(FCI, tag) == h(value)


def test_find_nothing():
    assert tlv.find(FCI, 0x88) is None
    assert tlv.find(b"", 0x88) is None


CDOL1 = h("9F02069F03069F1A0295055F2A029A039C019F37049F21039F4E14")
CDOL1_DATA = h(
    "00000001234500000000000001560000008000015626070100A1B2C3D4103045"
    "54455354204D45524348414E5420303030303031"
)


def test_pse_11_4_cdol1():
    entries = tlv.parse_dol(CDOL1)
    assert entries[:3] == [(0x9F02, 6), (0x9F03, 6), (0x9F1A, 2)]
    assert tlv.encode_dol(entries) == CDOL1
    values = dict(tlv.split_dol(entries, CDOL1_DATA))
    assert values[0x9F37] == h("A1B2C3D4")
    assert values[0x9F4E] == b"TEST MERCHANT 000001"


@given(st.lists(st.tuples(TAGS, st.integers(0, 300)), max_size=8))
def test_dol_round_trip(entries):
    dol = tlv.encode_dol(entries)
    assert tlv.parse_dol(dol) == entries
    total = sum(length for _, length in entries)
    assert b"".join(value for _, value in tlv.split_dol(entries, bytes(total))) == bytes(total)


@pytest.mark.parametrize("change", [-1, 1])
def test_pse_2_7_dol_data_of_another_length(change):
    with pytest.raises(TlvError, match="the DOL asks for"):
        tlv.split_dol([(0x9F02, 6)], bytes(6 + change))


@pytest.mark.parametrize("dol", ["9F", "9F02", "9F0206" + "9F"])
def test_malformed_dols(dol):
    with pytest.raises(TlvError):
        tlv.parse_dol(h(dol))


@given(st.lists(st.tuples(st.integers(1, 0xFE), st.binary(max_size=254)), max_size=5))
def test_simple_round_trip(objects):
    data = b"".join(tlv.encode_simple(tag, value) for tag, value in objects)
    assert tlv.parse_simple(data) == objects


def test_ssse_10_3_records_are_simple_tlv():
    data = h("020133 0304322E3030 050420240115")
    assert tlv.parse_simple(data) == [(2, b"3"), (3, b"2.00"), (5, h("20240115"))]


@pytest.mark.parametrize("data", ["02", "0202AA", "0000", "FF00", "05FF0001AA"])
def test_malformed_simple_objects(data):
    with pytest.raises(TlvError):
        tlv.parse_simple(h(data))


@pytest.mark.parametrize(("tag", "length"), [(0, 0), (0xFF, 0), (0x100, 0), (5, 255)])
def test_what_a_simple_object_cannot_hold(tag, length):
    with pytest.raises(TlvError):
        tlv.encode_simple(tag, bytes(length))
