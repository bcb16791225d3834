"""`sscard pay`: receipts, exit codes, what goes wrong."""

import json

import pytest
from cli_bench import Cli

from sscard import imagefile
from sscard.sample import new_card, sample_card

AT = ("--at", "2026-07-01T10:30:45")
PIN = ("--pin", "123456")
PAN = "6210950000000000017"


@pytest.fixture
def sscard():
    return Cli()


@pytest.fixture
def image(tmp_path):
    card = sample_card()
    path = tmp_path / "card.img"
    imagefile.save(path, card.image, card.env)
    return path


def test_a_purchase_with_the_demo_bank(sscard, image):
    words = ("pay", "--image", image, *AT, *PIN)
    receipt = json.loads(sscard(*words, "--amount", "123.45", "--json"))
    assert (receipt["approved"], receipt["online"], receipt["amount"]) == (True, True, "123.45 CNY")
    assert receipt["pan"] == "621095*********0017"
    assert receipt["holder"] == "PIN, checked by the bank"
    # the card keeps its counter
    assert json.loads(sscard(*words, "--amount", "1", "--json"))["atc"] == 2


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_a_receipt_for_people(sscard, image, link):
    shown = sscard(
        "pay", "--image", image, *AT, *PIN, "--amount", "20", "--explain", "--link", link
    )
    assert "APPROVED online" in shown
    assert "20.00 CNY" in shown
    assert "online PIN entered" in shown
    assert "issuer authentication performed" in shown
    assert PAN not in shown
    assert "123456" not in shown


def test_an_atm_pays_out_and_tells_the_balance(sscard, image):
    words = ("pay", "--image", image, *AT, *PIN, "--terminal", "atm")
    assert json.loads(sscard(*words, "--amount", "200", "--json"))["title"] == "cash withdrawal"
    told = json.loads(sscard(*words, "--balance", "--json"))
    assert told["title"] == "balance enquiry"
    assert told["balance"].endswith(" CNY")


def test_a_kiosk(sscard, image):
    words = ("pay", "--image", image, *AT, *PIN, "--terminal", "kiosk", "--amount", "3.20")
    assert "APPROVED online" in sscard(*words)


def test_offline_the_terminal_declines_above_its_floor_limit(sscard, image):
    shown = sscard("pay", "--image", image, *AT, *PIN, "--amount", "5", "--offline", code=1)
    assert "DECLINED offline" in shown
    assert "floor limit exceeded" in shown


def test_a_wrong_pin_is_declined_by_the_bank(sscard, image):
    shown = sscard("pay", "--image", image, *AT, "--pin", "999999", "--amount", "5", code=1)
    assert "DECLINED online" in shown
    assert "the bank answered 55" in shown


def test_a_social_card_has_no_bank_application(sscard, tmp_path):
    card = new_card("v2-social-only")
    imagefile.save(tmp_path / "social.img", card.image, card.env)
    sscard("pay", "--image", tmp_path / "social.img", *AT, "--amount", "5", code=1)
    assert "no bank application" in sscard.errors


def test_another_ca(sscard, image, tmp_path):
    (tmp_path / "ca.toml").write_text("format = 1\n")
    words = ("pay", "--image", image, *AT, *PIN, "--amount", "5", "--ca-keys", tmp_path / "ca.toml")
    assert "DDA failed" in sscard(*words, "--explain", code=1)


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (("--amount", "5", "--terminal", "till"), "pos, atm, kiosk"),
        (("--amount", "five"), "123.45"),
        (("--amount", "0.001"), "123.45"),
        (("--amount", "-5"), "123.45"),
        ((), "123.45"),
        (("--amount", "5", "--pin", "12"), "4 to 12"),
        (("--amount", "5", "--at", "noon"), "no time"),
        (("--amount", "5", "--reader", "x"), "exactly one"),
    ],
)
def test_wrong_usage(sscard, image, words, about):
    sscard("pay", "--image", image, *words, code=2)
    assert about in " ".join(sscard.errors.replace("│", " ").split())


def test_a_host_that_is_not_there_is_a_line_that_is_down(sscard, image):
    words = ("pay", "--image", image, *AT, *PIN, "--amount", "5", "--host", "http://127.0.0.1:9")
    assert "DECLINED offline" in sscard(*words, code=1)


def test_a_host_that_is_not_there_is_a_reason_on_the_receipt(sscard, image):
    words = ("pay", "--image", image, *AT, *PIN, "--amount", "5", "--json")
    receipt = json.loads(sscard(*words, "--host", "http://127.0.0.1:1", code=1))
    assert (receipt["arc"], receipt["online"]) == ("Z3", False)
    assert receipt["reasons"][0].startswith("the bank's host at 127.0.0.1:1 does not answer")


@pytest.mark.parametrize("url", ["http://127.0.0.1:port", "http://127.0.0.1:99999", "bank.example"])
def test_a_host_that_is_no_address(sscard, image, url):
    sscard("pay", "--image", image, *AT, "--amount", "5", "--host", url, code=3)
    assert "is no address of the bank's host: http://host:port" in sscard.errors


@pytest.mark.parametrize("amount", ["1e3", "5.555", "-5", "NaN", " 5", "1_000", "99999999999", "."])
def test_an_amount_is_yuan_and_fen(sscard, image, amount):
    sscard("pay", "--image", image, *AT, "--amount", amount, code=2)


def test_the_demo_bank_of_a_profile_without_a_bank_card(sscard, image):
    sscard("pay", "--image", image, *AT, "--amount", "5", "--profile", "v2-social-only", code=2)
    assert "the card of v2-social-only has no PAN" in sscard.errors
