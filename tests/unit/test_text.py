"""Text and number formats: round trips and limits (ssse-lb002 2.2; pse-pboc 2.7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.iso.text import (
    an,
    ascii_text,
    bcd,
    cn,
    from_an,
    from_ascii,
    from_bcd,
    from_cn,
    from_gbk,
    from_n,
    gbk,
    n,
)

h = bytes.fromhex
DIGITS = st.text("0123456789", max_size=20)
CHINESE = st.text(
    st.characters(blacklist_characters="\0", blacklist_categories=["Cs"], max_codepoint=0x2FFFF),
    max_size=12,
)


@given(DIGITS.filter(lambda digits: len(digits) % 2 == 0))
def test_bcd_round_trip(digits):
    assert from_bcd(bcd(digits)) == digits


@given(DIGITS, st.integers(10, 12))
def test_cn_round_trip(digits, size):
    assert from_cn(cn(digits, size)) == digits
    assert len(cn(digits, size)) == size


@given(st.integers(0, 10**12 - 1), st.integers(6, 8))
def test_n_round_trip(value, size):
    assert from_n(n(value, size)) == value
    assert len(n(value, size)) == size


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20))
def test_an_round_trip(text):
    for fill in (0x00, 0x20, 0xFF):
        assert from_an(an(text, 20, fill), fill) == text


@given(CHINESE, st.sampled_from([0x00, 0xFF]))
def test_gbk_round_trip(text, fill):
    size = len(text.encode("gb18030"))
    assert from_gbk(gbk(text, size + 3, fill), fill) == text


@given(CHINESE, st.integers(0, 20))
def test_gbk_never_cuts_a_character(text, size):
    field = gbk(text, size)
    kept = from_gbk(field)
    assert len(field) == size
    assert text.startswith(kept)
    following = text[len(kept) : len(kept) + 1]
    used = len(kept.encode("gb18030"))
    assert not following or used + len(following.encode("gb18030")) > size


def test_ssse_10_3_fields():
    assert gbk("张测试", 30) == h("D5C5B2E2CAD4" + "00" * 24)
    assert bcd("20240115") == h("20240115")
    assert ascii_text("T0000001X") == h("543030303030303158")
    assert ascii_text("2.00") == h("322E3030")


def test_pse_2_7_fields():
    assert cn("6210950000000000017", 10) == h("6210950000000000017F")
    assert n(12345, 6) == h("000000012345")
    assert n(156, 2) == h("0156")


def test_gbk_at_the_edge_of_a_field():
    assert gbk("张测试", 5) == h("D5C5B2E200")
    assert gbk("A张", 2) == b"A\0"
    assert gbk("𠮷", 4) == "𠮷".encode("gb18030")
    assert gbk("𠮷", 3) == bytes(3)


def test_gbk_proper_has_no_four_byte_characters():
    with pytest.raises(ValueError, match="gbk"):
        gbk("𠮷", 4, encoding="gbk")


@pytest.mark.parametrize("wrong", ["1", "1A", "12 ", "１２", "-1"])
def test_bcd_wants_pairs_of_digits(wrong):
    with pytest.raises(ValueError, match="digit"):
        bcd(wrong)


@pytest.mark.parametrize("wrong", ["1A", "F1"])
def test_reading_bcd_that_is_none(wrong):
    with pytest.raises(ValueError, match="decimal digits"):
        from_bcd(h(wrong))


@pytest.mark.parametrize("wrong", ["1F1F", "A0", "FF01"])
def test_reading_cn_that_is_none(wrong):
    with pytest.raises(ValueError, match="decimal digits"):
        from_cn(h(wrong))


def test_values_too_long_for_their_field():
    with pytest.raises(ValueError, match="do not fit"):
        cn("123", 1)
    with pytest.raises(ValueError, match="do not fit"):
        n(100, 1)
    with pytest.raises(ValueError, match="do not fit"):
        an("abc", 2)
    with pytest.raises(ValueError, match="no sign"):
        n(-1, 1)


def test_ascii_is_ascii():
    assert from_ascii(b"T1") == "T1"
    with pytest.raises(UnicodeEncodeError):
        ascii_text("张")
    with pytest.raises(UnicodeDecodeError):
        from_ascii(b"\xd5")
