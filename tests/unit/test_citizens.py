"""Fictional citizens: right in every digit, different from each other, and fit for every card."""

from datetime import date
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.iso.text import from_gbk
from sscard.perso.citizens import NameKind, citizen, citizens
from sscard.perso.profile import Profile
from sscard.sample import new_card
from sscard.spec.checks import is_card_number, is_id_number

PINNED = ("赵赟伟", "999902194101281276", "T93981274")
SEEDS = st.one_of(st.integers(), st.text(max_size=8))
PEOPLE = st.builds(citizen, st.integers(0, 9_999_999), SEEDS)


def in_gb2312(text):
    try:
        text.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


@given(PEOPLE)
def test_ssse_1_3_1_4_numbers_have_their_check_digits(person):
    assert is_id_number(person.id_number)
    assert is_card_number(person.card_number)
    assert person.id_number[:6] == person.birthplace
    assert person.birthplace.startswith("99")
    assert person.id_number[6:14] == person.birth.strftime("%Y%m%d")
    assert person.sex == ("1" if int(person.id_number[16]) % 2 else "2")
    assert 1 <= int(person.nation) <= 56
    assert len(person.person_id) == 12


@given(PEOPLE)
def test_dates_are_possible(person):
    assert date(1930, 1, 1) <= person.birth < person.issued < person.expires
    assert (person.expires.year - person.issued.year, person.expires.month) == (
        10,
        person.issued.month,
    )


@given(PEOPLE)
def test_ssse_2_3_names_fit_both_items_and_come_back(person):
    head, tail = person.name_parts
    assert head + tail == person.name
    assert len(head.encode("gb18030")) <= 0x1E
    assert len(tail.encode("gb18030")) <= 0x14
    assert bool(tail) == (person.name_kind is NameKind.LONG)
    widths = {len(character.encode("gb18030")) for character in person.name}
    assert (4 in widths) == (person.name_kind is NameKind.FOUR_BYTES)
    assert in_gb2312(person.name.replace("·", "")) == (
        person.name_kind in (NameKind.COMMON, NameKind.LONG)
    )


@given(SEEDS, st.integers(0, 9_000_000))
def test_the_same_seed_gives_the_same_people(seed, index):
    assert citizen(index, seed) == citizen(index, seed)


@given(SEEDS)
def test_ten_people_have_names_of_every_kind(seed):
    assert {person.name_kind for person in islice(citizens(seed), 10)} == set(NameKind)


@pytest.mark.parametrize("seed", [0, "soak", "西安"])
def test_people_of_a_seed_are_different(seed):
    people = list(islice(citizens(seed), 5000))
    for field in ("id_number", "card_number", "serial"):
        assert len({getattr(person, field) for person in people}) == len(people)


def test_another_seed_is_another_town():
    one, other = (list(islice(citizens(seed), 50)) for seed in ("one", "other"))
    assert not {p.id_number for p in one} & {p.id_number for p in other}


def test_the_generator_never_changes():
    """People of a seed are quoted in bug reports: the values below stay."""
    person = citizen(0, "sscard")
    assert (person.name, person.id_number, person.card_number) == PINNED
    assert list(islice(citizens("sscard"), 3))[2] == citizen(2, "sscard")


@pytest.mark.parametrize("region", ["310100", "9999", "99990x", "９９９９０１"])
def test_regions_of_real_people_are_refused(region):
    with pytest.raises(ValueError, match="99xxxx"):
        citizen(0, region=region)


# ---- on cards ------------------------------------------------------------------------------------


@given(st.integers(0, 9_999_999), st.sampled_from(["v1", "v2", "v3", "sample"]))
def test_every_profile_takes_every_citizen(index, name):
    person = citizen(index, region="990305")
    generation = 1 if name == "v1" else 2
    profile = Profile.load(name, person.overrides(generation=generation))
    issuer, holder = profile.ssse.files[:2]
    code = issuer.records[0][2:]
    assert code[:8].hex() == "990305d156000005"
    assert code[8:12].hex() == person.serial
    assert holder.records[0][2:].decode("ascii") == person.id_number
    texts = {record[0]: record[2:].rstrip(b"\0") for record in holder.records}
    read = from_gbk(texts[0x09]) + from_gbk(texts.get(0x4E, b""))
    assert read == (person.name_parts[0] if generation == 1 else person.name)
    assert profile.card_factor.hex() == f"86499903{person.serial}"


def test_cards_of_two_citizens_share_no_key():
    one, other = (Profile.load("v2", citizen(n).overrides()).ssse for n in (0, 1))
    assert not {key.value for key in one.keys} & {key.value for key in other.keys}
    assert one.master.value != other.master.value


def test_a_citizen_with_a_rare_name_reads_his_card():
    person = next(p for p in citizens() if p.name_kind is NameKind.FOUR_BYTES)
    power = new_card("v2", person.overrides()).power_on()
    power.transmit(bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    record = power.transmit(bytes.fromhex("00B2093000"))
    assert record[2:-2].rstrip(b"\0").decode("gb18030") == person.name
