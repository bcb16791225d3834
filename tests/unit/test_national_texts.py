"""File addresses, write data and values of the national reader interface, there and back."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.spec.ssse import VERSIONS
from sscard.terminal.national.addresses import FileAddress, parse_addresses, parse_data
from sscard.terminal.national.codes import Code, describe
from sscard.terminal.national.texts import fen_of, text_of, value_of, yuan
from sscard.terminal.records import decode_item, encode_item

ITEMS = sorted(
    {item for table in VERSIONS.values() for place in table for file in place.files
     for item in file.items}
)  # fmt: skip


def texts(item):
    """Texts of values that fit an item."""
    if item.inner:
        parts = [texts(part).map(f"{part.tag:02X}={{}}".format) for part in item.inner]
        return st.tuples(*parts).map(";".join)
    if item.type == "b":
        return st.binary(min_size=item.length, max_size=item.length).map(lambda b: b.hex().upper())
    if item.type in ("dec", "hex"):
        return st.integers(0, min(0xFFFFFFFF, 256**item.length - 1)).map(yuan)
    if item.type == "cn":
        return st.text(string.digits, max_size=2 * item.length)
    letters = st.characters(codec="gbk", exclude_categories=["Cc", "Zs"], exclude_characters="|$;=")
    return st.text(letters, max_size=item.length).filter(
        lambda text: len(text.encode("gb18030")) <= item.length
    )


@given(st.sampled_from(ITEMS).flatmap(lambda item: st.tuples(st.just(item), texts(item))))
def test_ssse_2_2_a_value_comes_back_as_it_was_written(pair):
    item, text = pair
    raw = encode_item(item, value_of(item, text))
    assert text_of(decode_item(item, raw)) == text


@given(st.integers(0, 0xFFFFFFFF))
def test_amounts_are_yuan(amount_fen):
    assert fen_of(yuan(amount_fen)) == amount_fen


@pytest.mark.parametrize(
    "text", ["", "-1", "1e3", "NaN", "0.001", "1.2.3", "١", "1,00", " 1", "42949672.96"]
)
def test_what_is_no_amount(text):
    with pytest.raises(ValueError, match="amount"):
        fen_of(text)


@pytest.mark.parametrize(("text", "fen"), [("0.1", 10), ("1", 100), ("007.50", 750), (".5", 50)])
def test_amounts_as_programs_write_them(text, fen):
    assert fen_of(text) == fen


def test_ssse_8_the_address_of_the_reference():
    files = parse_addresses("SSSEEF06|08|09|$DF02EF07:01$DF01EF15|40:02|$")
    assert files == (
        FileAddress("SSSEEF06", "SSSE/EF06", 1, ((0x08, 1), (0x09, 1))),
        FileAddress("DF02EF07:01", "DF02/EF07", 1, ()),
        FileAddress("DF01EF15", "DF01/EF15", 1, ((0x40, 2),)),
    )


@pytest.mark.parametrize(
    "text", ["", "SSSEEF06|08|", "$", "DF1EF05|01|$", "SSSE|08|$", "SSSEEF06|8|$", "SSSEEF06||08|$",
             "SSSEEF06|08:100|$", "SSSEEF06|08|$DF01", "SSSEEF06:x$"]
)  # fmt: skip
def test_what_is_no_address(text):
    with pytest.raises(ValueError, match=r"ends with|is no"):
        parse_addresses(text)


@given(st.text(alphabet="SDF01EX5|$:9", max_size=40))
def test_any_text_is_an_address_or_a_value_error(text):
    for parse in (parse_addresses, parse_data):
        try:
            parse(text)
        except ValueError:
            continue
        assert text.endswith("$")


def test_data_keep_empty_values():
    assert parse_data("SSSEEF06|a||b|$DF01EF07||$") == (
        ("SSSEEF06", ("a", "", "b")),
        ("DF01EF07", ("",)),
    )


@given(st.integers(-0xFFFF, -1))
def test_every_code_says_something(code):
    assert describe(code)
    assert describe(Code.OK)
