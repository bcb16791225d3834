"""`sscard conformance` over image files."""

import json
from xml.etree import ElementTree as ET

import pytest
from cli_bench import Cli

from sscard import imagefile
from sscard.keys.vault import Party
from sscard.perso.roots import roots
from sscard.sample import new_card, sample_psam
from sscard.vaults.file import FileVault

sscard = Cli()


def saved(card, path):
    imagefile.save(path, card.image, card.env)
    return path


@pytest.fixture
def card(tmp_path):
    return saved(new_card("v2"), tmp_path / "card.img")


def test_the_safe_cases_without_keys(card):
    before = card.read_bytes()
    output = sscard("conformance", "--image", card)
    assert "generation v2" in output
    assert "ATR  answer to reset: 4 passed" in output
    assert "changes data or burns tries: run with --all" in output
    assert card.read_bytes() == before


def test_all_cases_of_a_section_leave_the_file_alone(card):
    before = card.read_bytes()
    words = ("--profile", "v2", "--pin", "123456", "--all", "--case", "CHANGE_PIN/*")
    output = sscard("conformance", "--image", card, *words, "--link", "t0")
    assert "in all: 11 passed" in output
    assert card.read_bytes() == before


def test_keys_of_a_vault_and_of_a_psam(card, tmp_path):
    with FileVault.create(tmp_path / "keys", "secret", Party.SOCIAL, test=True) as vault:
        vault.install_all(roots("v2", Party.SOCIAL))
    psam = saved(sample_psam(), tmp_path / "psam.img")
    words = ("conformance", "--image", card, "--case", "KEY_VER1/SSSE/*", "--case", "CHECKLIST/*")
    by_vault = sscard(*words, "--vault", tmp_path / "keys", "--passphrase", "secret")
    assert "in all: 19 passed, 5 not run" in by_vault
    by_psam = sscard(*words, "--psam", psam, "--verbose")
    assert "needs the IRK in a vault: a PSAM makes no such MAC" in by_psam
    assert "in all: 18 passed, 6 not run" in by_psam


def test_failures_waivers_and_reports(tmp_path):
    strange = new_card("v2", {"ssse.df.DF01.ef.EF05.read": "F"})
    card = saved(strange, tmp_path / "card.img")
    at = ("conformance", "--image", card, "--case", "DF01_SAFETY/EF05/read/none", "--case", "ATR/*")
    output = sscard(*at, code=1)
    assert "expected 6982, seen 9000 done" in output
    files = {kind: tmp_path / f"report.{kind}" for kind in ("json", "junit", "html")}
    options = [word for kind, path in files.items() for word in (f"--{kind}", path)]
    waivers = tmp_path / "waivers"
    waivers.write_text("DF01_SAFETY/EF05/* this office lists streets\nATR/form for old chips\n")
    output = sscard(*at, *options, "--waivers", waivers)
    assert "WAIVED" in output
    assert "waiver without use, its case passes: ATR/form" in output
    assert json.loads(files["json"].read_text())["counts"]["waived"] == 1
    assert len(list(ET.parse(files["junit"]).iter("testcase"))) == 5
    assert "<!doctype html>" in files["html"].read_text()


def test_a_card_that_should_be_of_another_generation(card):
    words = ("--profile-generation", "v3", "--case", "CHECKLIST/version")
    assert "FAILED" in sscard("conformance", "--image", card, *words, code=1)
    assert "1 passed" in sscard("conformance", "--image", card, *words[2:])


def test_the_list(card):
    output = sscard("conformance", "--list", "--profile-generation", "v1", "--case", "ATR/*")
    assert [line.split()[0] for line in output.splitlines()[1:]] == [
        "ATR/form", "ATR/repeated", "ATR/region", "ATR/serial"
    ]  # fmt: skip


# ---- the bank's application ----------------------------------------------------------------------


def test_suites_are_those_the_card_has(card, tmp_path):
    output = sscard("conformance", "--image", card, "--case", "ATR/*")
    assert "no bank application: SELECT of A000000333010101 answers 6A82" in output
    bank = saved(new_card("pboc"), tmp_path / "bank.img")
    output = sscard("conformance", "--image", bank)
    assert "no social security environment: SELECT of its name answers 6A82" in output
    assert "generation 2010" in output
    blank = saved(new_card("blank"), tmp_path / "blank.img")
    output = sscard("conformance", "--image", blank, code=1)
    assert "no bank application" in output
    assert "no social security environment" in output


