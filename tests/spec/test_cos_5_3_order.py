"""cos 5.3: of two faults at once, the one that is checked earlier is answered.

One table per native command of 5.1: its faults in the order of the reference. Each alone gives
its status word; each pair gives the earlier one's. WRITE KEY has the order of 4.3, EXTERNAL
AUTHENTICATE that of 4.7.
"""

from functools import lru_cache
from itertools import combinations

import pytest
from cos_bureau import (
    ADF_KEY,
    AMK,
    CYCLIC,
    FIXED,
    SSSE,
    STK,
    TLV,
    TRANSPARENT,
    Bureau,
    directory_fcp,
    fcp,
    furnished,
    key_header,
    operational,
)
from cos_trace import WRONG, extents
from cos_walk import CMK, EMK_S2, MF_FCI, SELECT_MF, SELECT_SSSE, walked

from sscard.card import Card, ChipSpec
from sscard.cos.tree import mount

NAME = b"some name"


def pairs(*faults):
    """Every fault alone and every two of a table [(fault, SW)], as pytest parameters.

    Faults that exclude each other share a word before a colon: `key: none`, `key: other type`.
    """
    sws = dict(faults)
    found = [pytest.param({name}, sw, id=name) for name, sw in faults]
    for one, two in combinations(sws, 2):
        if one.split(":")[0] != two.split(":")[0]:
            found.append(pytest.param({one, two}, sws[one], id=f"{one} + {two}"))
    return [pytest.param(set(), "9000", id="none"), *found]


def table(*faults):
    return pytest.mark.parametrize(("wrong", "sw"), pairs(*faults))


def apdu(cla, ins, p1, p2, data=b"", le=None):
    tail = bytes((len(data),)) + data if data else b""
    return bytes((cla, ins, p1, p2)) + tail + (b"" if le is None else bytes((le,)))


def spend(card, key_id, kind=0x0D, code=SSSE, fid=0xEF80, parent=None):
    """Take away every try of a key: as if somebody had guessed."""
    pages = extents(card.image)[code]
    for node in mount(card.image, pages.start, len(pages)).nodes:
        if node.fid == fid and (parent is None or node.parent.fid == parent):
            for at in range(node.body, node.end - 39, 40):
                if card.image[at : at + 3] == bytes((0xA5, kind, key_id)):
                    card.eeprom.poke(at + 13, b"\x00")


# --- SELECT, GET RESPONSE, GET CHALLENGE, GET DATA ----------------------------------------------


@table(("CLA", "6E00"), ("P1P2", "6A86"), ("Lc", "6700"), ("absent", "6A82"))
def test_select(wrong, sw):
    bureau = Bureau(furnished().fork()).select(SSSE)
    fid = b"\xef\x99" if "absent" in wrong else b"\xdf\x01"
    data = fid + b"\x00" if "Lc" in wrong else fid
    assert (
        bureau.sw(apdu(0x80 if "CLA" in wrong else 0, 0xA4, 0, 9 if "P1P2" in wrong else 0, data))
        == sw
    )


@table(("channel", "6881"), ("P1P2", "6A86"), ("Lc", "6700"), ("nothing", "6F00"))
def test_get_response(wrong, sw):
    bureau = Bureau(furnished().fork(), link="t0")
    if "nothing" not in wrong:
        bureau.send(SELECT_MF)
    cla, p1 = (0x01 if "channel" in wrong else 0), (1 if "P1P2" in wrong else 0)
    length = len(bytes.fromhex(MF_FCI))
    tail = {"data": b"\x01\x02"} if "Lc" in wrong else {"le": length}
    assert bureau.sw(apdu(cla, 0xC0, p1, 0, **tail)) == sw


@table(("CLA", "6E00"), ("P1P2", "6A86"), ("Le", "6700"))
def test_get_challenge(wrong, sw):
    bureau = Bureau(furnished().fork())
    raw = apdu(0x80 if "CLA" in wrong else 0, 0x84, 0, 1 if "P1P2" in wrong else 0,
               le=5 if "Le" in wrong else 8)  # fmt: skip
    assert bureau.sw(raw) == sw


