"""cos 3.3 F1-F5, F10, F11: what a SELECT finds from where one stands, and what it leaves."""

import pytest
from cos_bureau import ADF_OF, MASTER, PSE, SELECT, SSSE, Bureau, furnished
from cos_trace import extents
from cos_walk import EMK_S2, MF_FCI, PSE_NAME, SELECT_MF, SSSE_NAME, walked

from sscard.cos.layout import DomainHeader

CM = 0
MF, SSSE_DDF, PSE_DDF = (CM, 0x3F00), (SSSE, 0xDDF1), (PSE, 0xDDF2)
DF01, DF05, EF06 = (SSSE, 0xDF01), (SSSE, 0xDF05), "EF06"

POSITIONS = {
    "reset": (),
    "MF": (SELECT_MF,),
    "SSSE": (SELECT[SSSE],),
    "DF01": (SELECT[SSSE], "00A4000002DF01"),
    "DF05": (SELECT[SSSE], "00A4000002DF05"),
}
"""Places to stand; in the PSE only names and 3F00 select (pse-pboc 1.2)."""


def standing(position):
    bureau = Bureau(furnished().fork())
    bureau.ok(*POSITIONS[position])
    return bureau


def place(bureau):
    """Where one stands: (domain, FID of the current directory), or the FID of the current EF."""
    domain = bureau.power.kernel.current
    session = domain.session
    if session.file is not None:
        return f"{session.file.fid:04X}"
    return domain.code, session.directory.fid


# --- F3: by FID ---------------------------------------------------------------------------------

FIDS = (0x3F00, 0xDDF1, 0xDDF2, 0xDF01, 0xDF05, 0xEF05, 0xEF06, 0xEF80, 0xEF02, 0xEF99)
SEEN = {
    "reset": {0x3F00: MF, 0xDDF1: SSSE_DDF, 0xDDF2: PSE_DDF, 0xEF80: "EF80"},
    "MF": {0x3F00: MF, 0xDDF1: SSSE_DDF, 0xDDF2: PSE_DDF, 0xEF80: "EF80"},
    "SSSE": {0x3F00: MF, 0xDDF1: SSSE_DDF, 0xDF01: DF01, 0xDF05: DF05, 0xEF05: "EF05",
             0xEF80: "EF80"},
    "DF01": {0x3F00: MF, 0xDDF1: SSSE_DDF, 0xDF01: DF01, 0xDF05: DF05},
    "DF05": {0x3F00: MF, 0xDDF1: SSSE_DDF, 0xDF01: DF01, 0xDF05: DF05, 0xEF06: "EF06",
             0xEF80: "EF80"},
}  # fmt: skip
"""P1 = 00: children, then itself, siblings, parent (directories only), 3F00 from anywhere."""

CHILD_DF = {
    "reset": {0xDDF1: SSSE_DDF, 0xDDF2: PSE_DDF},
    "MF": {0xDDF1: SSSE_DDF, 0xDDF2: PSE_DDF},
    "SSSE": {0xDF01: DF01, 0xDF05: DF05},
    "DF01": {},
    "DF05": {},
}
"""P1 = 01: directories below the current one."""

CHILD_EF = {
    "reset": {0xEF80: "EF80", 0xDDF1: SSSE_DDF, 0xDDF2: PSE_DDF},
    "MF": {0xEF80: "EF80", 0xDDF1: SSSE_DDF, 0xDDF2: PSE_DDF},
    "SSSE": {0xEF05: "EF05", 0xEF80: "EF80", 0xDF01: DF01, 0xDF05: DF05},
    "DF01": {},
    "DF05": {0xEF06: "EF06", 0xEF80: "EF80"},
}
"""P1 = 02: files below the current directory; readers use it for directories too."""


@pytest.mark.parametrize("fid", FIDS, ids=[f"{fid:04X}" for fid in FIDS])
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(("p1", "seen"), [(0, SEEN), (1, CHILD_DF), (2, CHILD_EF)])
def test_cos_3_3_f3_by_fid(position, fid, p1, seen):
    bureau = standing(position)
    before = place(bureau)
    sw = bureau.sw(bytes((0, 0xA4, p1, 0, 2)) + fid.to_bytes(2))
    expected = seen[position].get(fid)
    if expected is None:
        assert (sw, place(bureau)) == ("6A82", before)
    else:
        assert (sw, place(bureau)) == ("9000", expected)


