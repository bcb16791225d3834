"""cos 2.4, 9.6: space, quotas, life cycles; every size of chip, the ring, its last number."""

from collections import Counter

import pytest
from cos_bureau import (
    AMK,
    CYCLIC,
    FIXED,
    KEYS,
    PSE,
    SELECT,
    SSSE,
    TLV,
    TRANSPARENT,
    Bureau,
    directory_fcp,
    fcp,
    furnished,
    key_fcp,
    master_header,
    operational,
)
from cos_damage import transaction
from cos_trace import extents
from cos_walk import (
    CMK,
    EMK_P1,
    EMK_P2,
    EMK_S1,
    EMK_S2,
    PSE_NAME,
    SELECT_MF,
    SELECT_SSSE,
    SSSE_NAME,
    TK,
    UK04,
    walked,
)

from sscard.card import Card, ChipSpec
from sscard.cos.journal import MAX_SEQ, Transaction
from sscard.cos.tree import mount
from sscard.inspect.consistency import fsck

HEADER = 48


def owner(snapshot=furnished, code=SSSE, key=EMK_S2):
    bureau = Bureau(snapshot().fork()).select(code)
    assert bureau.prove(key) == "9000"
    return bureau


def free(bureau):
    data = bureau.data("80CA00D000")
    return int.from_bytes(data[data.index(b"\x83\x03") + 2 :][:3])


def sound(bureau):
    return not list(fsck(bureau.card.image))


# --- sizes of chip, cos 9.6 ---------------------------------------------------------------------

MAPS = {
    32: (64, 14 * 1024, 8 * 1024),
    64: (128, 28 * 1024, 16 * 1024),
    80: (128, 40 * 1024, 24 * 1024),
    96: (128, 48 * 1024, 30 * 1024),
    128: (128, 64 * 1024, 40 * 1024),
}
"""KiB: journal pages (cos 2.5), quotas of SSSE and PSE that fit."""
ENVIRONMENTS = ((SSSE, SSSE_NAME, 0xDDF1, EMK_S1), (PSE, PSE_NAME, 0xDDF2, EMK_P1))


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("kib", MAPS)
def test_cos_9_6_the_hand_over_on_every_size_of_chip(kib, link):
    """From the blank chip to two OPERATIONAL environments; then each is filled to the brim."""
    ring, *quotas = MAPS[kib]
    bureau = Bureau(Card.blank(ChipSpec(size=kib * 1024)), link=link)
    assert bureau.prove(TK) == "9000"
    mf = directory_fcp(0x3F00, b"sscard.cm", 2048, "8F00 FFFF 8F00")
    assert bureau.create(mf) == "9000"
    assert bureau.create(key_fcp(16)) == "9000"
    assert bureau.write_key(TK, master_header(), CMK) == "9000"
    assert bureau.prove(CMK) == "9000"
    image = bureau.card.image
    assert (int.from_bytes(image[16:18]), int.from_bytes(image[18:20])) == (8, ring)
    for (code, name, fid, _), quota in zip(ENVIRONMENTS, quotas, strict=True):
        extra = bytes((0xA5, 6, 0xC0, 1, code, 0xC1, 1, 3))
        assert bureau.create(directory_fcp(fid, bytes.fromhex(name), quota, extra=extra)) == "9000"
    for code, _, _, emk in ENVIRONMENTS:
        bureau.send(SELECT[code])
        assert bureau.prove(CMK) == "9000"
        assert bureau.create(key_fcp(8)) == "9000"
        assert bureau.write_key(CMK, master_header(), emk) == "9000"
        assert bureau.prove(CMK) == "63C7"
        assert bureau.prove(emk) == "9000"
        left = int.from_bytes(mounted(bureau, code).free.to_bytes(4))
        assert bureau.create(fcp(TRANSPARENT, 0xEF01, size=left - HEADER + 1)) == "6A84"
        assert bureau.create(fcp(TRANSPARENT, 0xEF01, size=left - HEADER)) == "9000"
        assert mounted(bureau, code).free == 0
        assert bureau.act(0x1C, emk) == "9000"
    assert sound(bureau)
    again = Bureau(Card(bureau.card.image))
    for code, _, _, emk in ENVIRONMENTS:
        again.select(code)
        assert again.prove(emk) == "9000"


