"""ssse-lb002 2.3, 2.4, 4.1: every directory, file, record, access rule and key of the v2 card.

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

from sscard.perso.profile import Profile
from sscard.sample import new_card
from sscard.testing.models.ssse_tables import V2, matrix

# Type, KID and tries of every key, in the order of 4.1: what GET DATA D1 shows of each.
MASTER_AND = {
    "SSSE": "0E00FF 0702FF 0D04EE 0D05EE 0D06EE 0D0AEE 0D0DEE 010066",
    "DF01": "0782FF 0D83EE 0D84EE 0D85EE 0D86EE 0D87EE 0D88EE 0D89EE 0D8AEE 0D8BEE 0D8CEE 0D8DEE"
    " 0D8EEE",
    "DF02": "0782FF 0D83EE 0D84EE 0D85EE 0D86EE 0D87EE 0D88EE 0D89EE",
    "DF03": "0782FF 0D83EE 0D84EE 0D85EE 0D86EE 0D87EE 0D88EE 0D89EE 0D8AEE 0D8BEE 0D8CEE 0D8DEE",
    "DF04": "0782FF 0D81EE 0D83EE 0D84EE 0D85EE 0D86EE 0801FF 0901FF 0A01FF",
    "DF05": "0D83EE",
    "DF06": "0D83EE 0D84EE 0D85EE 0D86EE",
    "DF07": "0D83EE 0D84EE 0D85EE 0D86EE 0D87EE 0D88EE",
}
FILLED = ("EF05", "EF06", "EF0D")
"""Files of the SSSE that hold the citizen of section 10; all others hold their fill."""
MATRIX = matrix(V2)
DIRECTORIES, FILES = MATRIX.directories, MATRIX.files
reachable = MATRIX.reachable

all_files = pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.place}-{f.fid}")
tlv_files = pytest.mark.parametrize(
    "file", [f for f in FILES if f.kind == "tlv"], ids=lambda f: f"{f.place}-{f.fid}"
)
cyclic_files = pytest.mark.parametrize(
    "file", [f for f in FILES if f.kind == "cyc"], ids=lambda f: f"{f.place}-{f.fid}"
)
binary_files = pytest.mark.parametrize(
    "file", [f for f in FILES if f.kind == "bin"], ids=lambda f: f"{f.place}-{f.fid}"
)
all_places = pytest.mark.parametrize("place", DIRECTORIES)


@pytest.fixture(scope="module")
def finished():
    return new_card("v2").snapshot()


@pytest.fixture(scope="module")
def keys():
    return key_values(Profile.load("v2"))


@pytest.fixture
def desk(finished):
    return Desk(finished.fork())


# ---- structure -------------------------------------------------------------------------------


def test_ssse_2_4_there_are_42_files():
    """41 working files and the medical account."""
    assert len(FILES) + 1 == 42


@all_places
def test_ssse_2_1_directories_by_fid_and_by_name(desk, place):
    aid, _ = DIRECTORIES[place]
    if place == "SSSE":
        assert desk.sw("00A4000002DDF1") == "9000"
        return
    fci = f"6F08840{len(aid) // 2}{aid}9000"
    assert desk(f"00A40400{len(aid) // 2:02X}{aid}") == fci
    desk.ssse()
    for p1 in ("00", "01", "02"):
        desk.ssse()
        assert desk(f"00A4{p1}0002{place}") == fci


@all_places
def test_ssse_2_3_2_4_no_other_files_and_identifiers(desk, place):
    expected = {f.fid for f in FILES if f.place == place} | {"EF80"}
    expected |= {"EF81"} if place == "DF04" else set()
    found = set()
    for low in range(256):
        enter(desk, place)
        if desk.sw(f"00A4020002EF{low:02X}") == "9000":
            found.add(f"EF{low:02X}")
    assert found == expected
    for low in range(256):
        enter(desk, place)
        below = desk.sw(f"00A4010002DF{low:02X}") == "9000"
        assert below == (place == "SSSE" and f"DF{low:02X}" in DIRECTORIES)
    enter(desk, place)
    with_sfi = {sfi for sfi in range(1, 32) if desk.sw(f"00B201{sfi << 3 | 4:02X}00") != "6A82"}
    assert with_sfi == {f.sfi for f in FILES if f.place == place}


@all_places
def test_ssse_2_2_kinds_and_capacities(desk, keys, place):
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
def test_ssse_4_1_keys_and_limits(desk, keys, place):
    """GET DATA D1: type, id, version, algorithm, maximum and remaining tries."""
    enter(desk, place)
    assert desk.prove_master(keys[place, 0]) == "9000"
    listed = bytes.fromhex(desk.data("80CA00D100"))
    found = [listed[at : at + 6].hex().upper() for at in range(0, len(listed), 9)]
    version = "02" if place == "SSSE" else "01"
    expected = [f"0000{version}008808"]
    for entry in MASTER_AND[place].split():
        kind, kid, tries = entry[:2], entry[2:4], entry[4:]
        left = "FF" if tries == "FF" else f"0{tries[1]}"
        expected.append(f"{kind}{kid}0100{tries}{left}")
    assert sorted(found) == sorted(expected)


@tlv_files
def test_ssse_2_3_2_4_every_record_by_number(desk, keys, file):
    enter(desk, file.place)
    for proof in file.sufficient:
        prove(desk, keys, proof, file)
    records = [record[:-4] for record in content(desk, file)]
    heads = [(record[:2], int(record[2:4], 16)) for record in records]
    assert heads == [(tag, length) for tag, length, _ in file.records]
    assert all(
        len(record) == 4 + 2 * length for record, (_, length) in zip(records, heads, strict=True)
    )
    if (file.place, file.fid) not in [("SSSE", fid) for fid in FILLED]:
        assert [record[4:] for record in records] == [fill for _, _, fill in file.records]
    assert desk.sw(f"00B2{len(records) + 1:02X}{file.sfi << 3 | 4:02X}00") == "6A83"


@tlv_files
def test_ssse_2_3_2_4_every_record_by_tag(desk, keys, file):
    """A tag that repeats finds its first record."""
    enter(desk, file.place)
    for proof in file.sufficient:
        prove(desk, keys, proof, file)
    records = content(desk, file)
    tags = [tag for tag, _, _ in file.records]
    for tag in tags:
        assert desk(f"00B2{tag}{file.sfi << 3:02X}00") == records[tags.index(tag)]
        assert desk(f"00B2{tag}0000") == records[tags.index(tag)]
    missing = {f"{tag:02X}" for tag in range(256)} - set(tags)
    assert {desk.sw(f"00B2{tag}0000") for tag in missing} == {"6A83"}


@binary_files
def test_ssse_2_3_2_4_sizes_of_transparent_files(desk, keys, file):
    enter(desk, file.place)
    for proof in file.sufficient:
        prove(desk, keys, proof, file)
    assert all(set(part[:-4]) == {"0"} and part[-4:] == "9000" for part in content(desk, file))
    desk.ok(f"00A4020002{file.fid}")
    assert desk(f"00B0{file.length - 1:04X}01") == "009000"
    assert desk.sw(f"00B0{file.length:04X}01") == "6B00"


@pytest.mark.parametrize(("place", "fid"), [(p, "EF80") for p in DIRECTORIES] + [("DF04", "EF81")])
def test_ssse_2_2_internal_files_are_never_read_or_written(desk, keys, place, fid):
    enter(desk, place)
    assert desk.pin() == "9000"
    for kid, holder in reachable(place):
        assert desk.prove(kid, keys[holder, kid]) == "9000"
    assert desk.prove_master(keys[place, 0]) == "9000"
    desk.ok(f"00A4020002{fid}")
    for apdu in ("00B0000001", "00B2010400", "00B2010000", "00D600000100", "00DC01040100"):
        assert desk.sw(apdu) == "6981"
    assert desk.sw("00E200000100") == "6981"


# ---- access ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file", [f for f in FILES if f.kind != "cyc"], ids=lambda f: f"{f.place}-{f.fid}"
)
def test_ssse_2_3_2_4_read_conditions(finished, keys, file):
    """Each proof by itself, and with the PIN, opens a file exactly as its condition says."""
    kids = [kid for kid, _ in reachable(file.place)]
    trials = [[], ["PIN"], *([kid] for kid in kids), *(["PIN", kid] for kid in kids)]
    for trial in trials:
        desk = enter(Desk(finished.fork()), file.place)
        for proof in trial:
            prove(desk, keys, proof, file)
        expected = "9000" if file.may_read(set(trial)) else "6982"
        assert desk.sw(file.reading) == expected, trial


@all_files
def test_ssse_2_3_2_4_update_conditions(finished, keys, file):
    """Exactly one key opens a file for writing, and the PIN none."""
    for kid, holder in [("PIN", None), (None, None), *reachable(file.place)]:
        desk = enter(Desk(finished.fork()), file.place)
        if kid == "PIN":
            assert desk.pin() == "9000"
        elif kid is not None:
            assert desk.prove(kid, keys[holder, kid]) == "9000"
        allowed = kid == file.update and kid is not None
        before = desk.card.image
        assert desk(file.writing) == ("9000" if allowed else "6982"), kid
        assert (desk.card.image != before) == allowed


@all_files
def test_ssse_2_3_2_4_update_and_read_back(desk, keys, file):
    if file.update is None:
        return
    enter(desk, file.place)
    prove(desk, keys, file.update, file)
    for proof in file.sufficient:
        prove(desk, keys, proof, file)
    if file.kind == "bin":
        desk.ok(f"00A4020002{file.fid}", f"00D6{file.length - 3:04X}03C1C2C3")
        assert desk.data(f"00B0{file.length - 4:04X}04") == "00C1C2C3"
        assert desk.sw(f"00D6{file.length - 2:04X}03C1C2C3") == "6B00"
        return
    if file.kind == "cyc":
        desk.ok(file.writing)
        assert desk.data(file.reading) == "A5" * file.length
        return
    written = []
    for number, (tag, length, _) in enumerate(file.records, 1):
        written.append(f"{tag}{length:02X}" + f"{number:02X}" * length)
        apdu = f"00DC{number:02X}{file.sfi << 3 | 4:02X}{length + 2:02X}{written[-1]}"
        assert desk(apdu) == "9000"
    assert content(desk, file) == [record + "9000" for record in written]
    desk.reset()
    enter(desk, file.place)
    for proof in file.sufficient:
        prove(desk, keys, proof, file)
    assert content(desk, file) == [record + "9000" for record in written]


@all_files
def test_ssse_4_3_a_wrong_key_opens_nothing(desk, keys, file):
    enter(desk, file.place)
    for kid, _ in reachable(file.place):
        assert desk.prove(kid, bytes(16)) == "63CD"
    assert desk.pin("123457") == "63C5"
    assert desk(file.writing) == "6982"
    if file.kind != "cyc":
        assert (desk.sw(file.reading) == "9000") == (file.read == "F")


def test_ssse_4_1_no_two_keys_are_equal(keys):
    """Not even as DES keys, whose parity bits count for nothing."""
    assert len({bytes(byte & 0xFE for byte in key) for key in keys.values()}) == len(keys)


@pytest.mark.parametrize("place", [p for p in DIRECTORIES if p != "SSSE"])
def test_ssse_4_3_keys_of_another_application_open_nothing(desk, keys, place):
    """The same KID in two applications is two keys."""
    for kid in DIRECTORIES[place][1]:
        others = [p for p in DIRECTORIES if p != place and (p, kid) in keys]
        for other in others:
            enter(desk, place)
            assert desk.prove(kid, keys[other, kid])[:3] == "63C"
            assert desk.prove(kid, keys[place, kid]) == "9000"


# ---- cyclic files ----------------------------------------------------------------------------


@cyclic_files
def test_ssse_2_2_cyclic_files_start_empty(desk, keys, file):
    enter(desk, file.place)
    assert desk(file.reading) == "6A83"
    for proof in file.sufficient:
        prove(desk, keys, proof, file)
    assert [desk(f"00B2{n:02X}{file.sfi << 3 | 4:02X}00") for n in (0, 1, 2, 255)] == ["6A83"] * 4


@cyclic_files
def test_ssse_3_5_the_newest_record_is_01_and_the_oldest_falls_out(desk, keys, file):
    if file.update is None:
        return
    enter(desk, file.place)
    prove(desk, keys, file.update, file)
    for proof in file.sufficient:
        prove(desk, keys, proof, file)
    for written in range(1, 2 * file.count + 2):
        mode = 3 if written % 2 else 4
        value = f"{written:02X}" * file.length
        assert desk(f"00DC00{file.sfi << 3 | mode:02X}{file.length:02X}{value}") == "9000"
        newest = [f"{n:02X}" * file.length + "9000" for n in range(written, 0, -1)]
        expected = newest[: file.count] + ["6A83"] * (file.count - written)
        assert content(desk, file) == expected
        assert desk.sw(f"00B2{file.count + 1:02X}{file.sfi << 3 | 4:02X}00") == "6A83"


@cyclic_files
def test_ssse_2_4_read_conditions_of_cyclic_files(finished, keys, file):
    """As for every other file, on a record written before."""
    card = finished.fork()
    desk = enter(Desk(card), file.place)
    if file.update is not None:
        prove(desk, keys, file.update, file)
        desk.ok(file.writing)
    kids = [kid for kid, _ in reachable(file.place)]
    granted = "A5" * file.length + "9000" if file.update is not None else "6A83"
    for trial in [[], ["PIN"], *([kid] for kid in kids), *(["PIN", kid] for kid in kids)]:
        desk.reset()
        enter(desk, file.place)
        for proof in trial:
            prove(desk, keys, proof, file)
        allowed = file.may_read(set(trial)) or file.update is None
        assert desk(file.reading) == (granted if allowed else "6982"), trial


def test_ssse_2_4_debit_log_is_written_by_the_card_alone(desk, keys):
    """DF04 EF08: no key, no PIN, no master key writes it after personalisation."""
    enter(desk, "SSSE")
    assert desk.prove_master(keys["SSSE", 0]) == "9000"
    desk.ok("00A4000002DF04")
    assert desk.pin() == "9000"
    for kid, holder in reachable("DF04"):
        assert desk.prove(kid, keys[holder, kid]) == "9000"
    assert desk.prove_master(keys["DF04", 0]) == "9000"
    record = "A5" * 0x1C
    assert desk.sw(f"00DC00431C{record}") == "6982"
    assert desk.sw(f"00DC00441C{record}") == "6982"
    assert desk.sw(f"00E200401C{record}") == "6982"
    assert desk.sw("00B2014400") == "6A83"