@pytest.mark.parametrize(
    ("position", "expected"),
    [("MF", None), ("SSSE", None), ("DF01", SSSE_DDF), ("DF05", SSSE_DDF)],
)
def test_cos_5_1_p1_03_is_the_parent_of_the_same_domain(position, expected):
    bureau = standing(position)
    before = place(bureau)
    sw = bureau.sw("00A40300")
    if expected is None:
        assert (sw, place(bureau)) == ("6A82", before)
    else:
        assert (sw, place(bureau)) == ("9000", expected)


@pytest.mark.parametrize("command", ["00A40000", "00A4000000"])
def test_ssse_3_3_an_empty_fid_is_the_mf(command):
    bureau = standing("DF05")
    assert bureau.send(command) == bytes.fromhex(MF_FCI + "9000")
    assert place(bureau) == MF


@pytest.mark.parametrize("fid", ["DDF1", "DDF2", "DF01", "DF05", "EF02", "EF99"])
def test_pse_1_2_the_pse_selects_by_name(fid):
    bureau = Bureau(furnished().fork()).select(PSE)
    assert bureau.sw("00A4000002" + fid) == "6A86"
    assert place(bureau) == PSE_DDF


def test_cos_3_3_f3_the_mf_is_reached_from_the_pse():
    bureau = Bureau(furnished().fork()).select(PSE)
    assert bureau.send(SELECT_MF) == bytes.fromhex(MF_FCI + "9000")
    assert place(bureau) == MF


# --- F2: by name --------------------------------------------------------------------------------

NAMES = {
    b"sscard.cm": MF,
    bytes.fromhex(SSSE_NAME): SSSE_DDF,
    bytes.fromhex(PSE_NAME): PSE_DDF,
    bytes.fromhex("D15600000501"): DF01,
    ADF_OF[SSSE]: DF05,
    ADF_OF[PSE]: (PSE, 0xDF05),
}
EVERYWHERE = {**POSITIONS, "PSE": (SELECT[PSE],)}


def by_name(name, p2=0):
    return bytes((0, 0xA4, 4, p2, len(name))) + name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("position", EVERYWHERE)
def test_cos_3_3_f2_full_names_are_found_from_everywhere(position, name):
    bureau = Bureau(furnished().fork())
    bureau.ok(*EVERYWHERE[position])
    assert bureau.sw(by_name(name)) == "9000"
    assert place(bureau) == NAMES[name]


@pytest.mark.parametrize("position", EVERYWHERE)
@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (bytes.fromhex(PSE_NAME)[:5], PSE_DDF),
        (bytes.fromhex(PSE_NAME)[:-1], PSE_DDF),
        (ADF_OF[PSE][:5], (PSE, 0xDF05)),
        (bytes.fromhex(SSSE_NAME)[:7], None),
        (ADF_OF[SSSE][:5], None),
        (b"sscar", None),
        (bytes.fromhex(PSE_NAME) + b"x", None),
    ],
)
def test_cos_3_3_f2_parts_of_names_match_in_the_pse_alone(position, part, expected):
    bureau = Bureau(furnished().fork())
    bureau.ok(*EVERYWHERE[position])
    before = place(bureau)
    sw = bureau.sw(by_name(part))
    assert (sw, place(bureau)) == (("9000", expected) if expected else ("6A82", before))


def test_cos_3_3_f2_next_goes_on_behind_the_last_and_ends():
    bureau = Bureau(furnished().fork())
    part = ADF_OF[PSE][:5]
    assert bureau.sw(by_name(part)) == "9000"
    assert bureau.sw(by_name(part, 2)) == "6A82", "there is one"
    assert bureau.sw(by_name(part)) == "9000", "P2 = 00 begins again"


@pytest.mark.parametrize("length", [1, 4, 17])
def test_cos_2_2_names_have_5_to_16_bytes(length):
    bureau = standing("SSSE")
    assert bureau.sw(by_name(b"x" * length)) == "6700"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00A4050002DF01", "6A86"),
        ("00A4000102DF01", "6A86"),
        ("00A4000202DF01", "6A86"),
        ("00A4000C02DF01", "6A86"),
        ("00A4000001DF", "6700"),
        ("00A4000003DF0100", "6700"),
        ("00A4010000", "6700"),
        ("00A4030002DF01", "6700"),
        ("80A4000002DF01", "6E00"),
        ("04A4000002DF01", "6882"),
        ("01A4000002DF01", "6881"),
    ],
)
def test_cos_5_3_form_of_select(command, sw):
    bureau = standing("SSSE")
    assert bureau.sw(command) == sw
    assert place(bureau) == SSSE_DDF


