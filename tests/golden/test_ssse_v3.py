"""ssse-lb002 10, SM4: the worked example played to a v3 card, and all that v3 changes.

The values and the list of differences are typed from the reference.
"""

import dataclasses

import pytest
from ssse_desk import SM4, Desk
from ssse_matrix import key_values

from sscard.keys.session import direct_cryptogram
from sscard.perso.profile import Profile
from sscard.sample import new_card

SELECT = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
FCI = "6F1A840F7378312E73682EC9E7BBE1B1A3D5CFA5078801019F0C8603"
CHALLENGE = "A1B2C3D4E5F60718"

CARD_KEYS = {
    (0x0E, 0x00): "4FA273AB8B4FE16D3584B341708CEBA3",
    (0x0D, 0x04): "614B6ED7A91DB8559234DFC006E3A73A",
    (0x0D, 0x0A): "75BCA6C5CB2A3DC7E2E9562504356F8D",
    (0x07, 0x02): "AF561F7D6B4435EE416B40B4225BB570",
    (0x0D, 0x06): "2F42EBAB474C8D5F5A44A2BEA5141E86",
    (0x0D, 0x05): "F6DB1E68BE8FC0043C2F8B21A5B70DC5",
}
RECORDS = {
    "2C": [
        "0110 999901D156000005000000017CB444C2",
        "0201 33",
        "0304 332E3030",
        "040C 915600000299990199990100",
        "0504 20240115",
        "0604 20340115",
        "0709 543030303030303158",
    ],
    "34": [
        "0812 393939393031313939303031303131323332",
        "091E D5C5B2E2CAD4000000000000000000000000000000000000000000000000",
        "4E14 0000000000000000000000000000000000000000",
        "0A01 31",
        "0B01 01",
        "0C03 999901",
        "0D04 19900101",
    ],
    "6C": ["EA0C 503939393930313030303031", "EB03 999901", "EC01 30", "ED01 30"],
}
EXTERNAL = {
    "04": "4CFC560E7B2A9A82",
    "0A": "7AE680161FDB4550",
    "06": "3B0C97402EC5C775",
}


@pytest.fixture(scope="module")
def v3():
    return Profile.load("v3")


@pytest.fixture(scope="module")
def finished(v3):
    return new_card(v3).snapshot()


@pytest.fixture
def desk(finished):
    return Desk(finished.fork(), algorithm=SM4)


# ---- the vectors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("type_", "kid"), CARD_KEYS)
def test_ssse_10_2_card_keys(v3, type_, kid):
    assert v3.ssse.key(type_, kid).value.hex().upper() == CARD_KEYS[type_, kid]


def test_ssse_10_3_records_as_the_card_answers(desk):
    desk.ssse()
    assert desk.prove(0x0A, bytes.fromhex(CARD_KEYS[0x0D, 0x0A])) == "9000"
    for p2, records in RECORDS.items():
        for number, record in enumerate(records, start=1):
            expected = record.replace(" ", "")
            assert desk(f"00B2{number:02X}{p2}00") == expected + "9000"
            by_tag = f"{int(p2, 16) & 0xF8:02X}"
            assert desk(f"00B2{expected[:2]}{by_tag}00") == expected + "9000"


def test_ssse_3_3_the_fci_says_sm4(desk):
    assert desk(SELECT) == FCI + "9000"


def test_ssse_10_4_internal_authentication(desk):
    answer = desk.ssse()("0088000010 1122334455667788 0102030405060708")
    assert answer == "6972F455E57B70FE9000"


@pytest.mark.parametrize("version", ["01", ""], ids=["with version", "without"])
@pytest.mark.parametrize("kid", EXTERNAL)
def test_ssse_10_5_external_authentication(desk, kid, version):
    """With the version byte and without it, the same cryptogram."""
    desk.ssse().challenge(CHALLENGE)
    length = 0x10 + len(version) // 2
    assert desk(f"008200{kid}{length:02X}{EXTERNAL[kid]}{CHALLENGE}{version}") == "9000"


@pytest.mark.parametrize("kid", EXTERNAL)
def test_ssse_10_5_a_version_the_card_lacks(desk, kid):
    desk.ssse().challenge(CHALLENGE)
    assert desk(f"008200{kid}11{EXTERNAL[kid]}{CHALLENGE}02") == "6A88"
    assert desk(f"008200{kid}11{EXTERNAL[kid][:-2]}00{CHALLENGE}01") == "63CD"


