"""The page-level records against the bytes printed in cos 2.5."""

import pytest

from sscard.cos.layout import (
    AtrPage,
    AtrProfile,
    CardLifeCycle,
    CardState,
    ChipPage,
    DomainHeader,
    DomainState,
    ExtentEntry,
    ExtentTable,
    LayoutError,
    Superblock,
    SuperblockFlag,
    TransportKeyState,
    sealed,
)


def page(front: str, crc: str) -> bytes:
    """A printed page: its front, the FF the print abridges, its CRC."""
    return bytes.fromhex(front).ljust(60, b"\xff") + bytes.fromhex(crc)


TK = bytes.fromhex("404142434445464748494A4B4C4D4E4F")

PRINTED = {
    "superblock": (
        page(
            "53 53 43 41 52 44 01 01 00 01 40 00 00 40 05 00 00 08 00 80 00 88 04 78 00 02 00 03"
            "00 04 00 05 00 00 00 01 FF FF FF FF FF FF FF FF 00 11 22 33 44 55 66 77 88 99 AA BB"
            "CC DD EE FF",
            "8F FF 72 A1",
        ),
        Superblock(
            size=81_920,
            journal_start=8,
            journal_pages=128,
            heap_start=136,
            heap_pages=1144,
            uuid=bytes.fromhex("00112233445566778899AABBCCDDEEFF"),
            flags=SuperblockFlag.TEST,
        ),
    ),
    "chip": (
        page("43 48 00 FE 00 50 53 53 43 30 30 30 30 31 20 24 03 01 53 10 80 01", "3F F1 CD C6"),
        ChipPage(0x00FE, 0x0050, b"SSC00001", bytes.fromhex("20240301"), b"\x53\x10\x80", 1),
    ),
    "atr": (
        page("41 54 00 0D 00 FE 53 10 80 86 FE 99 01 00 00 00 01", "F3 43 78 A6"),
        AtrPage(AtrProfile.A, bytes.fromhex("00FE53108086FE990100000001")),
    ),
    "card state after the hand-over": (
        page("43 53 07 02 25 00 0F 0F" + "00" * 16, "14 3B 8E 8D"),
        CardState(CardLifeCycle.HANDED_OVER, 2, TransportKeyState.DESTROYED, 0, 15, 15, bytes(16)),
    ),
    "extent table": (
        page(
            "45 58 03 00 00 01 00 88 00 20 3F 00 FF FF 01 01 00 A8 02 80 DD F1 FF FF"
            "02 01 03 28 01 80 DD F2 FF FF",
            "A5 2D F3 37",
        ),
        ExtentTable(
            (
                ExtentEntry(0, 136, 32, 0x3F00),
                ExtentEntry(1, 168, 640, 0xDDF1),
                ExtentEntry(2, 808, 384, 0xDDF2),
            )
        ),
    ),
    "domain header after the hand-over": (
        page("44 48 01 03 00 A8 02 80 DD F1 00 03 03 00 00 00 2A 40", "B1 AF FA 41"),
        DomainHeader(1, DomainState.OWNED, 168, 640, 0xDDF1, 0x2A40),
    ),
}

printed = pytest.mark.parametrize(("expected", "record"), PRINTED.values(), ids=PRINTED)


@printed
def test_cos_2_5_a_record_builds_the_printed_page(expected, record):
    assert record.build().hex(" ") == expected.hex(" ")


@printed
def test_cos_2_5_the_printed_page_parses_to_its_record(expected, record):
    assert type(record).parse(expected) == record
    assert type(record).parse(bytearray(expected)) == record


@printed
def test_cos_2_5_any_flipped_bit_is_refused(expected, record):
    for bit in range(8 * len(expected)):
        damaged = (int.from_bytes(expected) ^ 1 << bit).to_bytes(len(expected))
        with pytest.raises(LayoutError):
            type(record).parse(damaged)


@printed
def test_cos_2_5_a_good_crc_does_not_excuse_other_bytes(expected, record):
    """Magic, enumerations and reserved bytes are checked although the page is sealed."""
    foreign = sealed(b"??" + expected[2:60])
    with pytest.raises(LayoutError):
        type(record).parse(foreign)
    reserved = sealed(expected[:59] + bytes((expected[59] ^ 1,)))
    if type(record) is not Superblock:  # its uuid reaches up to the CRC
        with pytest.raises(LayoutError):
            type(record).parse(reserved)


@printed
def test_cos_2_5_a_record_is_one_page(expected, record):
    for length in (0, 63, 65):
        with pytest.raises(LayoutError):
            type(record).parse(expected.ljust(length, b"\xff")[:length])


@pytest.mark.parametrize("record", [value for _, value in PRINTED.values()], ids=PRINTED)
def test_cos_2_5_an_erased_page_is_no_record(record):
    with pytest.raises(LayoutError):
        type(record).parse(b"\xff" * 64)


def test_cos_2_5_card_state_after_format():
    state = CardState(CardLifeCycle.BLANK, 0, TransportKeyState.PRESENT, 0, 15, 15, TK)
    assert state.build()[:24] == bytes.fromhex("43530100A5000F0F") + TK
    assert CardState.parse(state.build()) == state


def test_cos_2_5_extent_table_after_format_is_empty():
    assert ExtentTable().build()[:4] == bytes.fromhex("45580000")
    assert ExtentTable.parse(ExtentTable().build()).entries == ()


@pytest.mark.parametrize(
    "front", ["43530900A5000F0F", "4353010000000F0F"], ids=["life cycle", "transport key"]
)
def test_cos_2_5_unknown_states_of_the_card_are_refused(front):
    with pytest.raises(LayoutError):
        CardState.parse(sealed(bytes.fromhex(front) + TK))


def test_cos_2_5_what_does_not_fit_a_page_is_refused():
    with pytest.raises(LayoutError):
        ExtentTable((ExtentEntry(1, 168, 640, 0xDDF1),) * 6).build()
    with pytest.raises(LayoutError):
        AtrPage(AtrProfile.B, bytes(16)).build()
    with pytest.raises(LayoutError):
        AtrPage.parse(sealed(b"AT\x00\x10" + bytes(16)))
    with pytest.raises(LayoutError):
        ExtentTable.parse(sealed(b"EX\x06\x00" + bytes(56)))


def test_cos_2_5_extent_entry_names_its_pages():
    assert ExtentEntry(1, 168, 640, 0xDDF1).page_range == range(168, 808)