@table(("CLA", "6E00"), ("Lc", "6700"), ("terminated: SELECT", "6985"), ("MAC", "6988"))
def test_terminated_domain(wrong, sw):
    """The life cycle comes after the form and before all that is in the domain."""
    bureau = Bureau(furnished().fork()).select(SSSE)
    if "terminated: SELECT" in wrong:
        assert bureau.act(0xE6, EMK_S2) == "9000"
        bureau.send(SELECT_SSSE)
    raw = bureau.protected("841C0000", b"", WRONG if "MAC" in wrong else EMK_S2)
    if "CLA" in wrong:
        raw = b"\x00" + raw[1:]
    if "Lc" in wrong:
        raw = raw[:4] + b"\x03" + raw[5:8]
    assert bureau.sw(raw) == sw


@table(("CLA", "6E00"), ("Lc", "6700"), ("absent", "6A88"))
def test_get_data(wrong, sw):
    bureau = Bureau(furnished().fork())
    raw = apdu(0x00 if "CLA" in wrong else 0x80, 0xCA, 0, 0xC9 if "absent" in wrong else 0xC0,
               b"\x00" if "Lc" in wrong else b"")  # fmt: skip
    assert bureau.sw(raw) == sw


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("FF77FFFF", "6E00"),  # CLA before INS
        ("4077FFFF", "6E00"),
        ("0177FFFF", "6881"),  # channel before INS
        ("8377FFFF", "6881"),
        ("01A4FFFF", "6881"),  # channel before P1P2
        ("0077FFFF", "6D00"),  # INS before P1P2
        ("0477FFFF", "6D00"),  # INS before secure messaging
        ("0484FFFF", "6882"),  # no secure messaging for this one
        ("84CAFFFF", "6882"),
        ("10A40000", "6884"),  # command chaining
        ("8084FFFF", "6E00"),  # the other class
    ],
)
def test_class_and_instruction(command, sw):
    assert Bureau(furnished().fork()).sw(command) == sw


# --- EXTERNAL AUTHENTICATE, cos 4.7 -------------------------------------------------------------


@lru_cache(maxsize=1)
def with_keys():
    """The furnished card with keys 07 (free), 08 (its use needs the master key)."""
    bureau = Bureau(furnished().fork()).select(SSSE)
    assert bureau.prove(EMK_S2) == "9000"
    for kid, use in ((0x07, 0), (0x08, 0x8F00)):
        header = key_header(0x0D, kid, use=use)
        assert bureau.write_key(EMK_S2, header, STK) == "9000"
    return bureau.card.snapshot()


@table(
    ("CLA", "6E00"),
    ("P1P2", "6A86"),
    ("key: none", "6A88"),
    ("key: other type", "6981"),
    ("Lc", "6700"),
    ("use", "6982"),
    ("challenge: none", "6984"),
    ("challenge: long", "6984"),
    ("blocked", "6983"),
    ("cryptogram", "63C2"),
)
def test_cos_4_7_external_authenticate(wrong, sw):
    card = with_keys().fork()
    kid = 0x08 if "use" in wrong else 0x07
    if "blocked" in wrong:
        spend(card, kid)
    bureau = Bureau(card).select(SSSE)
    if "challenge: long" in wrong:
        bureau.challenge(16)
        raw = apdu(0, 0x82, 0, kid, bytes(8))
    elif "challenge: none" in wrong:
        raw = apdu(0, 0x82, 0, kid, bytes(8))
    else:
        raw = bureau.proof(WRONG if "cryptogram" in wrong else STK, kid)
    cla, p1 = 0x80 if "CLA" in wrong else 0, 1 if "P1P2" in wrong else 0
    if "key: none" in wrong:
        kid = 0x77
    if "key: other type" in wrong:
        kid = 0x02
    data = raw[5:] + b"\x00" if "Lc" in wrong else raw[5:]
    assert bureau.sw(apdu(cla, 0x82, p1, kid, data)) == sw


# --- CREATE, DELETE -----------------------------------------------------------------------------


