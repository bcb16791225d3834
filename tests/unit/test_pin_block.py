"""ISO 9564 format 0: a published example, and what is no PIN."""

import pytest

from sscard.keys.pin_block import online_pin_block


def test_iso_9564_1_a_published_example():
    block = online_pin_block("1234", "43219876543210987")
    assert block.hex().upper() == "0412AC89ABCDEF67"


@pytest.mark.parametrize("digits", ["123", "1234567890123", "12a4", "", "１２３４"])
def test_what_is_no_pin(digits):
    with pytest.raises(ValueError, match="4 to 12"):
        online_pin_block(digits, "6210950000000000017")