# --- F4, F5 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["00A4000002EF99", "00A4000002DDF2", "00A404000578787878FF"])
def test_cos_3_3_f4_a_failed_select_changes_nothing(failing):
    bureau = standing("SSSE")
    assert bureau.prove(EMK_S2) == "9000"
    bureau.ok("00A4000002EF0A")
    proof = bureau.proof(EMK_S2)
    assert bureau.sw(failing) == "6A82"
    assert bureau.sw(proof) == "9000", "the challenge stays"
    assert bureau.data("00B0000004") == b"SSSE", "the current file stays"
    assert bureau.sw("80CA00D100") == "9000", "the proof stays"


def test_cos_2_3_an_adf_keeps_the_environment_s_proofs_and_drops_its_own():
    bureau = standing("SSSE")
    assert bureau.prove(EMK_S2) == "9000"
    bureau.ok("00A4000002DF05")
    session = bureau.power.kernel.current.session
    assert (session.directory_mask, session.environment_mask) == (0, 1 << 15)
    from cos_bureau import AMK

    assert bureau.prove(AMK) == "9000"
    assert (session.directory_mask, session.environment_mask) == (1 << 15, 1 << 15)
    bureau.ok("00A4000002DF01")
    session = bureau.power.kernel.current.session
    assert (session.directory_mask, session.environment_mask) == (0, 1 << 15)
    bureau.ok("00A4000002DDF1")
    session = bureau.power.kernel.current.session
    assert (session.directory_mask, session.environment_mask) == (0, 0)


def test_cos_3_3_f3_an_sfi_never_leaves_the_current_directory():
    bureau = standing("SSSE")
    assert bureau.sw("00B2012C00") == "9000"
    bureau.ok("00A4000002DF01")
    assert bureau.sw("00B2012C00") == "6A82"
    bureau.ok(SELECT_MF)
    assert bureau.sw("00B2012C00") == "6A82"


# --- F10: a blocked domain ----------------------------------------------------------------------


def blocked(block):
    card = furnished().fork()
    start = extents(card.image)[SSSE].start * 64
    header = DomainHeader.parse(card.image[start : start + 64])
    card.eeprom.poke(start, header._replace(block=block).build())
    return Bureau(card)


@pytest.mark.parametrize(("block", "refused"), [(1, "6985"), (2, "9303")])
def test_cos_3_3_f10_a_blocked_ssse_answers_select_and_little_else(block, refused):
    """The status words are those of the SSSE's page (ssse-lb002 4.8)."""
    bureau = blocked(block)
    answer = bureau.send(SELECT[SSSE])
    assert answer[-2:] == b"\x62\x83"
    assert answer[:2] == b"\x6f\x16"
    for command in (
        "00B2012C00",
        "00B08A0000",
        "00D68A000100",
        "0020000003123456",
        "80E4000002EF0A",
    ):
        assert bureau.sw(command) == refused
    temporary = block == 1
    assert (bureau.sw("0084000008") == "9000") is temporary
    assert (bureau.sw("80CA00D000") == "9000") is temporary
    assert (bureau.prove(MASTER[SSSE]) == "9000") is temporary
    bureau.select(PSE)
    assert bureau.prove(MASTER[PSE]) == "9000"


def test_cos_5_3_a_terminated_domain_answers_select_and_get_data():
    bureau = Bureau(furnished().fork()).select(SSSE)
    assert bureau.act(0xE6, MASTER[SSSE]) == "9000"
    assert bureau.send(SELECT[SSSE]) == b"\x62\x85"
    assert bureau.sw("80CA00D000") == "9000"
    for command in ("0084000008", "00B2012C00", "00A4000002EF99", "841C000004" + "00" * 4):
        assert bureau.sw(command) in ("6985", "6A82")
    assert bureau.sw("0084000008") == "6985"


# --- F11 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [SSSE, PSE], ids=["SSSE", "PSE"])
@pytest.mark.parametrize("form", ["00A4000002{}", "00A4010002{}", "00A4020002{}", "80E4000002{}"])
def test_cos_3_3_f11_a_file_elsewhere_is_a_file_nowhere(code, form):
    """FIDs of the other environment's files answer exactly as FIDs nobody has."""
    elsewhere = {SSSE: ("EF02", "EF03", "DDF2"), PSE: ("EF0A", "EF05", "DF01", "DDF1")}[code]
    bureau = Bureau(furnished().fork()).select(code)
    assert bureau.prove(MASTER[code]) == "9000"
    nowhere = bureau.send(form.format("EE77"))
    for fid in elsewhere:
        assert bureau.send(form.format(fid)) == nowhere


def test_cos_3_4_before_there_is_an_mf_nothing_can_be_selected():
    bureau = Bureau(walked("1").fork())
    for command in (SELECT_MF, SELECT[SSSE], SELECT[PSE], "00A40000", "00A40300"):
        assert bureau.sw(command) == "6A81"