@lru_cache(maxsize=1)
def nearly_full():
    """The furnished card with 40 bytes left in the SSSE: no object fits any more."""
    bureau = Bureau(furnished().fork()).select(SSSE)
    assert bureau.prove(EMK_S2) == "9000"
    free = int.from_bytes(bureau.data("80CA00D000")[15:18])
    assert bureau.create(fcp(TRANSPARENT, 0xEF70, size=free - 48 - 40, sfi=0)) == "9000"
    assert bureau.data("80CA00D000")[15:18] == b"\x00\x00\x28"
    return bureau.card.snapshot()


@table(
    ("CLA", "6E00"),
    ("P1P2", "6A86"),
    ("Lc", "6700"),
    ("phase", "6985"),
    ("MAC: none", "6984"),
    ("MAC: blocked", "6983"),
    ("MAC: wrong", "6988"),
    ("right", "6982"),
    ("data", "6A80"),
    ("FID", "6A89"),
    ("name", "6A8A"),
    ("space", "6A84"),
)
def test_cos_5_2_create_file(wrong, sw):
    """6985 while the directory's master key is missing; the `84` form has a MAC to be wrong."""
    phase = "phase" in wrong
    card = (walked("9a") if phase else nearly_full() if "space" in wrong else furnished()).fork()
    master = CMK if phase else EMK_S2
    bureau = Bureau(card).select(SSSE)
    if "right" not in wrong:
        assert bureau.prove(master) == "9000"
    fid = 0xEF80 if phase and "FID" in wrong else 0xDF01 if "FID" in wrong else 0xDF77
    name = b"sscard.cm" if "name" in wrong else NAME
    parameters = directory_fcp(fid, name, 0x8000 if phase and "space" in wrong else 0)
    if "data" in wrong:
        parameters = parameters[:-1]
    if "MAC: blocked" in wrong:
        if phase:
            card.eeprom.poke(0x22B8 + 13, b"\x00")
        else:
            spend(card, 0, kind=0)
        bureau.power.kernel.current.store.memo = {}
    plain = apdu(0x80, 0xE0, 0, 0, parameters)
    if "MAC: none" in wrong:
        plain = apdu(0x84, 0xE0, 0, 0, parameters + bytes(4))
    elif any(one.startswith("MAC") for one in wrong):
        key = WRONG if "MAC: wrong" in wrong else master
        plain = bureau.protected("84E00000", parameters, key)
    raw = bytearray(plain)
    if "CLA" in wrong:
        raw[0] &= 0x04
    if "P1P2" in wrong:
        raw[2] = 1
    if "Lc" in wrong:
        del raw[4:]
    assert bureau.sw(bytes(raw)) == sw


@table(
    ("CLA", "6E00"),
    ("P1P2", "6A86"),
    ("Lc", "6700"),
    ("operational", "6985"),
    ("absent", "6A82"),
    ("MAC: none", "6984"),
    ("MAC: wrong", "6988"),
    ("right", "6982"),
)
def test_cos_2_4_delete_file(wrong, sw):
    bureau = Bureau((operational() if "operational" in wrong else furnished()).fork()).select(SSSE)
    if "right" not in wrong:
        assert bureau.prove(EMK_S2) == "9000"
    fid = b"\xef\x99" if "absent" in wrong else b"\xef\x0a"
    plain = apdu(0x80, 0xE4, 0, 0, fid)
    if "MAC: none" in wrong:
        plain = apdu(0x84, 0xE4, 0, 0, fid + bytes(4))
    elif "MAC: wrong" in wrong:
        plain = bureau.protected("84E40000", fid, WRONG)
    raw = bytearray(plain)
    if "CLA" in wrong:
        raw[0] &= 0x04
    if "P1P2" in wrong:
        raw[3] = 1
    if "Lc" in wrong:
        raw = raw[:4] + bytes((len(raw) - 6,)) + raw[5:-1]
    assert bureau.sw(bytes(raw)) == sw


# --- WRITE KEY, cos 4.3 -------------------------------------------------------------------------

WRITE_KEY = (
    ("CLA", "6E00"),
    ("P1P2", "6A86"),
    ("Lc", "6700"),
    ("challenge", "6984"),
    ("parent", "6983"),
    ("MAC", "6988"),
    ("sane: LD", "6A80"),
    ("sane: header", "6A80"),
    ("right", "6982"),
)


def in_df05(bureau, *, proved):
    """Select DF05 afresh; `proved` also proves its master key."""
    bureau.select(SSSE)
    bureau.ok("00A4000002DF05")
    if proved:
        assert bureau.prove(AMK) == "9000"