def mounted(bureau, code):
    pages = extents(bureau.card.image)[code]
    return mount(bureau.card.image, pages.start, len(pages))


@pytest.mark.parametrize("size", [0, 8 * 1024, 81_921, 256 * 1024])
def test_cos_1_1_other_sizes_are_not_made(size):
    from sscard.errors import ImageError

    with pytest.raises(ImageError):
        Card.blank(ChipSpec(size=size))


@pytest.mark.parametrize(
    ("quota", "sw"), [(2047, "6A84"), (2048, "9000"), (0x11801, "6A84"), (0xFFFFFF, "6A84")]
)
def test_cos_5_2_quota_of_a_ddf(quota, sw):
    bureau = Bureau(walked("5").fork())
    assert bureau.prove(CMK) == "9000"
    extra = bytes.fromhex("A506C00101C10103")
    before = bureau.card.image
    assert bureau.create(directory_fcp(0xDDF1, b"sized", quota, extra=extra)) == sw
    if sw != "9000":
        assert bureau.card.image == before


def test_cos_2_4_quotas_are_rounded_up_to_pages_and_extents_taken_lowest_first():
    bureau = Bureau(walked("5").fork())
    assert bureau.prove(CMK) == "9000"
    for code, quota in ((2, 2049), (1, 4096)):
        extra = bytes((0xA5, 3, 0xC0, 1, code))
        fcp_ = directory_fcp(0xDDF0 + code, b"domain%d" % code, quota, extra=extra)
        assert bureau.create(fcp_) == "9000"
    assert extents(bureau.card.image) == {
        0: range(136, 168),
        2: range(168, 201),
        1: range(201, 265),
    }


def test_cos_2_4_a_second_environment_of_one_domain_is_6a89():
    bureau = Bureau(walked("7").fork())
    assert bureau.prove(CMK) == "9000"
    extra = bytes.fromhex("A503C00101")
    assert bureau.create(directory_fcp(0xDDF5, b"again", 2048, extra=extra)) == "6A89"


# --- extent and quota ---------------------------------------------------------------------------


def test_cos_2_4_an_extent_takes_objects_until_its_last_byte():
    bureau = owner()
    left = free(bureau)
    assert bureau.create(fcp(TRANSPARENT, 0xEF70, size=left - HEADER + 1, sfi=0)) == "6A84"
    assert free(bureau) == left
    assert bureau.create(fcp(TRANSPARENT, 0xEF70, size=left - HEADER, sfi=0)) == "9000"
    assert free(bureau) == 0
    for parameters in (fcp(TRANSPARENT, 0xEF71, size=1), directory_fcp(0xDF71, b"no room", 0)):
        assert bureau.create(parameters) == "6A84"
    assert sound(bureau)
    assert bureau.sw("00B08A0004") == "9000"


def test_cos_2_4_an_adf_holds_what_its_quota_allows():
    """The aligned sizes of its descendants, headers included; DELETE gives room back."""
    bureau = owner()
    assert bureau.create(directory_fcp(0xDF0B, b"small", 300)) == "9000"
    bureau.ok("00A4000002DF0B")
    assert bureau.create(fcp(TRANSPARENT, 0xEF01, size=100)) == "9000"  # 152 with its header
    assert bureau.create(fcp(TRANSPARENT, 0xEF02, size=101)) == "6A84"  # 152 again: 304
    assert bureau.create(fcp(TRANSPARENT, 0xEF02, size=100 - 8)) == "9000"  # 144: 296
    assert bureau.create(fcp(TRANSPARENT, 0xEF03, size=1)) == "6A84"
    bureau.ok("80E4000002EF01")
    assert bureau.create(fcp(TRANSPARENT, 0xEF03, size=100)) == "9000"


def test_cos_2_4_a_quota_of_0_is_no_limit():
    bureau = owner()
    assert bureau.create(directory_fcp(0xDF0B, b"unlimited", 0)) == "9000"
    bureau.ok("00A4000002DF0B")
    assert bureau.create(fcp(TRANSPARENT, 0xEF01, size=20_000)) == "9000"


def test_cos_2_2_three_directory_levels_and_no_more():
    bureau = owner()
    bureau.ok("00A4000002DF05")
    assert bureau.prove(AMK) == "9000"
    assert bureau.create(directory_fcp(0xDF0B, b"too deep", 0)) == "6A80"


