"""ssse-lb002 2.3, 2.5, 4.1: every directory, file, record, access rule and key of the v1 card.

The tables here and in `sscard.testing.models.ssse_tables` are typed from the reference and share
nothing with the profile or the specification modules; only the keys' values are taken from the profile.
"""

import pytest
from ssse_desk import Desk
from ssse_matrix import (
    content,
    enter,
    expected_listing,
    key_values,
    listing,
    prove,
)

from sscard.keys.hierarchy import CARD_KEYS, Tier
from sscard.keys.session import cryptogram
from sscard.perso.origins import origins
from sscard.perso.profile import Profile
from sscard.perso.psam import PsamProfile
from sscard.perso.sources import read
from sscard.sample import new_card
from sscard.spec.ssse import V1 as KEY_REFERENCE
from sscard.testing.models.ssse_tables import V1, matrix

# Type, KID and tries of every key but the master key, as GET DATA D1 shows them.
KEYS = {
    "SSSE": "0E00FF 0702FF 0D04EE 0D05EE 0D06EE 010066",
    "DF01": "0782FF 0D83EE 0D84EE 0D85EE 0D86EE 0D87EE",
    "DF02": "0782FF 0D83EE 0D84EE 0D85EE 0D86EE 0D87EE",
    "DF03": "0782FF 0D83EE 0D84EE 0D86EE 0D87EE 0D88EE",
    "DF04": "0782FF 0D81EE 0D83EE 0D84EE 0D85EE 0D86EE 0801FF 0901FF 0A01FF",
}
HOLDER = {
    "EF05": [
        "0110999901D15600000500000001F0E44726",
        "020131",
        "0304312E3030",
        "040C915600000299990199990100",
        "050420240115",
        "060420340115",
        "0709543030303030303158",
    ],
    "EF06": [
        "0812393939393031313939303031303131323332",
        "091ED5C5B2E2CAD4000000000000000000000000000000000000000000000000",
        "0A0131",
        "0B0101",
        "0C03999901",
        "0D0419900101",
    ],
}
# PSAM usage and identifier in the terminals of a city: one level for what is updated, unblocked
# and locked, three for what the whole nation reads and proves.
PSAM = """
IRK@SSSE 67/08  UK@SSSE 28/12  BK@SSSE 28/11  PUK@SSSE 28/10  STK@SSSE 28/09
UK1@DF01 28/42  UK2@DF01 28/43  UK3@DF01 27/24  UK4@DF01 27/25  UK5@DF01 28/44
UK1@DF02 27/26  UK2@DF02 28/45  UK3@DF02 28/46  UK4@DF02 27/27  UK5@DF02 27/28
LK@DF03 28/40  RK1@DF03 67/2B  UK1@DF03 28/47  UK2@DF03 27/29  UK3@DF03 28/48
LK@DF04 28/41  RK1@DF04 67/2D  UK1@DF04 28/49  UK2@DF04 27/2A
"""

MATRIX = matrix(V1)
DIRECTORIES, FILES = MATRIX.directories, MATRIX.files

all_files = pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.place}-{f.fid}")
all_places = pytest.mark.parametrize("place", DIRECTORIES)


@pytest.fixture(scope="module")
def finished():
    return new_card("v1").snapshot()


@pytest.fixture(scope="module")
def keys():
    return key_values(Profile.load("v1"))


@pytest.fixture
def desk(finished):
    return Desk(finished.fork())


@all_places
def test_ssse_2_5_files_kinds_and_capacities(desk, keys, place):
    """GET DATA D2: FID, kind of cos 2.2, bytes of data; a TLV record counts 3 + len."""
    enter(desk, place)
    assert desk.prove_master(keys[place, 0]) == "9000"
    found = listing(desk)
    assert found.pop("EF80")[0] == "0c"
    directories = {fid for fid in found if fid.startswith("DF")}
    assert directories == ({*DIRECTORIES} - {"SSSE"} if place == "SSSE" else set())
    assert {fid: entry for fid, entry in found.items() if fid not in directories} == (
        expected_listing(FILES, place)
    )


@all_places
def test_ssse_2_1_names(desk, place):
    aid, _ = DIRECTORIES[place]
    if place != "SSSE":
        fci = f"6F08840{len(aid) // 2}{aid}9000"
        assert desk(f"00A40400{len(aid) // 2:02X}{aid}") == fci
        assert desk.ssse()(f"00A4000002{place}") == fci