def write_key(wrong, *, replace):
    """WRITE KEY in DF05, whose master key is AMK and whose key EF has four slots."""
    bureau = Bureau(furnished().fork())
    in_df05(bureau, proved=True)
    if "space" in wrong:
        for kid in (0x85, 0x86):
            assert bureau.write_key(AMK, key_header(0x0D, kid), STK) == "9000"
    proved = "right" not in wrong
    in_df05(bureau, proved=proved)
    raw = bytearray(key_apdu(bureau, wrong, replace=replace))
    if "challenge" in wrong:
        in_df05(bureau, proved=proved)
    if "parent" in wrong:
        spend(bureau.card, 0, kind=0, parent=0xDF05)
    if "CLA" in wrong:
        raw[0] = 0x00
    if "P1P2" in wrong:
        raw[3] = 1
    if "Lc" in wrong:
        raw = raw[:4] + bytes((raw[4] - 1,)) + raw[5:-1]
    return bureau.sw(bytes(raw))


def key_apdu(bureau, wrong, *, replace):
    """Make the command, with what is wrong inside its data."""
    exists = ("absent" not in wrong) if replace else ("exists" in wrong)
    header = key_header(0x0D, 0x83 if exists else 0x87, grant=3)
    if "sane: header" in wrong:
        header = header[:5] + b"\x10" + header[6:]
    signer = WRONG if "MAC" in wrong else AMK
    if "sane: LD" in wrong:
        return bureau.protected(f"84D40{int(replace)}00", bytes(32), signer)
    return bureau.key_command(signer, header, ADF_KEY[::-1], replace=replace)


@table(*WRITE_KEY, ("space", "6A84"), ("exists", "6A89"))
def test_cos_4_3_install(wrong, sw):
    assert write_key(wrong, replace=False) == sw


@table(*WRITE_KEY[:-1], ("absent", "6A88"))
def test_cos_4_3_replace(wrong, sw):
    assert write_key(wrong, replace=True) == sw


def test_cos_4_3_replace_needs_the_record_s_own_change_condition():
    assert write_key({"right"}, replace=True) == "6982"


def test_cos_4_3_without_a_key_ef_there_is_nowhere_to_write():
    bureau = Bureau(furnished().fork()).select(SSSE)
    bureau.ok("00A4000002DF01")
    assert bureau.write_key(EMK_S2, key_header(0x0D, 9), STK) == "6A82"
    assert bureau.sw(apdu(0x84, 0xD4, 0, 0, bytes(7))) == "6700", "the length comes first"


# --- END PERSONALISATION, TERMINATE, ERASE ------------------------------------------------------


@lru_cache(maxsize=2)
def of_the_field(*, operational_too):
    """The walk on a chip without the TEST flag: ERASE is not for it."""
    card = Card.blank(ChipSpec(test_card=False))
    from cos_walk import walk

    for row, _ in walk(card, card.power_on()):
        if row.number == ("22" if operational_too else "20"):
            break
    return card.snapshot()


LIFE = (
    ("CLA", "6E00"),
    ("P1P2", "6A86"),
    ("Lc", "6700"),
    ("state", "6985"),
    ("MAC: none", "6984"),
    ("MAC: long", "6984"),
    ("blocked", "6983"),
    ("MAC: wrong", "6988"),
)


def life_cycle(ins, wrong, refused):
    """A command of nothing but a MAC, in the SSSE; `refused` makes its state the wrong one."""
    card = (refused() if "state" in wrong else furnished()).fork()
    if "blocked" in wrong:
        spend(card, 0, kind=0)
    bureau = Bureau(card).select(SSSE)
    if "MAC: none" in wrong:
        raw = apdu(0x84, ins, 0, 0, bytes(4))
    elif "MAC: long" in wrong:
        bureau.challenge(16)
        raw = apdu(0x84, ins, 0, 0, bytes(4))
    else:
        key = WRONG if "MAC: wrong" in wrong else EMK_S2
        raw = bureau.protected(f"84{ins:02X}0000", b"", key)
    changed = bytearray(raw)
    if "CLA" in wrong:
        changed[0] = 0x80
    if "P1P2" in wrong:
        changed[2] = 1
    if "Lc" in wrong:
        changed = changed[:4] + b"\x05" + changed[5:] + b"\x00"
    return bureau.sw(bytes(changed))


