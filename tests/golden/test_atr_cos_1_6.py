"""The ATR profiles and PPS exchanges of cos 1.6, and the ATRs of ssse-lb002 1.1."""

import pytest

from sscard.iso import Atr, AtrError, AtrProfile, pps_answer

h = bytes.fromhex

HISTORICAL = h("00FE53108086FE990100000001")
A = h("3B6D0000 00FE53108086FE990100000001")
B = h("3BED00008031FE45 00FE53108086FE990100000001 3B")
C = h("3BFD1800008031FE45 00FE53108086FE990100000001 33")


@pytest.mark.parametrize(
    ("profile", "raw", "protocols", "fd"),
    [
        (AtrProfile.A, A, (0,), 0x11),
        (AtrProfile.B, B, (0, 1), 0x11),
        (AtrProfile.C, C, (0, 1), 0x18),
    ],
    ids=["A", "B", "C"],
)
def test_cos_1_6_profiles(profile, raw, protocols, fd):
    atr = Atr.build(profile, HISTORICAL)
    assert bytes(atr) == raw
    assert Atr.parse(raw) == atr
    assert atr.protocols == protocols
    assert atr.fd == fd
    assert atr.csn8 == h("86FE990100000001")


def test_cos_1_6_check_byte():
    assert Atr.parse(A).tck is None
    assert Atr.parse(B).tck == 0x3B
    assert Atr.parse(C).tck == 0x33


@pytest.mark.parametrize("length", range(8, 16))
@pytest.mark.parametrize("profile", AtrProfile)
def test_cos_1_6_other_numbers_of_historical_bytes(profile, length):
    historical = bytes(range(length))
    atr = Atr.build(profile, historical)
    assert Atr.parse(bytes(atr)) == atr
    assert atr.csn8 == historical[-8:]


@pytest.mark.parametrize("length", [0, 7, 16])
def test_cos_1_6_unfit_numbers_of_historical_bytes(length):
    with pytest.raises(ValueError, match="8 to 15"):
        Atr.build(AtrProfile.A, bytes(length))


@pytest.mark.parametrize(
    ("raw", "csn8"),
    [
        ("3B6D0000 0087CF2001 8649618C009773F5", "8649618C009773F5"),
        ("3B6D0000 0087CF2001 8649618B00930612", "8649618B00930612"),
        ("3B6D0000 0090543116 8660130425001C4E", "8660130425001C4E"),
        ("3B6D0000 0087CF2001 8649999900000001", "8649999900000001"),
    ],
)
def test_ssse_1_1_observed_atrs(raw, csn8):
    atr = Atr.parse(h(raw))
    assert bytes(atr) == h(raw)
    assert bytes(Atr.build(AtrProfile.A, atr.historical)) == h(raw)
    assert atr.csn8 == h(csn8)


@pytest.mark.parametrize(
    "raw",
    [
        "3B00",
        "3F00",
        "3B6500002063CB6800",
        "3B9F95813FC7A08031E073FE211B63F3000000830F9000 87",
        "3BE800008131FE45 0073C8401300900092",
        "3B8980014D544344 0000000031",
    ],
)
def test_iso_7816_3_other_atrs_are_read_whole_or_not_at_all(raw):
    try:
        atr = Atr.parse(h(raw))
    except AtrError:
        return
    assert bytes(atr) == h(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "3B",
        "3C00",
        "3B01",
        "3B0000",
        B[:-1].hex(),
        B[:-1].hex() + "3A",
        (A + b"\0").hex(),
        "3BF0",
    ],
)
def test_iso_7816_3_malformed_atrs(raw):
    with pytest.raises(AtrError):
        Atr.parse(h(raw))


def test_iso_7816_3_every_cut_of_an_atr_is_malformed():
    for raw in (A, B, C):
        for length in range(len(raw)):
            with pytest.raises(AtrError):
                Atr.parse(raw[:length])


@pytest.mark.parametrize(
    ("profile", "request_", "answer"),
    [
        (AtrProfile.C, "FF1018F7", "FF1018F7"),
        (AtrProfile.C, "FF1118F6", "FF1118F6"),
        (AtrProfile.C, "FF01FE", "FF01FE"),
        (AtrProfile.B, "FF01FE", "FF01FE"),
        (AtrProfile.A, "FF00FF", "FF00FF"),
        (AtrProfile.B, "FF1018F7", "FF00FF"),
        (AtrProfile.A, "FF1018F7", "FF00FF"),
        (AtrProfile.C, "FF1111FF", "FF1111FF"),
        (AtrProfile.C, "FF1194" + "7A", "FF01FE"),
        (AtrProfile.A, "FF01FE", ""),
        (AtrProfile.C, "FF02FD", ""),
        (AtrProfile.C, "FF1018F6", ""),
        (AtrProfile.C, "FF10F7", ""),
        (AtrProfile.C, "FE1018F6", ""),
        (AtrProfile.C, "FF80" + "7F", ""),
        (AtrProfile.C, "FF3018AA7D", "FF1018F7"),
        (AtrProfile.C, "", ""),
        (AtrProfile.C, "FFFF", ""),
    ],
)
def test_cos_1_6_pps(profile, request_, answer):
    assert pps_answer(h(request_), profile) == h(answer)
