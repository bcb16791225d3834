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


@pytest.mark.parametrize(
    "words",
    [
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