@all_places
def test_ssse_4_1_keys_and_limits(desk, keys, place):
    """GET DATA D1: type, id, version, algorithm, maximum and remaining tries."""
    enter(desk, place)
    assert desk.prove_master(keys[place, 0]) == "9000"
    listed = bytes.fromhex(desk.data("80CA00D100"))
    found = [listed[at : at + 6].hex().upper() for at in range(0, len(listed), 9)]
    version = "02" if place == "SSSE" else "01"
    expected = [f"0000{version}008808"]
    for entry in KEYS[place].split():
        kind, kid, tries = entry[:2], entry[2:4], entry[4:]
        left = "FF" if tries == "FF" else f"0{tries[1]}"
        expected.append(f"{kind}{kid}0100{tries}{left}")
    assert sorted(found) == sorted(expected)


@all_files
def test_ssse_2_5_contents(desk, keys, file):
    enter(desk, file.place)
    for proof in file.sufficient:
        prove(desk, keys, proof, file)
    found = content(desk, file)
    if file.kind == "tlv":
        unset = [f"{tag}{length:02X}{fill}" for tag, length, fill in file.records]
        records = HOLDER.get(file.fid, unset) if file.place == "SSSE" else unset
        assert found == [record + "9000" for record in records]
        assert desk.sw(f"00B2{len(records) + 1:02X}{file.sfi << 3 | 4:02X}00") == "6A83"
    elif file.kind == "cyc":
        assert set(found) == {"6A83"}
    else:
        assert "".join(part[:-4] for part in found) == "00" * file.length


@pytest.mark.parametrize(
    "file", [f for f in FILES if f.kind != "cyc"], ids=lambda f: f"{f.place}-{f.fid}"
)
def test_ssse_2_5_read_conditions(finished, keys, file):
    """Each proof by itself, and with the PIN, opens a file exactly as its condition says."""
    kids = [kid for kid, _ in MATRIX.reachable(file.place)]
    for trial in [[], ["PIN"], *([kid] for kid in kids), *(["PIN", kid] for kid in kids)]:
        desk = enter(Desk(finished.fork()), file.place)
        for proof in trial:
            prove(desk, keys, proof, file)
        expected = "9000" if file.may_read(set(trial)) else "6982"
        assert desk.sw(file.reading) == expected, trial


@all_files
def test_ssse_2_5_update_conditions(finished, keys, file):
    """Exactly one key opens a file for writing, and the PIN none."""
    for kid, holder in [("PIN", None), (None, None), *MATRIX.reachable(file.place)]:
        desk = enter(Desk(finished.fork()), file.place)
        if kid == "PIN":
            assert desk.pin() == "9000"
        elif kid is not None:
            assert desk.prove(kid, keys[holder, kid]) == "9000"
        allowed = kid == file.update and kid is not None
        assert desk(file.writing) == ("9000" if allowed else "6982"), kid


def test_ssse_2_5_read_condition_of_the_job_record(finished, keys):
    file = next(f for f in FILES if (f.place, f.fid) == ("DF02", "EF07"))
    desk = enter(Desk(finished.fork()), "DF02")
    assert desk.prove(0x85, keys["DF02", 0x85]) == "9000"
    desk.ok(file.writing)
    for proof, sw in ((None, "6982"), ("PIN", "9000"), (0x84, "6982"), (0x85, "9000")):
        desk.reset()
        enter(desk, "DF02")
        if proof is not None:
            prove(desk, keys, proof, file)
        assert desk.sw(file.reading) == sw