# ---- what is not as in v2 ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read", "proofs", "allowed"),
    [
        ("", [], False),
        ("", ["PIN"], False),
        ("", ["04"], False),
        ("", ["0A"], True),
        ("F", [], True),
        ("PIN", [], False),
        ("PIN", ["0A"], False),
        ("PIN", ["PIN"], True),
        ("PIN|K0A", ["0A"], True),
        ("PIN&K0A", ["0A"], False),
        ("PIN&K0A", ["0A", "PIN"], True),
    ],
)
def test_ssse_2_3_who_reads_the_holder_data(read, proofs, allowed):
    """K(0A); some issuers let everybody, others the holder."""
    profile = Profile.load("v3", {"ssse.ef.EF06.read": read} if read else {})
    desk = Desk(new_card(profile), algorithm=SM4).ssse()
    for proof in proofs:
        if proof == "PIN":
            assert desk.pin() == "9000"
        else:
            assert (
                desk.prove(int(proof, 16), profile.ssse.key(0x0D, int(proof, 16)).value) == "9000"
            )
    expected = "9000" if allowed else "6982"
    assert {desk.sw(f"00B2{number:02X}3400") for number in range(1, 8)} == {expected}


@pytest.mark.parametrize("place", ["SSSE", *(f"DF0{n}" for n in range(1, 8))])
def test_ssse_4_2_every_key_is_sm4(v3, desk, place):
    """GET DATA D1; the PIN has no algorithm, its byte stays 00."""
    desk.ssse("" if place == "SSSE" else place)
    master = key_values(v3)[place, 0]
    proof = desk.challenge(length=16)
    assert desk(f"0082000010{direct_cryptogram(SM4, master, proof).hex()}") == "9000"
    listed = bytes.fromhex(desk.data("80CA00D100"))
    entries = [listed[at : at + 9] for at in range(0, len(listed), 9)]
    assert {entry[3] for entry in entries if entry[0] != 0x01} == {0x04}
    assert {entry[3] for entry in entries if entry[0] == 0x01} <= {0x00}
    counts = {"SSSE": 9, "DF01": 14, "DF02": 9, "DF03": 13, "DF04": 10}
    counts |= {"DF05": 2, "DF06": 5, "DF07": 7}
    assert len(entries) == counts[place]


def differences(one, other, path=""):
    """Paths of the values in which two of the same dataclass differ."""
    if dataclasses.is_dataclass(one) and type(one) is type(other):
        for field in dataclasses.fields(one):
            here = f"{path}.{field.name}"
            yield from differences(getattr(one, field.name), getattr(other, field.name), here)
    elif isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            name = getattr(pair[0], "name", index)
            yield from differences(*pair, f"{path}.{name}")
    elif one != other:
        yield path


def test_ssse_2_3_v3_differs_from_v2_in_nothing_else():
    v2, v3 = Profile.load("v2"), Profile.load("v3")
    found = set(differences(v2, v3))
    of_keys = {path for path in found if path.endswith((".algorithm", ".value"))}
    dpk_dtk = {f".ssse.directories.DF04.keys.{name}.value" for name in ("DPK", "DTK")}
    assert found - of_keys == {
        ".name",
        ".title",
        ".chip.serial",
        ".chip.uuid",
        ".options",
        ".ssse.files.EF05.records.0",
        ".ssse.files.EF05.records.2",
        ".ssse.files.EF06.read",
    }
    directories = (v2.ssse, *v2.ssse.directories)
    changed = sum(d.key_count for d in directories) - 1 + 1  # all but the PIN; the first EMK-S
    assert len([path for path in of_keys if path.endswith(".algorithm")]) == changed
    assert len([path for path in of_keys if path.endswith(".value")]) == changed - len(dpk_dtk)
    assert not dpk_dtk & found  # given by their values
    assert v3.options == (("fci_alg_marker", "03"),)
    assert (v2.ssse.files[1].read, v3.ssse.files[1].read) == (0x0000, 0x8A00)


# ---- the medical account -------------------------------------------------------------------------


def test_ssse_3_10_the_account_wants_3des_keys():
    desk = Desk(new_card("v3"), algorithm=SM4).ssse("DF04")
    assert desk.pin() == "9000"
    initialize = "805000010B0100000064999901000001"
    assert desk.sw(initialize) == "6A81"
    tdes = {f"ssse.df.DF04.key.{name}.algorithm": "3des" for name in ("DLK", "DPK", "DTK")}
    desk = Desk(new_card("v3", tdes), algorithm=SM4).ssse("DF04")
    assert desk.pin() == "9000"
    assert desk.sw(initialize) == "9000"
