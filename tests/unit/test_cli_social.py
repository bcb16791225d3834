"""`sscard read`, `sscard pin`, `sscard update` over image files."""

import json

import pytest
from cli_bench import Cli

from sscard import imagefile
from sscard.inspect.values import stored
from sscard.sample import new_card, sample_card, sample_psam

sscard = Cli()

DAY = ("--today", "2026-07-01")


def saved(card, path):
    imagefile.save(path, card.image, card.env)
    return path


@pytest.fixture
def card(tmp_path):
    return saved(sample_card(), tmp_path / "card.img")


@pytest.fixture(params=["vault", "psam"])
def source(request, tmp_path):
    """The options that say who computes."""
    if request.param == "vault":
        return ("--profile", "v2")
    return ("--psam", saved(sample_psam(), tmp_path / "psam.img"))


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_read_shows_checks_and_holder(card, source, link):
    output = sscard("read", "--image", card, *source, *DAY, "--link", link)
    assert "internal authentication         passed" in output
    assert "SSSE/EF06 持卡人基本信息 holder data" in output
    assert "09  name                    张测试" in output
    assert "06  date of expiry             2034-01-15" in output


def test_read_as_json(card, source):
    words = ("--file", "DF01/EF06", "--file", "DF04/EF08", "--file", "SSSE/EF08", "--pin", "123456")
    found = json.loads(sscard("read", "--image", card, *source, *DAY, "--json", *words))
    assert (found["region"], found["version"], found["number"]) == ("999901", "2.00", "T0000001X")
    residence, log, photo = found["files"]
    assert [item["tag"] for item in residence["items"]] == ["23", "24", "28", "2C", "2D"]
    assert log["rows"] == []
    assert photo["data"] == "00" * 4096


def test_read_leaves_the_file_alone(card, source):
    before = card.read_bytes()
    sscard("read", "--image", card, *source, *DAY, "--pin", "000000", code=1)
    assert "5 tries left" in sscard.errors
    assert card.read_bytes() == before


def test_read_everything(card, source):
    output = sscard("read", "--image", card, *source, *DAY, "--all", "--json", "--pin", "123456")
    assert len(json.loads(output)["files"]) == 41


def test_read_says_no_for_an_expired_card(card, source):
    output = sscard("read", "--image", card, *source, "--today", "2040-01-01", code=1)
    assert "dates                           failed" in output
    assert "张测试" in output


def test_read_gives_no_pin_to_a_counterfeit(tmp_path, source):
    fake = new_card("v2", {"ssse.key.IRK.root": "ascii:TEST-OTHER-IRK-1"})
    path = saved(fake, tmp_path / "fake.img")
    words = ("read", "--image", path, *source, *DAY, "--pin", "123456", "--file", "DF05/EF05")
    sscard(*words, code=1)
    assert "wants the holder's PIN" in sscard.errors


@pytest.mark.parametrize("profile", ["v1", "v3"])
def test_read_a_card_of_another_generation(tmp_path, profile):
    path = saved(new_card(profile), tmp_path / "card.img")
    output = sscard("read", "--image", path, "--profile", profile, *DAY)
    assert "张测试" in output


def test_read_names_a_file_that_the_card_lacks(tmp_path, source):
    path = saved(new_card("v2", {"ssse.ef.EF08.present": "false"}), tmp_path / "card.img")
    sscard("read", "--image", path, *source, *DAY, "--file", "SSSE/EF08", code=1)
    assert sscard.errors.strip() == "sscard: SSSE/EF08 is not on this card (6A82)"


def test_read_says_what_it_may_not_read(tmp_path, source):
    settings = {"ssse.ef.EF06.read": "K07", "ssse.ef.EF05.values.03": "3.00"}
    path = saved(new_card("v2", settings), tmp_path / "card.img")
    sscard("read", "--image", path, *source, *DAY, code=1)
    assert "6982" in sscard.errors


@pytest.mark.requires("pyscard")
def test_a_reader_without_pcscd_is_an_error_in_words(card, tmp_path, monkeypatch):
    from smartcard.pcsc.PCSCExceptions import EstablishContextException

    from sscard.transport import pcsc

    def unanswered():
        raise EstablishContextException(0x8010001D)

    monkeypatch.setattr(pcsc, "readers", unanswered)
    sscard("read", "--reader", "ACS", code=3)
    assert sscard.errors.startswith("sscard: pcscd does not answer: ")
    missing = tmp_path / "missing.img"
    sscard("read", "--image", card, "--psam", missing, code=3)
    assert f"{str(missing)!r} is no file, nor a reader: pcscd does not answer" in sscard.errors


# ---- pin -----------------------------------------------------------------------------------------


