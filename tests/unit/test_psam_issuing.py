"""CREATE, WRITE KEY, END ISSUE of a PSAM: status words and phases (cos 2.1, 7.1-7.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sam_desk import SELECT, SamDesk

from sscard.card import Card
from sscard.cos.objects import Kind
from sscard.inspect import fsck
from sscard.keys.line import line_mac, wrap
from sscard.keys.session import direct_cryptogram
from sscard.perso.psam import PsamProfile
from sscard.sample import blank_card, sample_card, sample_psam
from sscard.spec.psam import DirectoryEntry, FileEntry, FileKind

PROFILE = PsamProfile.load()
TK = PROFILE.transport_key.value
MF_KEY, AMK = (key.value for key in PROFILE.masters)
MF_NAME = "7378312E73682EC9E7BBE1B1A3D5CF"
CREATE_MF = (
    f"808A00002A 3F00 10 00 FFFF 01 00 0082 FF 81 FFFFFF 0F {MF_NAME}FF 00180100010002030300"
)
CREATE_DF = (
    "808000002A DF01 20 00 FFFF 00 00 0482 FF 81 FFFFFF 06 D15600000590FFFFFFFFFFFFFFFFFFFF"
    " 00180100010002030300"
)
KEY_FILE = "8080000008 EF11 30 30 0034 FF 04"
WORK = "48 12 00 " + "C2AF24BA962CBDA7FEC3A0A22A5B6577"


def master(value):
    return f"00 00 00 {value.hex()}"


class Issuer(SamDesk):
    """A PSAM being issued: makes the commands that want a MAC."""

    def mac(self, key, header, data=b"", algorithm=0, length=8):
        self.challenge("5152535455565758"[: 2 * length])
        head = bytes.fromhex(header) + bytes((len(data) + 4,))
        challenge = bytes.fromhex("5152535455565758"[: 2 * length])
        return (head + data + line_mac(algorithm, key, challenge, head + data)).hex()

    def write(self, parent, plain, p1="00", algorithm=0):
        """WRITE KEY; return its status word."""
        data = wrap(algorithm, parent, bytes.fromhex(plain))
        return self.sw(self.mac(parent, f"84D4{p1}00", data, algorithm))

    def end(self, key):
        """END ISSUE; return its status word."""
        return self.sw(self.mac(key, "841C0000"))

    def prove(self, key):
        """EXTERNAL AUTHENTICATE of the master key; return its status word."""
        self.challenge("5152535455565758")
        cryptogram = direct_cryptogram(0, key, bytes.fromhex("5152535455565758"))
        return self.sw(f"0082000008{cryptogram.hex()}")


@pytest.fixture(params=["apdu", "t0"])
def blank(request):
    return Issuer(blank_card(PROFILE), link=request.param, select=False)


@pytest.fixture
def keyed(blank):
    """A PSAM with MF, DF01 and their master keys; DF01 is current and has two slots left."""
    blank.ok(CREATE_MF, KEY_FILE)
    assert blank.write(TK, master(MF_KEY)) == "9000"
    blank.ok(CREATE_DF, SELECT, KEY_FILE.replace("0034", "004E"))
    assert blank.write(MF_KEY, master(AMK)) == "9000"
    return blank


@pytest.fixture
def issued():
    return Issuer(sample_psam())


# --- CREATE -------------------------------------------------------------------------------------


def test_cos_2_1_a_blank_card_has_no_mf(blank):
    assert blank.sw("00A40000023F00") == "6A81"
    assert blank.sw(KEY_FILE) == "6A81"
    assert blank.sw("841C000004 00000000") == "6A81"
    blank.ok("0084000008")


def test_cos_2_1_create_as_issuing_programs_do(blank):
    """The commands of the deployed script, byte for byte; files may come before the key EF."""
    blank.ok(
        CREATE_MF,
        "8080000008 0001 34 00 0040 00 02",
        "8080000008 0015 31 00 0015 00 02",
        "8080000008 0017 31 00 0026 00 02",
        "00D6970019 01 2900FFFFFFFFFFFF 403FFFFFFFFFFFFF 20050701 20201231",
        KEY_FILE,
        CREATE_DF,
        "00A4000002DF01",
        KEY_FILE.replace("0034", "0282"),
    )
    assert blank.ok("00A4000000") == f"6F16840F{MF_NAME}A503880101"
    assert len(blank.ok("00B0970000")) == 2 * 0x26
    root = blank.power.kernel.current.extent.tree.root
    assert root.key_file.header.record_count == 2
    assert root.child(0xDF01).key_file.header.record_count == 24
    assert [node.kind for node in root.children] == [
        Kind.LINEAR_VARIABLE,
        Kind.TRANSPARENT,
        Kind.TRANSPARENT,
        Kind.KEY,
        Kind.DIRECTORY,
    ]


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        (CREATE_MF.replace("3F00 10", "3F00 20"), "6A80"),
        (CREATE_MF.replace("3F00 10", "3F01 10"), "6A80"),
        (CREATE_MF.replace("FFFFFF 0F", "FFFFFF 04"), "6A80"),
        (CREATE_MF.replace("FFFFFF 0F", "FFFFFF 0E"), "6A80"),
        (CREATE_MF.replace("FF 81", "FF 80"), "6A80"),
        (CREATE_MF.replace("808A00002A", "808A000029").removesuffix("00"), "6700"),
        (CREATE_MF.replace("808A0000", "808A0100"), "6A86"),
        (CREATE_MF.replace("808A", "848A"), "6882"),
        ("80E000000400000000", "6D00"),
    ],
)
def test_cos_7_3_create_mf_refuses(blank, apdu, sw):
    before = blank.card.image
    assert blank.sw(apdu) == sw
    assert blank.card.image == before


def test_cos_7_3_there_is_one_mf(blank):
    blank.ok(CREATE_MF)
    assert blank.sw(CREATE_MF) == "6985"


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        ("8080000008 0015 32 00 000E 00 02", "6A80"),
        ("8080000008 0015 31 30 000E 00 02", "6A80"),
        ("8080000008 0015 31 00 0000 00 02", "6A80"),
        ("8080000008 EF12 30 00 0034 FF 04", "6A80"),
        ("8080000008 EF12 30 30 0019 FF 04", "6A80"),
        ("8080000008 EF12 30 30 06A0 FF 04", "6A80"),
        ("8080000008 EF12 30 30 0034 FF 04", "6A89"),
        ("8080000008 EF11 31 00 0034 FF 04", "6A89"),
        ("8080000008 3F00 31 00 0004 00 02", "6A80"),
        ("8080000008 FFFF 31 00 0004 00 02", "6A80"),
        ("8080000008 0018 31 00 FFFF 00 02", "6A84"),
        ("8080000007 0018 31 00 0004 00", "6700"),
        (CREATE_DF.replace("DF01 20", "DF01 10"), "6A80"),
        (CREATE_DF.replace("DF01 20", "DF02 20"), "6A8A"),
        (CREATE_DF.replace("00000590", "00000591"), "6A89"),
        (CREATE_DF.replace("DF01 20", "EF11 20").replace("00000590", "00000591"), "6A89"),
    ],
)
def test_cos_7_3_create_file_refuses(blank, apdu, sw):
    blank.ok(CREATE_MF, KEY_FILE, CREATE_DF)
    before = blank.card.image
    assert blank.sw(apdu) == sw
    assert blank.card.image == before


def test_cos_7_3_no_directory_stands_in_a_df(blank):
    blank.ok(CREATE_MF, CREATE_DF, "00A4000002DF01")
    deeper = CREATE_DF.replace("DF01 20", "DF02 20").replace("00000590", "00000591")
    assert blank.sw(deeper) == "6A80"


# --- WRITE KEY ----------------------------------------------------------------------------------


def test_cos_7_2_keys_go_in_under_their_parents(keyed):
    assert keyed.write(AMK, WORK) == "9000"
    keys = keyed.power.kernel.current.keys.records(keyed.power.kernel.current.directory)
    assert [(key.type, key.id, key.tries, key.grant) for key in keys] == [
        (0x00, 0x00, 0x88, 15),
        (0x48, 0x12, 0xFF, 0xFF),
    ]


def test_cos_4_5_the_transport_key_is_destroyed(keyed):
    assert TK not in keyed.card.image
    keyed.ok("00A40000023F00")
    assert keyed.write(TK, WORK) == "6988"


@pytest.mark.parametrize(
    ("plain", "sw"),
    [
        ("0A 01 00 " + "11" * 16, "6A80"),
        ("1F 01 00 " + "11" * 16, "6A80"),
        ("88 01 00 " + "11" * 16, "6A80"),
        ("20 01 00 " + "11" * 16, "6A80"),
        ("48 01 02 " + "11" * 16, "6A80"),
        ("48 01 05 " + "11" * 16, "6A80"),
        ("48 01 00 " + "11" * 8, "6A80"),
        ("48 01 01 " + "11" * 8, "6A80"),
        ("48 01 04 " + "11" * 15, "6A80"),
        ("48 01", "6A80"),
        ("08 01 01 " + "11" * 8, "9000"),
        ("48 01 04 " + "11" * 16, "9000"),
        ("69 01 00 " + "11" * 16, "9000"),
    ],
)
def test_cos_7_2_a_key_head_must_be_sane(keyed, plain, sw):
    assert keyed.write(AMK, plain) == sw


def test_cos_4_3_order_of_the_checks(keyed):
    data = wrap(0, AMK, bytes.fromhex(WORK))
    good = keyed.mac(AMK, "84D40000", data)
    assert keyed.sw(good.replace("84d40000", "84d40200", 1)) == "6A86"
    assert keyed.sw(good[:-8]) == "6700"
    keyed.ok("0084000008")
    assert keyed.sw("84D4000003 000000") == "6700"
    assert keyed.sw(good) == "6984", "the challenge is gone"
    assert keyed.sw(keyed.mac(MF_KEY, "84D40000", data)) == "6988"
    assert keyed.write(MF_KEY, WORK) == "6988", "the MF's key has no power here any more"
    assert keyed.sw("80D4000013" + WORK) == "6E00"
    assert keyed.write(AMK, WORK) == "9000"
    assert keyed.write(AMK, WORK) == "6A89"
    assert keyed.write(AMK, WORK.replace("48 12", "48 13")) == "9000"
    assert keyed.write(AMK, WORK.replace("48 12", "48 14")) == "6A84"
    assert keyed.write(AMK, WORK) == "6A84", "space comes before the duplicate"
    assert keyed.write(AMK, WORK.replace("48 12", "48 14"), "01") == "6A88"
    assert keyed.write(AMK, WORK, "01") == "9000"


def test_cos_4_3_a_directory_begins_with_its_master_key(blank):
    blank.ok(CREATE_MF)
    assert blank.write(TK, master(MF_KEY)) == "6A82", "there is no key EF yet"
    blank.ok(KEY_FILE)
    assert blank.write(TK, WORK) == "6985"
    assert blank.write(TK, master(MF_KEY)) == "9000"


def test_cos_4_3_a_master_key_that_fails_too_often_is_blocked(keyed):
    for _ in range(8):
        assert keyed.write(bytes(16), WORK) == "6988"
    assert keyed.write(AMK, WORK) == "6983"
    assert keyed.end(AMK) == "6983"


def test_cos_4_3_a_master_key_replaces_itself(keyed):
    new = b"TEST-PSAM-AMK-02"
    assert keyed.write(AMK, master(new), "01") == "9000"
    assert keyed.write(AMK, WORK) == "6988"
    assert keyed.write(new, WORK) == "9000"


def test_cos_7_2_keys_under_an_sm4_master(blank):
    new = b"TEST-PSAM-AMK-04"
    blank.ok(CREATE_MF, KEY_FILE)
    assert blank.write(TK, "00 00 04 " + new.hex()) == "9000"
    assert blank.write(new, WORK, algorithm=4) == "9000"


# --- the issuing phase ----------------------------------------------------------------------------


def test_cos_7_3_end_issue(keyed):
    assert keyed.end(MF_KEY) == "6988"
    keyed.ok("8080000008 0019 31 00 0004 00 FF", "00D6990004 00000041")
    assert keyed.end(AMK) == "9000"
    assert keyed.end(AMK) == "6985"
    assert keyed.sw("8080000008 0018 31 00 0004 00 FF") == "6985"
    assert keyed.sw("00D6990004 00000000") == "6982"
    assert keyed.write(AMK, WORK) == "6982", "a key wants the proof of the master key now"
    assert keyed.prove(AMK) == "9000"
    assert keyed.write(AMK, WORK) == "9000"
    assert keyed.sw("00D6990004 00000000") == "6982", "never is never"
    assert keyed.ok("00B0990004") == "00000041"


def test_cos_7_3_the_mf_is_issued_last(keyed):
    keyed.ok("00A40000023F00")
    assert keyed.end(MF_KEY) == "6985"
    keyed.ok(SELECT)
    assert keyed.end(AMK) == "9000"
    keyed.ok("00A40000023F00")
    assert keyed.sw("801C0000") == "6E00"
    assert keyed.end(MF_KEY) == "9000"
    assert keyed.sw(CREATE_DF) == "6985"
    assert not fsck(keyed.card.image)


def test_cos_7_3_end_issue_needs_a_master_key_of_its_own(blank):
    blank.ok(CREATE_MF, KEY_FILE)
    assert blank.write(TK, master(MF_KEY)) == "9000"
    blank.ok(CREATE_DF, SELECT)
    assert blank.end(MF_KEY) == "6985"


def test_cos_7_3_the_phase_is_in_the_image(keyed):
    assert keyed.end(AMK) == "9000"
    again = Issuer(Card(keyed.card.image))
    assert again.end(AMK) == "6985"


# --- an issued PSAM -------------------------------------------------------------------------------


def test_cos_7_1_rights_after_the_issue(issued):
    assert issued.sw("00D6970001 02") == "6982"
    assert issued.prove(AMK) == "9000"
    assert issued.sw("00D6970001 02") == "9000"
    issued.ok("00A40000023F00")
    assert issued.sw("00D6950001 02") == "6982"
    assert issued.sw("00B2010C00") == "9000"
    assert issued.prove(MF_KEY) == "9000"
    assert issued.sw("00D6950001 02") == "9000"
    assert issued.sw("00D6960001 02") == "6982"


def test_cos_4_7_external_authenticate_is_for_the_master_key(issued):
    assert issued.sw("0082001208 0000000000000000") == "6A86"
    assert issued.prove(bytes(16)) == "63C7"
    assert issued.prove(AMK) == "9000"


@pytest.mark.parametrize("address", ["00A4020002EF11"])
def test_cos_2_2_the_key_file_is_not_read(issued, address):
    issued.ok(address)
    assert issued.sw("00B0000010") == "6981"
    assert issued.sw("00B2010400") == "6981"
    assert issued.sw("00D6000001 00") == "6981"


@pytest.mark.parametrize("ins", ["88", "20", "24", "50", "54", "E0", "E4", "E6", "0E", "16", "CA"])
def test_cos_3_2_other_commands_are_unknown(issued, ins):
    for cla in ("00", "80", "84"):
        assert issued.sw(f"{cla}{ins}000000") in ("6D00", "6E00", "6882")


def test_cos_7_the_kind_is_in_the_image():
    """A copy of the image is a PSAM too, and a user card answers no PSAM command."""
    psam = Issuer(Card(sample_psam().image))
    assert psam.sw("80FA000008 1122334455667788") == "6985"
    user = SamDesk(sample_card(), select=False)
    assert user.sw("80FA000008 1122334455667788") == "6D00"
    assert user.sw("BFDE4812") == "6E00"


# --- the fields of CREATE -------------------------------------------------------------------------

bytes_ = st.integers(0, 255)


@given(
    fid=st.integers(0, 0xFFFF),
    kind=st.sampled_from([FileKind.KEYS, FileKind.TRANSPARENT, FileKind.VARIABLE]),
    size=st.integers(1, 0xFFFF),
    read=bytes_,
    write=bytes_,
)
def test_cos_2_1_file_entry_round_trip(fid, kind, size, read, write):
    entry = FileEntry(fid, kind, size, read, write)
    assert FileEntry.parse(entry.build()) == entry
    assert len(entry.build()) == 8


@given(
    fid=st.integers(0, 0xFFFF),
    kind=st.sampled_from([FileKind.MF, FileKind.DF]),
    name=st.binary(min_size=5, max_size=16),
    sfi=st.integers(0, 30),
    rights=st.tuples(bytes_, bytes_, bytes_),
    keys=st.integers(0, 0xFFFF),
    master=st.binary(min_size=10, max_size=10),
)
def test_cos_2_1_directory_entry_round_trip(fid, kind, name, sfi, rights, keys, master):
    entry = DirectoryEntry(fid, kind, name, sfi, keys, *rights, master)
    assert DirectoryEntry.parse(entry.build()) == entry
    assert len(entry.build()) == 42


@given(st.binary(max_size=50))
def test_cos_2_1_any_bytes_are_parsed_or_refused(data):
    for kind in (FileEntry, DirectoryEntry):
        try:
            entry = kind.parse(data)
        except ValueError:
            continue
        assert kind.parse(entry.build()) == entry
