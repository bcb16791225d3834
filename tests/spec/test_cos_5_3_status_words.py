"""cos 5.3: the table of status words, a test for each row the COS layer can answer."""

import pytest
from cos_bureau import (
    PSE,
    SELECT,
    SSSE,
    TRANSPARENT,
    Bureau,
    directory_fcp,
    fcp,
    furnished,
    key_fcp,
    operational,
)
from cos_trace import WRONG, extents
from cos_walk import CMK, EMK_S2, SELECT_MF, SELECT_SSSE, UK04, walked

from sscard.card import Card
from sscard.cos.eeprom import ENDURANCE
from sscard.cos.layout import DomainHeader
from sscard.cos.tree import mount
from sscard.env import Env
from sscard.iso.sw import SW


def in_ssse(*, proved=False, file="", snapshot=furnished):
    bureau = Bureau(snapshot().fork())
    bureau.send(SELECT_SSSE)
    if proved:
        assert bureau.prove(EMK_S2) == "9000"
    if file:
        bureau.ok("00A4000002" + file)
    return bureau


def with_header(**changes):
    """The furnished card with fields of the SSSE's domain header changed."""
    card = furnished().fork()
    start = extents(card.image)[SSSE].start * 64
    header = DomainHeader.parse(card.image[start : start + 64])
    card.eeprom.poke(start, header._replace(**changes).build())
    return Bureau(card)


def damaged(fid):
    """The furnished card with one bit of a file's header flipped, in its reserved bytes."""
    card = furnished().fork()
    pages = extents(card.image)[SSSE]
    nodes = mount(card.image, pages.start, len(pages)).nodes
    address = next(node.address for node in nodes if node.fid == fid)
    card.eeprom.poke(address + 43, bytes((card.image[address + 43] ^ 1,)))
    bureau = Bureau(card)
    bureau.send(SELECT_SSSE)
    return bureau


