"""What a review of the COS against cos 1-6 found, one test a finding."""

import pytest
from cos_bureau import (
    SELECT,
    SSSE,
    STK,
    TDES,
    TRANSPARENT,
    VARIABLE,
    Bureau,
    directory_fcp,
    fcp,
    furnished,
    key_fcp,
    key_header,
)
from cos_walk import CMK, EMK_S2, walked

from sscard.builder import _key_record
from sscard.card import Card
from sscard.cos.eeprom import Phase, Tear
from sscard.cos.layout import CardState
from sscard.cos.objects import FileHeader, KeyRecord, KeyType, Kind
from sscard.cos.trace import Exchanged
from sscard.cos.tree import mount
from sscard.cos.volume import read_superblock
from sscard.errors import ActivationError, ImageError, PowerLoss
from sscard.iso.tlv import encode
from sscard.keys.line import line_mac, unwrap
from sscard.perso.model import Key


def ssse_owner(card=None):
    """An SSSE in personalisation, its owner proved."""
    bureau = Bureau(card or furnished().fork()).select(SSSE)
    assert bureau.prove(EMK_S2) == "9000"
    return bureau


def manager(row="7"):
    """A card manager with the CMK proved."""
    bureau = Bureau(walked(row).fork())
    assert bureau.prove(CMK) == "9000"
    return bureau


# --- line protection ------------------------------------------------------------------------------


def test_cos_2_3_an_enciphered_answer_is_enciphered_before_its_mac():
    bureau = ssse_owner()
    assert bureau.create(fcp(TRANSPARENT, 0xEF15, size=40, access="0000 0000 FFFF E200")) == "9000"
    bureau.ok("00A4000002EF15", "00D6000003 515253")
    command = bureau.protected("04B00000", b"", STK, value="E1E2E3E4", le=5)
    answer = bureau.data(command)
    cipher, mac = answer[:-4], answer[-4:]
    assert unwrap(TDES, STK, cipher) == b"QRS\xff\xff"
    assert mac == line_mac(TDES, STK, bytes.fromhex("E1E2E3E4"), cipher)


@pytest.mark.parametrize("command", ["04A4000002DF01", "04C0000005"])
def test_cos_5_3_secure_messaging_of_the_kernels_own_commands_is_6882(command):
    assert Bureau(walked("21").fork()).sw(command) == "6882"


# --- files ----------------------------------------------------------------------------------------


def test_cos_2_2_a_short_le_is_honoured_in_the_card_manager():
    bureau = manager()
    assert bureau.create(fcp(VARIABLE, 0xEF01, size=20, record=(8, 2))) == "9000"
    bureau.ok("00A4000002EF01")
    assert bureau.sw("00E2000003 414243") == "9000"
    assert bureau.data("00B2010402") == b"AB"
    assert bureau.data("00B2010400") == b"ABC"
    assert bureau.sw("00B2010404") == "6C03"


def test_cos_2_2_an_ef_of_the_mf_may_not_take_the_fid_of_an_environment():
    assert manager().create(fcp(TRANSPARENT, 0xDDF1, size=8)) == "6A89"


def test_cos_2_2_a_doubled_tag_in_a5_is_6a80():
    twice = encode(0xA5, encode(0xC1, b"\x01") + encode(0xC1, b"\x02"))
    parameters = directory_fcp(0xDF07, b"DF-07", 256, extra=twice)
    assert ssse_owner().create(parameters) == "6A80"


def test_cos_2_4_a_directory_on_too_many_pages_is_deleted_file_by_file():
    bureau = ssse_owner()
    assert bureau.create(directory_fcp(0xDF08, b"DF-08", 0)) == "9000"
    bureau.ok("00A4000002DF08")
    for number in range(70):
        assert bureau.create(fcp(TRANSPARENT, 0xE000 + number, size=20)) == "9000"
    assert bureau.sw("00A4030000") == "9000"
    assert bureau.prove(EMK_S2) == "9000"
    assert bureau.create(fcp(TRANSPARENT, 0xEF16, size=8)) == "9000"
    before = bureau.card.image
    assert bureau.sw("80E4000002DF08") == "6A84"
    assert bureau.card.image == before
    bureau.ok("80E4000002EF16", "80E4000002DF08")  # now it is the tail: one terminator
    assert bureau.sw("00A4000002DF08") == "6A82"