def test_cos_5_2_one_key_ef_and_first():
    bureau = owner()
    assert bureau.create(key_fcp(4)) == "6A89"
    assert bureau.create(directory_fcp(0xDF0B, b"keyless", 0)) == "9000"
    bureau.ok("00A4000002DF0B")
    assert bureau.create(fcp(TRANSPARENT, 0xEF01, size=8)) == "9000"
    assert bureau.create(key_fcp(4)) == "6985"


@pytest.mark.parametrize("row", ["7", "9a"])
def test_cos_5_2_before_its_master_key_a_ddf_takes_only_the_key_ef(row):
    bureau = Bureau(walked(row).fork()).select(SSSE)
    assert bureau.prove(CMK) == "9000"
    for parameters in (fcp(TRANSPARENT, 0xEF01, size=8), directory_fcp(0xDF01, b"early", 0)):
        assert bureau.create(parameters) == "6985"
    assert bureau.create(key_fcp(4)) == ("9000" if row == "7" else "6985")


def test_cos_5_2_before_the_cmk_the_mf_takes_only_the_key_ef():
    bureau = Bureau(walked("2").fork())
    assert bureau.prove(TK) == "9000"
    assert bureau.create(fcp(TRANSPARENT, 0xEF01, size=8)) == "6985"
    assert bureau.create(key_fcp(4)) == "9000"
    assert bureau.create(fcp(TRANSPARENT, 0xEF01, size=8)) == "6985"


@pytest.mark.parametrize("row", ["1", "2", "4", "12", "22"])
def test_cos_5_2_there_is_one_mf(row):
    bureau = Bureau(walked(row).fork())
    assert bureau.prove(TK if row in ("1", "2") else CMK) == "9000"
    mf = directory_fcp(0x3F00, b"sscard.cm", 2048)
    sw = {"1": "9000", "2": "6985", "4": "6A89"}.get(row, "6985")
    assert bureau.create(mf) == sw


# --- DELETE -------------------------------------------------------------------------------------


def test_cos_2_4_space_returns_from_the_tail():
    bureau = owner()
    before, image = free(bureau), bureau.card.image
    for number in (1, 2, 3):
        assert bureau.create(fcp(TRANSPARENT, 0xEF70 + number, size=100, sfi=0)) == "9000"
    full = free(bureau)
    assert full == before - 3 * 152
    bureau.ok("80E4000002EF72")
    assert free(bureau) == full, "a tombstone in the middle"
    assert bureau.sw("00A4000002EF72") == "6A82"
    bureau.ok("80E4000002EF73")
    assert free(bureau) == before - 152, "now both"
    bureau.ok("80E4000002EF71")
    assert free(bureau) == before
    assert sound(bureau)
    top = mounted(bureau, SSSE).top
    assert bureau.card.image[0x2A00:top] == image[0x2A00:top]


def test_cos_2_4_stale_headers_behind_a_truncation_stay_dead():
    """The terminator of the chain rule: an append must not link what lay there before."""
    bureau = owner()
    for number in (1, 2, 3):
        assert bureau.create(fcp(TRANSPARENT, 0xEF70 + number, size=16, sfi=0)) == "9000"
    for number in (3, 2, 1):
        bureau.ok(f"80E4000002EF7{number}")
    assert bureau.create(fcp(TRANSPARENT, 0xEF75, size=16, sfi=0)) == "9000"
    for number in (1, 2, 3):
        assert bureau.sw(f"00A4000002EF7{number}") == "6A82"
    bureau.power = bureau.card.power_on()
    bureau.select(SSSE)
    for number in (1, 2, 3):
        assert bureau.sw(f"00A4000002EF7{number}") == "6A82"
    assert sound(bureau)


def test_cos_2_4_a_directory_takes_its_descendants_with_it():
    bureau = owner()
    before = free(bureau)
    bureau.ok("80E4000002DF05")
    assert bureau.sw("00A4000002DF05") == "6A82"
    assert bureau.sw("00A4040006D15600000505") == "6A82"
    assert free(bureau) > before, "it was the last"
    assert bureau.create(directory_fcp(0xDF05, bytes.fromhex("D15600000505"), 0)) == "9000"
    assert sound(bureau)


