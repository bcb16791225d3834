"""`sscard authorise`: books in a file, the reference's transaction decided at the command line."""

import json

import pytest
from bank_desk import PAN, request
from cli_bench import Cli

sscard = Cli()


@pytest.fixture
def books(tmp_path):
    options = ("authorise", "--books", tmp_path / "bank.db")
    sscard(
        *options,
        "open",
        "6217",
        "--expiry",
        "3012",
        "--deposit-fen",
        "20000",
        "--holder-pin",
        "123456",
    )
    return options


@pytest.fixture
def asked(tmp_path):
    file = tmp_path / "request.json"
    file.write_text(json.dumps(request().to_json()))
    return file


def test_a_request_is_decided_once_and_shown_masked(books, asked):
    sscard(*books, "order", "put data", "--tag", "9F58", "--value", "05")
    output = sscard(*books, "decide", asked)
    assert "16E77895E0513B623030" in output
    assert "04DA9F580505F58454DC" in output
    assert PAN not in output
    assert "621095*********0017" in output
    assert PAN in sscard(*books, "decide", asked, "--show-pan")
    answer = json.loads(sscard(*books, "decide", asked, "--json"))
    assert answer["arc"] == "00"
    found = json.loads(sscard(*books, "ledger", "--json"))
    own = next(row for row in found["accounts"] if row["number"] == "6217")
    assert (own["balance_fen"], own["held_fen"], found["wrong"]) == (20000, 12345, [])
    assert "opening" in sscard(*books, "ledger")


def test_a_lost_card_is_refused_and_blocked(books, asked):
    sscard(*books, "standing", "written loss")
    sscard(*books, "order", "application block")
    output = sscard(*books, "decide", asked, code=1)
    assert "41 the card is: written loss" in output
    assert "841E0000045C865855" in output
    sscard(*books, "order", "pin change", "--holder-pin", "654321")
    sscard(*books, "standing", "inactive", code=3)
    assert "does not become inactive" in sscard.errors
    sscard(*books, "standing", "active")
    sscard(*books, "standing", "oral loss")


def test_a_card_that_is_yet_to_be_activated(tmp_path, asked):
    own = ("authorise", "--books", tmp_path / "other.db")
    sscard(*own, "open", "6217", "--expiry", "3012", "--inactive")
    assert "62 the card is: inactive" in sscard(*own, "decide", asked, code=1)
    sscard(*own, "standing", "active")


def test_a_pin_change_with_the_pin_the_card_has(books, asked):
    sscard(*books, "order", "pin change", "--holder-pin", "654321", "--current-pin", "123456")
    assert "84240001141A62284B966F124B" in sscard(*books, "decide", asked)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("standing", "mislaid"), 2),
        (("order", "gift"), 2),
        (("order", "put data", "--tag", "9F36", "--value", "00"), 3),
        (("order", "card block", "--pan", "12"), 2),
        (("order", "card block", "--pan", "6210950000000000025"), 3),
        (("open", "6217", "--expiry", "3012"), 3),
        (("open", "6218", "--expiry", "12"), 2),
    ],
)
def test_what_cannot_be_done_is_said(books, words, code):
    sscard(*books, *words, code=code)


def test_no_books_no_request(tmp_path, asked, books):
    output = sscard("authorise", "--books", tmp_path / "none.db", "ledger", code=3)
    assert output == ""
    asked.write_text("{}")
    sscard(*books, "decide", asked, code=2)


@pytest.mark.parametrize(
    "words",
    [
        ("open", "6218", "--expiry", "3313"),
        ("open", "6218", "--expiry", "3012", "--psn", "1"),
        ("open", "6218", "--expiry", "3012", "--holder-pin", "12"),
        ("order", "put data", "--value", "05"),
        ("order", "pin change", "--holder-pin", "12a4"),
        ("order", "pin change", "--holder-pin", "1234", "--current-pin", "1"),
    ],
    ids=" ".join,
)
def test_a_value_that_cannot_be_is_wrong_usage_and_leaves_nothing(books, words):
    before = sscard(*books, "ledger", "--json")
    sscard(*books, *words, code=2)
    assert sscard(*books, "ledger", "--json") == before


def test_a_card_that_is_issued_already_opens_no_account(books):
    before = sscard(*books, "ledger", "--json")
    sscard(*books, "open", "6218", "--expiry", "3012", code=3)
    assert sscard(*books, "ledger", "--json") == before