def worn():
    """A card whose silicon is at its end: every write fails."""
    image = furnished().image
    env = Env(wear=[ENDURANCE + 1] * (len(image) // 64), wear_failures=True)
    return Bureau(Card(image, env)).select(SSSE)


def spent(bureau, key, tries, *, keep=0):
    for left in range(tries - 1, keep - 1, -1):
        assert bureau.prove(WRONG, key, session=True) == f"63C{left}"
    return bureau


def full_tlv():
    bureau = in_ssse(proved=True)
    sws = [bureau.sw(bytes((0, 0xE2, 0, 0x68, 20, 3 + n, 18)) + bytes(18)) for n in range(4)]
    return sws[-1]


def locked():
    bureau = with_header(block=2)
    bureau.send(SELECT_SSSE)
    return bureau


ROWS = {
    "9000": lambda: in_ssse().sw("00B08A0000"),
    "6118": lambda: Bureau(furnished().fork(), link="t0").sw(SELECT_SSSE),
    "6281": lambda: damaged(0xEF0A).sw("00B08A0004"),
    "6283 blocked": lambda: with_header(block=1).sw(SELECT_SSSE),
    "6283 damaged": lambda: damaged(0xEF0A).sw("00A4000002EF0A"),
    "6285": lambda: with_header(state=0xFF).sw(SELECT_SSSE),
    "63C2": lambda: in_ssse().prove(WRONG, 4, session=True),
    "63C0": lambda: spent(in_ssse(), 4, 3, keep=1).prove(WRONG, 4, session=True),
    "6581 worn": lambda: worn().sw("00D68A0004CAFEBABE"),
    "6581 damaged": lambda: damaged(0xEF0A).sw("00D68A0004CAFEBABE"),
    "6700 Lc": lambda: in_ssse().sw("00D68A00"),
    "6700 Le": lambda: in_ssse().sw("0084000007"),
    "6700 record": lambda: in_ssse().sw("00DC015C0531323334" + "35"),
    "6881": lambda: in_ssse().sw("01B08A0000"),
    "6882": lambda: in_ssse().sw("0484000008"),
    "6884": lambda: in_ssse().sw("10B08A0000"),
    "6981 binary on records": lambda: in_ssse().sw("00B08B0000"),
    "6981 internal EF": lambda: in_ssse().sw("00B08F0000"),
    "6981 key EF": lambda: in_ssse(file="EF80").sw("00B0000000"),
    "6981 another type of key": lambda: in_ssse().sw("0082000208" + "00" * 8),
    "6982": lambda: in_ssse(snapshot=operational).sw("00D6900001FF"),
    "6983": lambda: spent(in_ssse(), 4, 3).prove(UK04, 4, session=True),
    "6984 authenticate": lambda: in_ssse().sw("0082000008" + "00" * 8),
    "6984 MAC": lambda: in_ssse().sw("841C000004" + "00" * 4),
    "6985 state": lambda: in_ssse(snapshot=operational).act(0x1C, EMK_S2),
    "6985 sequence": lambda: in_ssse(proved=True).sw("80E4000002EF80"),
    "6986": lambda: in_ssse().sw("00B0000000"),
    "6988": lambda: in_ssse().act(0x1C, WRONG),
    "6A80 TLV": lambda: in_ssse(proved=True).sw("80E000000462028201"),
    "6A80 access condition": lambda: in_ssse(proved=True).create(
        fcp(TRANSPARENT, 0xEF70, size=8, access="1234 0000 0000 0000")),
    "6A81": lambda: Bureau(Card.blank()).sw(SELECT_MF),
    "6A82": lambda: in_ssse().sw("00A4000002EF99"),
    "6A82 SFI": lambda: in_ssse().sw("00B09E0000"),
    "6A82 another domain": lambda: in_ssse().sw("00A4000002DDF2"),
    "6A83": lambda: in_ssse().sw("00B2055C00"),
    "6A84 extent": lambda: in_ssse(proved=True).create(fcp(TRANSPARENT, 0xEF70, size=0xB000)),
    "6A84 TLV file": full_tlv,
    "6A86": lambda: in_ssse().sw("00B0E00000"),
    "6A88 key": lambda: in_ssse().sw("0082007708" + "00" * 8),
    "6A88 data object": lambda: in_ssse().sw("80CA00CF00"),
    "6A89": lambda: in_ssse(proved=True).create(fcp(TRANSPARENT, 0xEF0A, size=8)),
    "6A89 key EF": lambda: in_ssse(proved=True).create(key_fcp(2)),
    "6A8A": lambda: in_ssse(proved=True).create(directory_fcp(0xDF66, b"sscard.cm", 0)),
    "6A8A of another domain": lambda: in_ssse(proved=True).create(
        directory_fcp(0xDF66, bytes.fromhex("315041592E5359532E4444463031"), 0)),
    "6B00": lambda: in_ssse().sw("00B08A4100"),
    "6B00 update": lambda: in_ssse().sw("00D68A3F04CAFEBABE"),
    "6C40": lambda: in_ssse().sw("00B08A0041"),
    "6D00": lambda: in_ssse().sw("0077000000"),
    "6E00": lambda: in_ssse().sw("FFB08A0000"),
    "6F00": lambda: Bureau(furnished().fork()).sw("00C0000000"),
    "9303": lambda: locked().sw("00B08A0000"),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_cos_5_3_row(row):
    assert ROWS[row]() == row.split()[0]


def test_cos_5_3_every_row_the_cos_answers_is_here():
    """61xx, 63Cx and 6Cxx by an example; of the table these are other layers' or unused."""
    elsewhere = {
        "6200", "6282", "6300",  # SSSE and PSE
        "6400",  # a transaction abandoned before its commit: none is (see 2.4, DELETE)
        "6900", "6901",  # compatibility mode
        "6987",  # in the card manager: test_cos_5_3_order; the SSSE says 6982
        "9302", "9401", "9402", "9403", "9406",  # purse transactions
    }  # fmt: skip
    shown = {row.split()[0] for row in ROWS}
    known = {code for code in range(0x6200, 0x9500) if SW(code).meaning != "unknown status word"}
    families = {0x61, 0x6C}
    missing = {
        f"{code:04X}" for code in known if code >> 8 not in families and code & 0xFFF0 != 0x63C0
    }
    assert missing <= elsewhere | shown
    assert {"6118", "63C2", "6C40"} <= shown


def test_cos_5_3_6987_where_the_card_manager_asks_for_a_mac():
    bureau = Bureau(walked("4").fork())
    assert bureau.prove(CMK) == "9000"
    guarded = fcp(TRANSPARENT, 0xEF05, size=8, access="0000 0000 FFFF 0082")
    assert bureau.create(guarded) == "9000"
    assert bureau.sw("00D6850001FF") == "6987"


# --- damaged objects, cos 2.5 -----------------------------------------------------------------


def test_cos_2_5_a_damaged_file_is_read_with_a_warning_and_not_written():
    bureau = damaged(0xEF0A)
    assert bureau.sw("00A4000002EF0A") == "6283"
    assert bureau.send("00B08A0004") == b"SSSE\x62\x81"
    assert bureau.sw("00D68A0001FF") == "6581"
    assert bureau.sw("00B09E0000") == "6A82"


@pytest.mark.parametrize("fid", ["EF0B", "EF0C", "EF0D", "EF0E"])
def test_cos_2_5_so_are_damaged_record_files(fid):
    bureau = damaged(int(fid, 16))
    assert bureau.sw("00A4000002" + fid) == "6283"
    assert bureau.sw("00B2010400") == "6281"
    length = len(bureau.send("00B2010400")) - 2
    update = bytes((0, 0xDC, 1 if fid != "EF0E" else 0, 4, length)) + bytes(length)
    assert bureau.sw(update) == "6581"
    assert bureau.sw(bytes((0, 0xE2, 0, 0, length)) + bytes(length)) == "6581"


def test_cos_2_5_a_damaged_file_does_not_touch_other_files_or_domains():
    bureau = damaged(0xEF0A)
    assert bureau.sw("00B2015C00") == "9000"
    assert bureau.prove(EMK_S2) == "9000"
    assert bureau.create(fcp(TRANSPARENT, 0xEF70, size=8, sfi=0)) == "6581", (
        "its length may be wrong"
    )
    assert bureau.sw("80E4000002EF0B") == "6581"
    bureau.select(PSE)
    assert bureau.sw("80CA00D000") == "9000"


def test_cos_2_5_a_damaged_directory_is_selected_with_a_warning():
    bureau = damaged(0xDF05)
    assert bureau.sw("00A4000002DF05") == "6283"
    assert bureau.prove(EMK_S2)[:2] == "63", "its own master key acts there"


def test_cos_2_5_a_damaged_domain_header_stops_the_domain_alone():
    card = furnished().fork()
    start = extents(card.image)[SSSE].start * 64
    card.eeprom.poke(start + 3, b"\x13")
    bureau = Bureau(card)
    assert bureau.sw(SELECT_SSSE) == "6283"
    for command in ("00B08A0000", "0084000008", "80CA00D000"):
        assert bureau.sw(command) == "6581"
    bureau.ok(SELECT[PSE], SELECT_MF)


def test_cos_2_5_a_damaged_key_record_is_not_there():
    card = furnished().fork()
    card.eeprom.poke(0x2AE0 + 16, b"\x00")
    bureau = Bureau(card)
    bureau.send(SELECT_SSSE)
    assert bureau.prove(UK04, 4, session=True) == "6A88"
    assert bureau.prove(EMK_S2) == "9000"