@pytest.mark.parametrize("fid", ["EF80", "DDF1"])
def test_cos_2_4_a_key_ef_alone_and_the_ddf_are_not_deleted(fid):
    assert owner().sw("80E4000002" + fid) == "6985"


@pytest.mark.parametrize(("code", "key"), [(SSSE, EMK_S2), (PSE, EMK_P1)], ids=["SSSE", "PSE"])
def test_cos_2_4_delete_is_for_owned_domains(code, key):
    bureau = owner(operational, code, key)
    assert bureau.sw("80E4000002DF05") in ("6985", "6D00"), "PSE directory: pse-pboc 1.2"
    assert mounted(bureau, code).nodes[-1].fid != 0


# --- ERASE, TERMINATE, END ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "key", "emk"), [(SSSE, EMK_S2, EMK_S1), (PSE, EMK_P1, EMK_P2)], ids=["SSSE", "PSE"]
)
def test_cos_5_1_erase_gives_the_environment_back_to_the_cmk(code, key, emk):
    bureau = Bureau(furnished().fork()).select(code)
    assert bureau.act(0x0E, key) == "9000"
    tree = mounted(bureau, code)
    assert [node.fid for node in tree.nodes] == [0xDDF0 + code]
    assert bureau.card.image[extents(bureau.card.image)[code].start * 64 + 3] == 1
    assert key not in bureau.card.image
    bureau.select(code)
    assert bureau.prove(key) == "63C7", "against the CMK"
    assert bureau.prove(CMK) == "9000"
    assert bureau.create(key_fcp(4)) == "9000"
    assert bureau.write_key(CMK, master_header(), emk) == "9000"
    assert bureau.prove(emk) == "9000"
    assert sound(bureau)


def test_cos_5_1_erase_of_the_mf_only_while_nothing_is_owned():
    for row, sw in (("7", "9000"), ("9a", "9000"), ("10", "6985"), ("22", "6985")):
        bureau = Bureau(walked(row).fork())
        assert bureau.act(0x0E, CMK) == sw
        if sw == "9000":
            assert set(extents(bureau.card.image)) == {0}
            assert bureau.sw(SELECT_SSSE) == "6A82"
            assert bureau.prove(CMK) == "9000", "key EF and CMK stay"


@pytest.mark.parametrize("ins", [0x0E])
def test_cos_5_1_erase_is_for_test_cards(ins):
    card = Card.blank(ChipSpec(test_card=False))
    from cos_walk import walk

    bureau = Bureau(card)
    for row, _ in walk(card, bureau.power):
        if row.number == "16":
            break
    assert bureau.act(ins, EMK_S2) == "6985"


def test_cos_5_1_terminate_is_for_good_and_both_terminate_the_card():
    bureau = Bureau(operational().fork())
    for code, key, lcs in ((SSSE, EMK_S2, 0x07), (PSE, EMK_P1, 0xFF)):
        assert bureau.select(code).act(0xE6, key) == "9000"
        assert bureau.sw(SELECT[code]) == "6285"
        assert bureau.act(0x0E, key) == "6985"
        assert bureau.data("80CA00C000")[12:15] == bytes((0x81, 1, lcs))
    bureau.power = bureau.card.power_on()
    assert bureau.sw(SELECT_SSSE) == "6285"
    assert bureau.sw("80CA00C000") == "9000"


def test_cos_5_1_terminate_needs_an_owner():
    bureau = Bureau(walked("9a").fork()).select(SSSE)
    assert bureau.act(0xE6, CMK) == "6985"