def test_a_profile_says_what_the_card_has_to_be(tmp_path):
    """Applications, generation, switches, keys of both sides and PINs."""
    both = saved(new_card("sample", {"pse_ac_format": "77"}), tmp_path / "both.img")
    names = ("ATR/*", "CHANGE_PIN/*", "FIRST_AC/*", "SEPARATION/*", "ODA/icc-certificate")
    words = [word for name in names for word in ("--case", name)]
    files = {kind: tmp_path / f"report.{kind}" for kind in ("json", "junit", "html")}
    told = [word for kind, path in files.items() for word in (f"--{kind}", path)]
    at = ("conformance", "--image", both, "--profile", "sample", "--all", *words)
    assert "FAILED   FIRST_AC/aac" in sscard(*at, code=1)
    output = sscard(*at, *told, "--dialect", "pse_ac_format=77")
    assert "all suites: 45 passed" in output
    data = json.loads(files["json"].read_text())
    assert [row["suite"] for row in data["suites"]] == ["ssse", "pse"]
    assert {case["suite"] for case in data["cases"]} == {"ssse", "pse"}
    assert data["counts"]["passed"] == sum(row["counts"]["passed"] for row in data["suites"]) == 45
    assert len(list(ET.parse(files["junit"]).iter("testcase"))) == 45
    page = files["html"].read_text()
    assert page.count("<h1>") == 2
    assert "<h2 id='SEPARATION'>" in page


@pytest.mark.parametrize("profile", ["pboc-16", "pboc-contactless"])
def test_all_cases_of_a_bank_card_in_a_file(profile, tmp_path):
    card = saved(new_card(profile), tmp_path / "card.img")
    before = card.read_bytes()
    output = sscard("conformance", "--image", card, "--profile", profile, "--all", "--link", "t0")
    assert "failed" not in output.splitlines()[-1]
    assert f"in all: {338 if profile == 'pboc-16' else 349} passed" in output
    assert card.read_bytes() == before


def test_a_card_that_lacks_what_its_profile_has(card):
    output = sscard("conformance", "--image", card, "--profile", "sample", "--case", "DIRECTORY/*",
                    "--case", "DF01_RECORD/select")  # fmt: skip
    assert "the card has no PSE directory" in output
    other = ("--image", card, "--profile", "v3", "--case", "CHECKLIST/version")
    assert "FAILED   CHECKLIST/version" in sscard("conformance", *other, code=1)


def test_a_suite_of_which_no_case_was_chosen_says_so(tmp_path):
    card = saved(new_card("sample"), tmp_path / "both.img")
    output = sscard("conformance", "--image", card, "--profile", "sample", "--case", "ATR/*")
    assert "in all: no case\n" in output
    assert "in all: \n" not in output


def test_bank_keys_of_a_vault(tmp_path):
    bank = saved(new_card("pboc"), tmp_path / "bank.img")
    with FileVault.create(tmp_path / "keys", "secret", Party.BANK, test=True) as vault:
        vault.install_all(roots("pboc", Party.BANK))
    at = (
        "conformance",
        "--image",
        bank,
        "--bank-vault",
        tmp_path / "keys",
        "--passphrase",
        "secret",
    )
    words = (
        "--all",
        "--case",
        "ISSUER_AUTH/right",
        "--case",
        "VERIFY/wrong",
        "--case",
        "SCRIPTS/PIN_CHANGE/after",
    )
    output = sscard(*at, *words, "--verbose")
    assert "PASSED   ISSUER_AUTH/right" in output
    assert "needs the PIN of the bank application: it was not given" in output
    output = sscard(*at, *words, "--bank-pin", "123456", "--verbose")
    assert "PASSED   VERIFY/wrong" in output
    assert "the vault cannot make a PIN CHANGE" in output, "it has no key for PINs"


def test_a_waiver_is_for_a_case_of_any_suite(tmp_path):
    odd = saved(new_card("sample", {"pse.df.DF01.dgi.9104": "82027E00940C080101001001020118010300"}),
                tmp_path / "odd.img")  # fmt: skip
    waivers = tmp_path / "waivers"
    waivers.write_text("RECORDS/aip this maker sets a bit of his own\nATR/form old chips\n")
    at = (
        "conformance",
        "--image",
        odd,
        "--profile",
        "sample",
        "--all",
        "--case",
        "RECORDS/aip",
        "--case",
        "ATR/*",
    )
    assert "FAILED   RECORDS/aip" in sscard(*at, code=1)
    output = sscard(*at, "--waivers", waivers)
    assert "WAIVED   RECORDS/aip" in output
    assert "waiver without use, its case passes: ATR/form" in output