@table(*LIFE)
def test_cos_5_1_end_personalisation(wrong, sw):
    assert life_cycle(0x1C, wrong, operational) == sw


@table(*LIFE)
def test_cos_5_1_erase(wrong, sw):
    assert life_cycle(0x0E, wrong, lambda: of_the_field(operational_too=False)) == sw


@table(*(fault for fault in LIFE if fault[0] != "state"))
def test_cos_5_1_terminate(wrong, sw):
    assert life_cycle(0xE6, wrong, furnished) == sw


@pytest.mark.parametrize("ins", [0x1C, 0x0E, 0xE6])
def test_cos_5_1_only_in_a_ddf(ins):
    bureau = Bureau(furnished().fork()).select(SSSE)
    bureau.ok("00A4000002DF05")
    assert bureau.act(ins, AMK) == "6985"


@pytest.mark.parametrize("ins", [0x1C, 0xE6])
def test_cos_5_1_not_in_the_card_manager(ins):
    assert Bureau(furnished().fork()).act(ins, CMK) == "6985"


# --- file access, in the card manager -----------------------------------------------------------


@lru_cache(maxsize=1)
def files_of_the_mf():
    """An INITIALISED card whose MF has files: the card manager follows cos alone (README 4)."""
    bureau = Bureau(walked("4").fork())
    assert bureau.prove(CMK) == "9000"
    assert bureau.write_key(CMK, key_header(0x07, 0x02, tries=0xFF), STK) == "9000"
    assert bureau.write_key(CMK, key_header(0x07, 0x03, tries=0x11), STK) == "9000"
    free, never, mac = "0000 0000 0000", "FFFF FFFF FFFF", "A282"
    for sfi, kind in enumerate((TRANSPARENT, FIXED, TLV, CYCLIC)):
        size = {TRANSPARENT: 20, TLV: 16}.get(kind, 0)
        record = {FIXED: (6, 3), TLV: (7, 3), CYCLIC: (6, 2)}.get(kind, (0, 0))
        for group, access in enumerate(
            (f"{free} 0000", f"{never} 0000", f"{free} {mac}", f"{never} {mac}")
        ):
            number = 1 + sfi + 4 * group
            parameters = fcp(
                kind, 0xEE00 + number, size=size, record=record, access=access, sfi=number
            )
            assert bureau.create(parameters) == "9000"
    for at in (2, 6, 10, 14):
        fill(bureau, at, at + 1)
    return bureau.card.snapshot()


def fill(bureau, fixed, tlv):
    """One record in each, behind the card's back where commands may not."""
    tree = mount(bureau.card.image, 136, 32)
    for node in tree.nodes:
        if node.sfi == fixed:
            bureau.card.eeprom.poke(node.body, b"\x01\xff" + b"FIXED1")
        if node.sfi == tlv:
            bureau.card.eeprom.poke(node.body, b"\x00\x06\x05\x07\x03abc")


def sfi_of(kind, wrong):
    """The file that shows the faults: bits of `right` and of secure messaging choose it."""
    protected = any(fault.startswith("SM") for fault in wrong)
    return kind + 4 * ("right" in wrong) + 8 * protected


def access_command(bureau, wrong, ins, p1, p2, data, le=None):
    """Send a file command; in its protected form where a fault of the MAC is wanted."""
    faults = {fault for fault in wrong if fault.startswith("SM")}
    if not faults or "SM: missing" in faults:
        raw = bytearray(apdu(0x00, ins, p1, p2, data, le))
    elif "SM: challenge" in faults:
        raw = bytearray(apdu(0x04, ins, p1, p2, data + bytes(4), le))
    else:
        key = WRONG if "SM: wrong" in faults else STK
        raw = bytearray(bureau.protected(f"04{ins:02X}{p1:02X}{p2:02X}", data, key, le=le))
    if "CLA" in wrong:
        raw[0] = 0x80
    return bureau.sw(bytes(raw))