@pytest.mark.parametrize(("code", "key"), [(SSSE, EMK_S2), (PSE, EMK_P1)], ids=["SSSE", "PSE"])
def test_cos_5_1_end_personalisation_once(code, key):
    bureau = Bureau(furnished().fork()).select(code)
    assert bureau.act(0x1C, key) == "9000"
    assert bureau.act(0x1C, key) == "6985"
    if code == SSSE:
        assert bureau.prove(key) == "9000"
        assert bureau.sw("00D6900001FF") == "6982", "the override has ended (2.3)"
        assert bureau.create(fcp(TRANSPARENT, 0xEF70, size=8, sfi=0)) == "9000"


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FIXED, CYCLIC, TLV])
def test_cos_2_2_a_file_of_records_when_full(kind):
    """Fixed and TLV refuse with 6A84, cyclic rolls."""
    bureau = owner()
    size = 12 if kind == TLV else 0
    assert bureau.create(fcp(kind, 0xEF15, size=size, record=(5, 3), sfi=21)) == "9000"
    added = Counter()
    for number in range(5):
        record = bytes((0x40 + number, 3, 1, 2, 3))
        added[bureau.sw(b"\x00\xe2\x00\xa8\x05" + record)] += 1
    assert added == (
        {"9000": 5} if kind == CYCLIC else {"9000": 3 - (kind == TLV), "6A84": 2 + (kind == TLV)}
    )
    newest = bureau.data("00B201AC00")
    assert newest[0] == (0x44 if kind == CYCLIC else 0x40)


def test_cos_5_1_d2_in_blocks_of_28():
    bureau = owner()
    assert bureau.create(directory_fcp(0xDF0B, b"many files", 0)) == "9000"
    bureau.ok("00A4000002DF0B")
    for number in range(30):
        assert bureau.create(fcp(TRANSPARENT, 0xA000 + number, size=8, sfi=0)) == "9000"
    first, second = bureau.data("80CA00D200"), bureau.data("80CA01D200")
    assert (len(first), len(second)) == (28 * 5, 2 * 5)
    assert first[:5] == bytes.fromhex("A000010008")
    assert bureau.sw("80CA02D200") == "6A88"


def test_cos_2_3_a_full_key_ef_is_6a84():
    bureau = owner()
    bureau.ok("00A4000002DF05")
    assert bureau.prove(AMK) == "9000"
    from cos_bureau import key_header

    sws = [bureau.write_key(AMK, key_header(0x0D, 0x84 + n), UK04) for n in range(4)]
    assert sws == ["9000", "9000", "6A84", "6A84"]
    assert mounted(bureau, SSSE).nodes[-1].kind != KEYS


# --- the ring, cos 9.6 --------------------------------------------------------------------------


@pytest.mark.parametrize("kib", [32, 80])
def test_cos_9_6_the_ring_wraps_and_the_card_goes_on(kib):
    """More transactions than the ring has pages; each survives a power-on."""
    card = Card.blank(ChipSpec(size=kib * 1024))
    bureau = Bureau(card)
    for number in range(100):
        assert bureau.prove(TK[::-1] if number % 2 else TK) == ("63CE" if number % 2 else "9000")
        if number % 7 == 0:
            bureau.power = card.power_on()
    ring = 64 if kib == 32 else 128
    start = 8 * 64
    sequences = [
        int.from_bytes(card.image[at + 4 : at + 8])
        for at in range(start, start + ring * 64, 64)
        if card.image[at : at + 2] == b"JT"
    ]
    assert max(sequences) > ring // 2, "the wear goes round"
    assert bureau.prove(TK) == "9000"


def test_cos_9_6_after_the_last_sequence_number_nothing_is_written_any_more():
    """seq 2^32 - 2 is the last; then every write is 6581, and reading goes on."""
    card = furnished().fork()
    image = bytearray(card.image)
    for slot, page in transaction(5, MAX_SEQ - 2, 1, [], applied=0):
        image[(8 + slot) * 64 : (9 + slot) * 64] = page
    bureau = Bureau(Card(bytes(image))).select(SSSE)
    bureau.ok("00D68A0001AA", "00D68A0001BB")
    ring = bureau.card.image[0x200:0x2200]
    found = [Transaction.parse(ring, slot) for slot in range(128)]
    assert max(one.seq for one in found if one) == MAX_SEQ
    before = bureau.card.image
    for command in ("00D68A0001CC", "00D68A0004CAFEBABE"):
        assert bureau.sw(command) == "6581"
    assert bureau.prove(EMK_S2) == "6581", "no proof without its try"
    assert bureau.data("00B08A0001") == b"\xbb"
    bureau.power = bureau.card.power_on()
    bureau.select(SSSE)
    assert bureau.sw("00D68A0001CC") == "6581"
    assert bureau.card.image == before
    bureau.ok(SELECT_MF)
    assert bureau.sw("80CA00C000") == "9000"
