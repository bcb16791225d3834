"""The list of CA keys terminals read: round trip, and what it refuses (pse-pboc 4.9, 10)."""

from datetime import date
from hashlib import sha1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.spec.ca_keys import CaKey, CaKeyError, build_ca_keys, find, parse_ca_keys
from sscard.spec.pboc import RID

KEY = CaKey(RID, 0x80, 1 << 1151 | 1, 3, date(2030, 12, 31))


def test_pse_4_9_what_stands_in_the_file():
    text = build_ca_keys([KEY], title='Keys "for tests"')
    assert parse_ca_keys(text) == (KEY,)
    modulus = (1 << 1151 | 1).to_bytes(144)
    digest = sha1(bytes.fromhex("A000000333 80") + modulus + b"\x03").hexdigest().upper()
    assert text.splitlines()[:2] == ["format = 1", 'title = "Keys \\"for tests\\""']
    assert text.splitlines()[3:] == [
        "[[key]]",
        'rid = "A000000333"',
        'index = "80"',
        'exponent = "03"',
        f'modulus = "{modulus.hex().upper()}"',
        "expiry = 2030-12-31",
        f'hash = "{digest}"',
    ]


keys = st.builds(
    CaKey,
    st.binary(min_size=5, max_size=5),
    st.integers(0, 255),
    st.integers(128, 248).flatmap(lambda size: st.integers(1 << 8 * size - 1, (1 << 8 * size) - 1)),
    st.sampled_from((3, 65537)),
    st.none() | st.dates(),
)


@given(st.lists(keys, max_size=4, unique_by=lambda key: key.name))
def test_round_trip(held):
    assert parse_ca_keys(build_ca_keys(held)) == tuple(held)
    for key in held:
        assert find(held, key.rid, key.index) == key
    assert find(held, b"none!", 0x80) is None


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("format = 1", "format = 2", "must be 1"),
        ("format = 1", "format", "is TOML"),
        ('rid = "A000000333"', 'rid = "A0000003"', "5 bytes"),
        ('rid = "A000000333"', 'rid = "UnionPay!!"', "rid must be there, in hex"),
        ('index = "80"', 'index = "8080"', "one byte"),
        ('index = "80"', "", "index must be there"),
        ('exponent = "03"', 'exponent = "05"', "03 or 010001"),
        ("expiry = 2030-12-31", 'expiry = "1230"', "a date like"),
        ("expiry = 2030-12-31", 'expires = "1230"', "expires is not known"),
        ('hash = "', 'hash = "00', "not that of the key"),
        ('modulus = "80', 'modulus = "00', "1024 to 1984"),
        ("[[key]]", "[key]", r"\[\[key\]\]"),
    ],
)
def test_what_is_refused_is_named(old, new, why):
    text = build_ca_keys([KEY])
    assert old in text
    with pytest.raises(CaKeyError, match=why):
        parse_ca_keys(text.replace(old, new))


def test_a_key_twice_and_one_past_its_day():
    with pytest.raises(CaKeyError, match="A000000333 80 occurs twice"):
        parse_ca_keys(build_ca_keys([KEY, KEY]))
    assert KEY.valid_on(date(2030, 12, 31))
    assert not KEY.valid_on(date(2031, 1, 1))


def test_a_file_that_is_no_list_of_keys_is_not_an_empty_list():
    """A key made by `sscard cert key` looks like one: `sscard cert list` makes the list."""
    with pytest.raises(
        CaKeyError, match=r"exponent is not known: a list .* has a title and \[\[key"
    ):
        parse_ca_keys('format = 1\ntitle = "Test CA"\nexponent = "03"\np = "00"\nq = "00"\n')