def test_cos_2_2_what_hangs_too_deep_is_an_orphan():
    """A 128 KiB card holds more levels than Python's stack: none of them is linked."""
    image = bytearray(b"\xff" * 128 * 1024)
    parent, at = 0, 64
    while at + 80 < len(image):
        header = FileHeader(Kind.DIRECTORY, 0x7000, 1, (0,) * 6, parent, 0, 16, 24).build()
        image[at : at + 72] = header + b"\x00\x03\x03" + b"\xff" * 5 + b"%016d" % at
        parent, at = at, at + 72
    tree = mount(image, 0, len(image) // 64)
    assert len(tree.nodes) > 1500
    assert [node.depth for node in tree.root.descendants()] == [1]
    assert len(tree.directories) == 1 + 1


# --- kernel ---------------------------------------------------------------------------------------


def test_cos_5_1_a_malformed_command_ends_a_challenge():
    bureau = Bureau(walked("21").fork())
    proof = bureau.proof(CMK)
    assert bureau.sw("00B0000002AA") == "6700"
    assert bureau.sw(proof) == "6984"


@pytest.mark.parametrize(
    ("command", "sw"), [("00", "6700"), ("00B0000002AA", "6700"), ("00C0000001", "6F00")]
)
def test_every_refusal_says_which_rule_it_broke(command, sw):
    card = walked("21").fork()
    events = []
    card.trace(events.append)
    assert Bureau(card).sw(command) == sw
    exchange = next(event for event in events if isinstance(event, Exchanged))
    assert exchange.refusal is not None
    assert f"{exchange.refusal.sw}" == sw


def test_a_wrong_le_says_which_rule_it_broke():
    card = furnished().fork()
    events = []
    bureau = Bureau(card, link="t0")
    card.trace(events.append)
    assert bureau.sw("80CA00C300") == "6C08"
    assert events[-1].refusal.ref.startswith("cos 1.6")


# --- chip, journal, randomness --------------------------------------------------------------------


def test_cos_1_5_no_challenge_repeats_after_erase_brings_an_environment_back():
    bureau = manager("7")
    bureau.select(SSSE)
    first = bureau.challenge()
    bureau.ok("00A40000023F00")
    assert bureau.prove(CMK) == "9000"
    assert bureau.act(0x0E, CMK) == "9000"
    assert bureau.prove(CMK) == "9000"
    extra = encode(0xA5, encode(0xC0, b"\x01"))
    assert bureau.create(directory_fcp(0xDDF1, SELECT[SSSE][5:], 0xA000, extra=extra)) == "9000"
    bureau.select(SSSE)
    assert bureau.challenge() != first


def test_cos_1_4_a_ring_too_small_for_a_command_is_no_image():
    image = bytearray(Card.blank().image)
    page = read_superblock(image)._replace(journal_pages=8).build()
    image[:128] = page + page
    with pytest.raises(ImageError, match="journal"):
        Card.from_image(image)


def test_an_activation_that_loses_power_in_its_reset_has_ended():
    card = walked("21").fork()
    power = card.power_on()
    log = card.eeprom.memory.rindex(b"JT\x01\x00")
    card.eeprom.poke(log + 3, b"\xff")  # the mark is missing: recovery has to write it
    card.eeprom.arm(Tear(0, Phase.BEFORE))
    with pytest.raises(PowerLoss):
        power.reset()
    with pytest.raises(ActivationError):
        power.transmit(b"\x00\x84\x00\x00\x08")


def test_a_served_file_that_cannot_be_written_ends_the_activation():
    """What the file did not take is not in the card's memory either (cos 1.2, issue 2)."""
    bureau = ssse_owner()
    before = bureau.card.image

    def full(address, data):
        raise ImageError("the disk is full")

    bureau.card.eeprom.sink = full
    with pytest.raises(ImageError):
        bureau.send("00D68A0002 AAAA")
    assert bureau.card.image == before
    with pytest.raises(ActivationError):
        bureau.send("00D68A0002 AAAA")
    bureau.card.eeprom.sink = None
    again = Bureau(bureau.card).select(SSSE)
    assert again.data("00B08A0004") == b"SSSE"


# --- keys -----------------------------------------------------------------------------------------


def test_cos_4_4_an_ssf33_key_is_kept_but_proves_nothing():
    bureau = ssse_owner()
    for flags in (1, 3):
        header = key_header(0x0D, 0x70 + flags, algorithm=2, flags=flags)
        assert bureau.write_key(EMK_S2, header, bytes(16)) == "9000"
        bureau.challenge()
        assert bureau.sw(bytes((0, 0x82, 0, 0x70 + flags, 16)) + bytes(16)) == "6A81"


def test_cos_2_5_builder_and_write_key_store_the_same_check_value():
    bureau = ssse_owner()
    header = key_header(KeyType.KMC_DATA, 0, length=8)
    assert bureau.write_key(EMK_S2, header, b"KMCDATA1") == "9000"
    key = Key("KMC", 0x16, 0, 1, TDES, 0x33, 0xFF, 0, 0x8F00, 1, b"KMCDATA1")
    assert key.header == header
    built = _key_record(key)
    assert built in bureau.card.image


def test_no_key_shows_in_a_repr():
    card = Card.blank()
    page = CardState.parse(card.image[0x100:0x140])
    assert "MFR-TEST" not in repr(page) + repr(card.snapshot()) + repr(card)
    assert "KEYKEY" not in repr(KeyRecord(0, 0, 1, 0, 0x88, 15, 0, 0x8F00, 1, b"KEYKEYKEYKEYKEYK"))


def test_cos_5_2_key_files_come_first_in_the_mf():
    assert manager().create(key_fcp()) == "6A89"