def test_the_list_of_the_bank_suite():
    output = sscard("conformance", "--list", "--suite", "pse", "--case", "GPO/*")
    assert [line.split()[:2] for line in output.splitlines()[1:]] == [
        ["GPO/length", "safe"], ["GPO/tag", "safe"], ["GPO/parameters", "safe"],
        ["GPO/atc", "transaction"], ["GPO/twice", "transaction"], ["GPO/order", "transaction"],
        ["GPO/same", "transaction"],
    ]  # fmt: skip
    both = sscard("conformance", "--list", "--case", "GPO/atc", "--case", "ATR/form")
    assert [line.split()[0] for line in both.splitlines()[1:]] == ["ATR/form", "GPO/atc"]


@pytest.mark.parametrize(
    "words",
    [
        ("--image", "CARD", "--dialect", "pse_ac_format=78"),
        ("--image", "CARD", "--bank-pin", "12"),
        (),
        ("--image", "card.img", "--reader", "one"),
        ("--image", "CARD", "--suite", "bank"),
        ("--image", "CARD", "--profile-generation", "v4"),
        ("--image", "CARD", "--pin", "12345"),
        ("--image", "CARD", "--psam", "one", "--vault", "two"),
        ("--image", "CARD", "--case", "ATR/from"),
    ],
)
def test_wrong_usage(card, words):
    sscard("conformance", *(card if word == "CARD" else word for word in words), code=2)


# ---- waivers and single cases --------------------------------------------------------------------


def test_a_waiver_with_a_last_day(tmp_path):
    strange = new_card("v2", {"ssse.df.DF01.ef.EF05.read": "F"})
    card = saved(strange, tmp_path / "card.img")
    at = ("conformance", "--image", card, "--case", "DF01_SAFETY/EF05/read/none")
    waivers, told = tmp_path / "waivers", tmp_path / "report.json"
    waivers.write_text("DF01_SAFETY/* until 2999-12-31 this office lists streets\n")
    assert "this office lists streets (" in sscard(*at, "--waivers", waivers)
    waivers.write_text("DF01_SAFETY/* until 2020-12-31 this office lists streets\n")
    output = sscard(*at, "--waivers", waivers, "--json", told, code=1)
    assert "FAILED   DF01_SAFETY/EF05/read/none" in output
    assert "waiver whose last day is over: DF01_SAFETY/*" in output
    assert json.loads(told.read_text())["ended_waivers"] == ["DF01_SAFETY/*"]
    waivers.write_text("DF01_SAFETY/* until Christmas\n")
    sscard(*at, "--waivers", waivers, code=2)
    assert "until is followed by a date" in sscard.errors
    waivers.write_text("DF01_SAFETY/* until 2999-12-31\n")
    sscard(*at, "--waivers", waivers, code=2)
    assert "gives no reason" in sscard.errors


def test_one_waiver_file_serves_every_suite_and_generation(tmp_path):
    """An entry for what this run does not look at is none for a case that does not exist."""
    card = saved(new_card("v2"), tmp_path / "card.img")
    waivers = tmp_path / "waivers"
    waivers.write_text("RECORDS/aip a bank card\nSSSE_SAFETY/EF06/read/after-reset a v3 card\n")
    at = ("conformance", "--image", card, "--case", "ATR/*", "--waivers", waivers)
    for words in ((), ("--suite", "ssse"), ("--profile", "v2"), ("--profile-generation", "v2")):
        assert "in all: 4 passed" in sscard(*at, *words)
    waivers.write_text("ATR/colour a card of another colour\n")
    sscard(*at, code=2)
    assert "there is no case ATR/colour" in sscard.errors


def test_a_case_of_another_generation_is_not_passed_in_silence(tmp_path):
    card = saved(new_card("v2"), tmp_path / "card.img")
    at = ("conformance", "--image", card, "--suite", "ssse")
    sscard(*at, "--case", "SSSE_SAFETY/EF06/read/after-reset", code=2)
    assert "no case of that name is for a card of this generation" in " ".join(
        sscard.errors.split()
    )
    sscard(*at, "--case", "ATR/colour", code=2)


def test_a_report_nobody_could_write_is_refused_before_the_run(card, tmp_path):
    at = ("conformance", "--image", card, "--case", "ATR/*", "--html", tmp_path / "no" / "it.html")
    sscard(*at, code=2)
    assert "there is no directory" in sscard.errors
