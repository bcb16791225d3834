"""ISO 9564 format 0: a published example, the round trip, and what is no block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.keys.pin_block import format_0, format_0_digits, open_pin_block, seal_pin_block

h = bytes.fromhex
PINS = st.text("0123456789", min_size=4, max_size=12)
PANS = st.text("0123456789", min_size=13, max_size=19)
KEY = h("5454545454545454ABABABABABABABAB")


def test_iso_9564_1_a_published_example():
    assert format_0("1234", "43219876543210987") == h("0412AC89ABCDEF67")


@given(PINS, PANS)
def test_round_trip(digits, pan):
    assert format_0_digits(format_0(digits, pan), pan) == digits
    assert open_pin_block(KEY, seal_pin_block(KEY, digits, pan), pan) == digits


@pytest.mark.parametrize("digits", ["123", "1234567890123", "12a4", "", "１２３４"])
def test_what_is_no_pin(digits):
    with pytest.raises(ValueError, match="4 to 12"):
        format_0(digits, "6210950000000000017")


@pytest.mark.parametrize("block", [b"", bytes(7), bytes(8), bytes(9), b"\xff" * 8])
def test_what_is_no_block(block):
    with pytest.raises(ValueError, match="PIN"):
        format_0_digits(block, "6210950000000000017")


def test_another_card_s_pan_or_another_key_opens_nothing():
    sealed = seal_pin_block(KEY, "123456", "6210950000000000017")
    with pytest.raises(ValueError, match="PIN"):
        open_pin_block(KEY[::-1], sealed, "6210950000000000017")
    with pytest.raises(ValueError, match="PIN"):
        open_pin_block(KEY, sealed[:7], "6210950000000000017")
    with pytest.raises(ValueError, match="digits"):
        format_0("1234", "62109A")