def test_ssse_2_3_v1_has_no_marker_in_its_fci(desk):
    answer = desk.data("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
    assert answer == "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA503880101"


def test_ssse_4_1_psam_usages_of_v1():
    """UK, BK, PUK and LK begin in the city: 28 and 27 there, and in the PSAM of a province, too."""
    expected = dict(entry.split(" ") for entry in PSAM.strip().replace("\n", "  ").split("  "))
    city = PsamProfile.load("psam-city", {"cards": "v1"})
    held = {key.name: f"{key.usage:02X}/{key.id:02X}" for key in city.keys}
    assert held.pop("DPK@DF04") == "02/01"
    assert held == expected
    province = PsamProfile.load("psam", {"cards": "v1"})
    held = {key.name: f"{key.usage:02X}/{key.id:02X}" for key in province.keys}
    assert held.pop("DPK@DF04") == "02/01"
    assert held == expected | {"STK@SSSE": "48/09"}


def test_ssse_5_2_keys_of_v1_begin_where_their_usage_says():
    known = origins(read("v1"))
    one_level = {label for label, origin in known.items() if origin.tier is Tier.CITY}
    named = {key.label for key in CARD_KEYS if key.label in known}
    assert one_level == {
        label for label in named if label.split("@")[0].rstrip("12345") in ("UK", "BK", "PUK", "LK")
    }


def test_ssse_10_2_card_values_of_v1():
    """The same citizen's card: the city's keys of 10.2 lead to the card's of 10.2."""
    ssse = Profile.load("v1").ssse
    values = {key.name: key.value.hex().upper() for key in ssse.keys}
    assert values == {
        "IRK": "2FCFB2C86C49AED3033933E4F7828684",
        "STK": "6366A6516EBDE54B7754521CAB831662",
        "UK": "38E73326E8F40EC5D63492FA9E5BFADA",
        "BK": "DF9FB450118404DC0117710579D741D6",
        "PUK": "C629BD37AB3393D2B3BDDBE64B41E84A",
    }


def test_ssse_4_1_no_two_keys_of_v1_are_equal(keys):
    assert len({bytes(byte & 0xFE for byte in key) for key in keys.values()}) == len(keys)


# ---- what provinces add --------------------------------------------------------------------------


def test_ssse_2_3_the_province_extension_ef0c():
    """Off by default; with it, its second record is 2A long, TL included."""
    switched_on = {"ssse.ef.EF0C.present": True, "ssse.key.RK07.present": True}
    profile = Profile.load("v1", switched_on)
    rk07 = profile.ssse.key(0x0D, 0x07).value
    desk = Desk(new_card(profile)).ssse()
    assert desk.sw("00B2016400") == "6982"
    assert desk.prove(0x07, rk07) == "9000"
    assert desk("00B2016400") == "F010" + "00" * 16 + "9000"
    assert desk("00B2026400") == "F128" + "00" * 40 + "9000"


@pytest.mark.parametrize(
    ("place", "name", "kid"),
    [
        ("DF03", "UK4", 0x8C),
        ("DF03", "UK5", 0x89),
        ("DF03", "UK6", 0x8A),
        ("DF03", "UK7", 0x8B),
        ("DF04", "UK4", 0x88),
        ("DF04", "UK6", 0x87),
    ],
)
def test_ssse_4_1_the_keys_of_province_files(place, name, kid):
    profile = Profile.load("v1", {f"ssse.df.{place}.key.{name}.present": True})
    directory = next(df for df in profile.ssse.directories if df.name == place)
    assert directory.key(0x0D, kid).name == name


def test_ssse_4_5_a_line_protection_key_of_eight_bytes():
    """SK = DES(STK, factor) (4.5): some v1 cards have a short STK."""
    short = {"ssse.key.STK.algorithm": "des", "ssse.key.STK.value": "0123456789ABCDEF"}
    profile = Profile.load("v1", short | {"ssse.ef.EF05.sm_update": "enc_mac"})
    desk = Desk(new_card(profile)).ssse()
    assert desk.prove(0x06, profile.ssse.key(0x0D, 0x06).value) == "9000"
    desk.algorithm = 1
    unblock = desk.protected(
        "84240000", bytes.fromhex(short["ssse.key.STK.value"]), desk.challenge()
    )
    assert desk(unblock) == "9000"


# ---- the specification as data -------------------------------------------------------------------


def test_ssse_2_5_the_profile_has_the_files_of_the_specification():
    directories = (Profile.load("v1").ssse, *Profile.load("v1").ssse.directories)
    assert [d.fid for d in directories] == [d.fid for d in KEY_REFERENCE]
    for made, specified in zip(directories, KEY_REFERENCE, strict=True):
        assert made.df_name == specified.name
        assert [f.fid for f in made.files] == [f.fid for f in specified.files]
        for file, ef in zip(made.files, specified.files, strict=True):
            if ef.kind == "tlv":
                heads = [(r[0], r[1], len(r) - 2) for r in file.records]
                assert heads == [(item.tag, item.length, item.length) for item in ef.items]
            elif ef.kind == "cyclic":
                length = sum(item.length for item in ef.items)
                assert (file.record_max, file.record_count) == (length, ef.records)
            else:
                assert file.capacity == ef.size


def test_ssse_4_5_internal_authentication_with_the_irk_of_v1(desk):
    factor, data = bytes.fromhex("1122334455667788"), bytes.fromhex("0102030405060708")
    irk = bytes.fromhex("2FCFB2C86C49AED3033933E4F7828684")
    expected = cryptogram(0, irk, factor, data).hex().upper()
    answer = desk.ssse().data(f"0088000010{factor.hex()}{data.hex()}")
    assert answer == expected == "70927040DD33EED5"
