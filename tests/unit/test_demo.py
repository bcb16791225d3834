"""The demo: its facts, compared with the vectors of the reference, and the card it leaves."""

import json

import pytest

from sscard import imagefile
from sscard.card import Card
from sscard.cli.demo.client import Client, Exchange, UnexpectedAnswer
from sscard.cli.demo.report import Chapter
from sscard.cli.demo.show import show_chapter, show_end
from sscard.cli.demo.social import authenticate
from sscard.cli.demo.story import tell
from sscard.cli.demo.world import BANK, Psam
from sscard.cli.output import stdout
from sscard.inspect import fsck
from sscard.inspect.values import stored
from sscard.iso.sw import SW
from sscard.sample import sample_card

CHAPTERS = [
    "A blank chip",
    "The card maker",
    "The hand-over",
    "The owner of the SSSE",
    "The owner of the PSE",
    "A social security terminal reads",
    "Card and holder prove themselves",
    "The terminal proves itself",
    "A debit of the bank",
]


@pytest.fixture(scope="module")
def story():
    return tell()


@pytest.fixture(scope="module")
def facts(story):
    return json.loads(json.dumps(story.to_json()))


def chapter(facts, title):
    return next(found for found in facts["chapters"] if found["title"] == title)


def words(facts, title):
    """(name, status word) of every step."""
    return [(step["name"], step["sw"]) for step in chapter(facts, title)["steps"]]


def test_the_story_is_whole_and_the_card_sound(story, facts):
    assert [found["title"] for found in facts["chapters"]] == CHAPTERS
    assert facts["atr"] == "3B6D00000087CF20018649999900000001"
    assert facts["fsck"] == []
    assert facts["commands"] == sum(found["commands"] for found in facts["chapters"]) > 600
    assert facts["virtual_us"] == story.card.env.clock_us > 0
    assert facts["eeprom_operations"] == story.card.eeprom.ops > 6000


def test_cos_4_5_the_card_master_key_is_refused_after_the_hand_over(facts):
    assert words(facts, "The hand-over") == [
        ("write key transport", "9000"),
        ("authenticate the CMK in the SSSE", "63C7"),
        ("the same WRITE KEY again", "6988"),
        ("write key transport", "9000"),
        ("authenticate the CMK in the PSE", "63C7"),
        ("the same WRITE KEY again", "6988"),
        ("authenticate the CMK in the MF", "9000"),
        ("create a third environment", "6985"),
        ("get data: the card", "9000"),
    ]


def test_cos_3_4_the_life_cycle_of_the_card(facts):
    states = [
        item["value"]
        for found in facts["chapters"]
        for item in found["items"]
        if item["name"] == "life cycle of the card"
    ]
    assert states == ["BLANK", "INITIALISED", "HANDED_OVER", "HANDED_OVER", "ISSUED"]


def test_ssse_10_3_the_records_by_number_and_by_tag(facts):
    items = chapter(facts, "A social security terminal reads")["items"]
    by_place = {item["place"]: item for item in items}
    assert len(by_place) == 18
    assert by_place["EF05 by record 1"]["hex"] == "0110999901D15600000500000001F0E44726"
    assert by_place["EF06 by tag 08"]["hex"] == "0812" + b"999901199001011232".hex().upper()
    assert by_place["EF06 by tag 09"]["hex"] == "091ED5C5B2E2CAD4" + "00" * 24
    assert by_place["EF06 by tag 09"]["value"] == "张测试"
    assert "姓名" in by_place["EF06 by tag 09"]["name"]
    assert by_place["EF06 by tag 0D"]["value"] == "1990-01-01"
    assert by_place["EF0D by record 1"]["hex"] == "EA0C503939393930313030303031"


def test_ssse_10_4_internal_authentication_and_pin(facts):
    found = chapter(facts, "Card and holder prove themselves")
    assert [check["computed"] for check in found["checks"]] == ["70927040DD33EED5"]
    assert found["steps"][0]["data"] == "70927040DD33EED5"
    assert [step["sw"] for step in found["steps"]] == ["9000", "6982", "9000", "9000"]


def test_ssse_3_5_the_update_needs_its_key(facts, story):
    found = chapter(facts, "The terminal proves itself")
    names = [step["name"] for step in found["steps"]]
    assert [step["sw"] for step in found["steps"]] == ["6982", "9000", "9000", "9000", "9000"]
    assert names[0] == names[3] == "update tag 05 of EF05"
    assert found["steps"][0]["command"] == found["steps"][3]["command"]
    assert stored(story.card.image, "ssse.EF05.record.5").hex() == "050420260701"


