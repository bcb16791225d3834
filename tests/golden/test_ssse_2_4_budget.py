"""ssse-lb002 2.4: the EEPROM need of the whole v2 card, number by number."""

import pytest

from sscard.perso.profile import Profile
from sscard.spec.ssse import V2

DOMAIN_PAGE = 64


@pytest.fixture(scope="module")
def ssse():
    return Profile.load("v2").ssse


def test_ssse_2_4_environment_level_is_6056_bytes(ssse):
    assert ssse.own_size == 6056
    assert {f.fid: f.size for f in ssse.files if f.fid in (0xEF07, 0xEF08)} == {
        0xEF07: 1072,
        0xEF08: 4144,
    }


@pytest.mark.parametrize(
    ("fid", "size", "quota"),
    [
        (0xDF01, 3328, 4096),
        (0xDF02, 1904, 2560),
        (0xDF03, 1968, 2560),
        (0xDF04, 1896, 2560),
        (0xDF05, 792, 1024),
        (0xDF06, 840, 1024),
        (0xDF07, 680, 1024),
    ],
)
def test_ssse_2_4_every_application_has_its_size_and_fits_its_quota(ssse, fid, size, quota):
    adf = next(d for d in ssse.directories if d.fid == fid)
    assert adf.own_size == size
    assert adf.quota == quota >= adf.contents_size


def test_ssse_2_4_whole_card_is_17528_of_40960_bytes(ssse):
    total = DOMAIN_PAGE + ssse.own_size + sum(d.own_size for d in ssse.directories)
    assert total == 17528
    assert ssse.quota == 40960


def test_ssse_2_4_42_files_and_69_keys(ssse):
    directories = (ssse, *ssse.directories)
    assert sum(len(d.files) for d in directories) == 42
    assert sum(d.key_count for d in directories) == 69
    assert all(d.key_slots == d.key_count for d in directories)


def test_ssse_2_4_without_photo_the_need_is_13384(ssse):
    photo = next(f for f in ssse.files if f.fid == 0xEF08)
    total = DOMAIN_PAGE + ssse.own_size + sum(d.own_size for d in ssse.directories)
    assert total - photo.size == 13384


def test_ssse_2_3_2_4_the_profile_has_the_files_of_the_specification(ssse):
    directories = (ssse, *ssse.directories)
    assert [d.fid for d in directories] == [d.fid for d in V2]
    for made, specified in zip(directories, V2, strict=True):
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