def test_pin_services(card, source):
    at = ("--image", card, *source, *DAY)
    sscard("pin", "verify", *at, "--pin", "123456")
    sscard("pin", "change", *at, "--pin", "123456", "--new-pin", "246810")
    sscard("pin", "verify", *at, "--pin", "123456", code=1)
    assert "the PIN is wrong, 5 tries left (63C5)" in sscard.errors
    sscard("pin", "verify", *at, text="246810\n")
    for _ in range(6):
        sscard("pin", "verify", *at, "--pin", "000000", code=1)
    sscard("pin", "verify", *at, "--pin", "246810", code=1)
    assert "6983" in sscard.errors
    sscard("pin", "unblock", *at)
    sscard("pin", "verify", *at, "--pin", "246810")
    sscard("pin", "reload", *at, text="13572468\n13572468\n")
    sscard("pin", "verify", *at, "--pin", "13572468")


def test_pin_change_refuses_the_initial_one(card, source):
    at = ("--image", card, *source, *DAY)
    sscard("pin", "change", *at, "--pin", "123456", "--new-pin", "123456", code=1)
    assert "initial" in sscard.errors


def test_pin_of_an_expired_card(card, source):
    at = ("--image", card, *source, "--today", "2040-01-01")
    sscard("pin", "verify", *at, "--pin", "123456", code=1)
    assert "dates" in sscard.errors


# ---- update --------------------------------------------------------------------------------------


def test_update_writes_items(card, source):
    at = ("--image", card, *source, *DAY)
    sscard("update", "SSSE/EF05", "05=2026-07-01", *at)
    sscard("update", "SSSE/EF06", "09=李四", "4E=", "0D=19900102", *at)
    assert stored(imagefile.load(card)[0], "ssse.EF05.record.5").hex() == "050420260701"
    output = sscard("read", "--image", card, *source, *DAY)
    assert "2026-07-01" in output
    assert "李四" in output
    assert "1990-01-02" in output


def test_update_an_item_of_items(card, source):
    at = ("--image", card, *source, *DAY)
    sscard("update", "DF01/EF15", "40:2=57=123;59=某校", "2A=20", *at)
    output = sscard("read", *at, "--file", "DF01/EF15")
    assert "57 123, 58 -, 59 某校" in output
    output = sscard("update", "DF04/EF06", "92=1234", *at)
    output = sscard("read", *at, "--file", "DF04/EF06", "--pin", "123456")
    assert "1234" in output


def test_update_under_protection(tmp_path, source):
    settings = {"ssse.ef.EF05.sm_update": "enc_mac", "options.sm_mode": "pboc_iv"}
    path = saved(new_card("v2", settings), tmp_path / "card.img")
    at = ("--image", path, *source, *DAY, "--dialect", "sm_mode=pboc_iv")
    sscard("update", "SSSE/EF05", "05=2026-07-01", *at, code=1)
    sscard("update", "SSSE/EF05", "05=2026-07-01", *at, "--protection", "enc_mac")


# ---- wrong usage ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("read",),
        ("read", "--image", "{card}", "--reader", "x"),
        ("read", "--image", "{card}", "--today", "soon"),
        ("read", "--image", "{card}", "--dialect", "nothing=1"),
        ("read", "--image", "{card}", "--dialect", "sm_mode=other"),
        ("read", "--image", "{card}", "--dialect", "block_mode=other"),
        ("read", "--image", "{card}", "--link", "t1"),
        ("update", "SSSE/EF05", "05", "--image", "{card}"),
        ("update", "SSSE/EF05", "05=yesterday", "--image", "{card}"),
        ("update", "SSSE/EF05", "99=1", "--image", "{card}"),
        ("update", "SSSE/EF05", "07=MUCH TOO LONG", "--image", "{card}"),
        ("update", "SSSE/EF05", "05=20260701", "--image", "{card}", "--protection", "much"),
    ],
)
def test_wrong_usage(card, words):
    before = card.read_bytes()
    sscard(*[word.replace("{card}", str(card)) for word in words], code=2)
    assert card.read_bytes() == before


def test_a_tag_that_is_no_tag_is_named(card):
    sscard("update", "SSSE/EF06", "ZZ=1", "--image", card, *DAY, code=2)
    assert "'ZZ' is no TAG in hex" in sscard.errors


@pytest.mark.parametrize("name", ["SSSE/EF99", "EF05", "DF09/EF05"])
def test_a_file_that_is_none(card, name):
    sscard("read", "--image", card, *DAY, "--file", name, code=1)
    assert "there are SSSE/EF05" in sscard.errors


def test_a_psam_that_is_none(card):
    sscard("read", "--image", card, *DAY, "--psam", card, code=1)
    assert "PSAM" in sscard.errors


def test_new_makes_the_psam_for_read(card, tmp_path):
    sam = tmp_path / "sam.img"
    sscard("new", sam, "--profile", "psam-city")
    assert "张测试" in sscard("read", "--image", card, "--psam", sam, *DAY)