BINARY = (
    ("CLA", "6E00"),
    ("P1P2", "6A86"),
    ("absent", "6A82"),
    ("kind", "6981"),
    ("SM: missing", "6987"),
    ("SM: challenge", "6984"),
    ("SM: wrong", "6988"),
    ("right", "6982"),
    ("offset", "6B00"),
)


@table(*BINARY)
def test_cos_2_2_update_binary(wrong, sw):
    bureau = Bureau(files_of_the_mf().fork())
    sfi = sfi_of(2 if "kind" in wrong else 1, wrong)
    p1 = 0xE1 if "P1P2" in wrong else 0x80 | (30 if "absent" in wrong else sfi)
    p2 = 18 if "offset" in wrong else 0
    assert access_command(bureau, wrong, 0xD6, p1, p2, b"data") == sw


@table(*BINARY, ("Le", "6C14"))
def test_cos_2_2_read_binary(wrong, sw):
    bureau = Bureau(files_of_the_mf().fork())
    sfi = sfi_of(2 if "kind" in wrong else 1, wrong)
    p1 = 0xE1 if "P1P2" in wrong else 0x80 | (30 if "absent" in wrong else sfi)
    p2 = 20 if "offset" in wrong else 0
    assert access_command(bureau, wrong, 0xB0, p1, p2, b"", 21 if "Le" in wrong else 0) == sw


RECORD = (
    ("CLA", "6E00"),
    ("P1P2", "6A86"),
    ("absent: file", "6A82"),
    ("kind", "6981"),
    ("absent: record", "6A83"),
    ("SM: missing", "6987"),
    ("SM: challenge", "6984"),
    ("SM: wrong", "6988"),
    ("right", "6982"),
)


def record_place(wrong, kind, mode=4):
    sfi = sfi_of(1 if "kind" in wrong else kind, wrong)
    p2 = (30 if "absent: file" in wrong else sfi) << 3 | (2 if "P1P2" in wrong else mode)
    return (9 if "absent: record" in wrong else 1), p2


@table(*RECORD)
def test_cos_2_2_read_record(wrong, sw):
    bureau = Bureau(files_of_the_mf().fork())
    assert access_command(bureau, wrong, 0xB2, *record_place(wrong, 2), b"", 0) == sw


@table(*RECORD, ("length", "6700"))
def test_cos_2_2_update_record(wrong, sw):
    bureau = Bureau(files_of_the_mf().fork())
    data = b"LONGER1" if "length" in wrong else b"FIXED2"
    assert access_command(bureau, wrong, 0xDC, *record_place(wrong, 2), data) == sw


@table(*RECORD, ("length", "6700"), ("tag", "6A80"))
def test_cos_2_2_update_tlv_record(wrong, sw):
    bureau = Bureau(files_of_the_mf().fork())
    data = (
        (b"\x08" if "tag" in wrong else b"\x07") + b"\x03xyz" + (b"!" if "length" in wrong else b"")
    )
    assert access_command(bureau, wrong, 0xDC, *record_place(wrong, 3), data) == sw


@table(
    *(fault for fault in RECORD if fault[0] not in ("P1P2", "absent: record")),
    ("data", "6A80"),
    ("space", "6A84"),
)
def test_cos_2_2_append_tlv_record(wrong, sw):
    card = files_of_the_mf().fork()
    sfi = sfi_of(1 if "kind" in wrong else 3, wrong)
    if "space" in wrong:
        for node in mount(card.image, 136, 32).nodes:
            if node.sfi == sfi:
                card.eeprom.poke(node.body, b"\x00\x0f\x07\x07\x05abcde\x06\x08\x04abcd")
    bureau = Bureau(card)
    data = b"\x09\x05xyz" if "data" in wrong else b"\x09\x03xyz"
    p2 = (30 if "absent: file" in wrong else sfi) << 3
    assert access_command(bureau, wrong, 0xE2, 0, p2, data) == sw


def test_cos_5_3_no_current_ef_is_6986():
    bureau = Bureau(files_of_the_mf().fork())
    for command in ("00B0000000", "00D6000001FF", "00B2010400", "00DC01040100", "00E2000001FF"):
        assert bureau.sw(command) == "6986"
    assert bureau.sw("80B0000000") == "6E00"