def test_pse_11_3_the_debit_is_the_golden_one(facts, story):
    found = chapter(facts, "A debit of the bank")
    steps = {step["name"]: step for step in found["steps"]}
    arqc, tc = steps["generate AC 1"], steps["generate AC 2"]
    assert arqc["data"] == "8013800001F126D638723D8BFC07010103A4100201"
    assert steps["external authenticate"]["command"] == "008200000A 16E77895E0513B623030"
    assert tc["data"] == "8013400001BF0C0717E6D3496C0701010364100201"
    computed = [check["computed"] for check in found["checks"]]
    assert computed[1:] == ["F126D638723D8BFC", "16E77895E0513B62", "BF0C0717E6D3496C"]
    assert stored(story.card.image, "pse.atc") == 1


def test_no_pin_and_no_key_in_what_is_told(story):
    told = json.dumps(story.to_json())
    assert "<3 bytes>" in told
    assert "26123456FFFFFFFF" not in told
    for directory in (story.profile.cm, *story.profile.environments):
        for key in (directory.master, directory.transport, *directory.keys):
            assert key is None or key.value.hex().upper() not in told


def test_the_demo_is_the_same_every_time(story):
    again = tell()
    assert again.card.image == story.card.image
    assert again.card.env == story.card.env
    assert again.to_json() == story.to_json()


def test_the_fast_demo_begins_with_the_finished_card():
    fast = tell(fast=True)
    assert [found.title for found in fast.chapters] == CHAPTERS[5:]
    assert fsck(fast.card.image) == []


def test_the_demo_s_card_goes_on_in_a_file(story, tmp_path):
    imagefile.save(tmp_path / "demo.img", story.card.image, story.card.env)
    with Card.open(tmp_path / "demo.img") as card:
        answer = card.power_on().transmit(bytes.fromhex("80CA00C000"))
    assert b"\x81\x01\x0f" in answer


def test_what_it_looks_like_in_a_pipe(story, capsys):
    for told in story.chapters:
        show_chapter(stdout(), told)
    show_end(stdout(), story)
    output = capsys.readouterr().out
    assert "\x1b" not in output
    assert "✓ TC: the bank can settle  BF0C0717E6D3496C" in output
    assert "姓名" in output
    assert "fsck: clean." in output


# ---- the client, and what it does when a card lies -------------------------------------------


class Scripted:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = [bytes.fromhex(answer) for answer in answers]
        self.asked = []

    def __call__(self, apdu):
        self.asked.append(apdu.hex().upper())
        return self.answers.pop(0)


def test_iso_7816_3_the_client_follows_61xx_and_6Cxx():
    card = Scripted("6C05", "01026103", "0304056101", "069000")
    client = Client(card)
    assert client.send("read", bytes.fromhex("00B2010400")).hex() == "010203040506"
    assert card.asked == ["00B2010400", "00B2010405", "00C0000003", "00C0000001"]
    assert client.sent == 4
    assert len(client.log) == 1


def test_a_refusal_the_story_does_not_expect_is_an_error():
    client = Client(Scripted("6A82", "9000"))
    with pytest.raises(UnexpectedAnswer, match="select it: 00A40000: 6A82 file"):
        client.send("select it", bytes.fromhex("00A40000"))
    with pytest.raises(UnexpectedAnswer, match="9000 instead of 6982"):
        client.refused("read", bytes.fromhex("00B20104"), SW.SECURITY_STATUS)


def test_secret_commands_are_shown_without_their_data():
    apdu = bytes.fromhex("0020000003123456")
    assert Exchange("verify", apdu, b"", SW.OK, secret=True).shown_command == "0020000003 <3 bytes>"


def test_a_card_with_a_wrong_key_is_not_genuine():
    power = sample_card().power_on()
    client = Client(power.transmit)
    client.send("select", bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"))
    with pytest.raises(UnexpectedAnswer, match="not genuine"):
        authenticate(client, Chapter(""), Psam("999901", bytes(8)))


def test_pse_11_4_the_bank_computes_from_its_master_keys_alone():
    data = bytes.fromhex(
        "00000001234500000000000001560000008000015626070100A1B2C3D47C00000103A41002"
    )
    arqc = BANK.cryptogram("6210950000000000017", "00", 1, data)
    assert arqc.hex().upper() == "F126D638723D8BFC"
    arpc = BANK.response("6210950000000000017", "00", 1, arqc, b"00")
    assert arpc.hex().upper() == "16E77895E0513B62"
