"""`sscard keys`: names, versions and check values; values of test keys only, and when asked."""

import json

import pytest
from typer.testing import CliRunner

from sscard.cli.keys import app
from sscard.keys.vault import ForeignKey, Party, VaultError, VaultLocked, Withheld
from sscard.perso.roots import roots
from sscard.vaults.file import FileVault

CARD_KEY = "38E73326E8F40EC5D63492FA9E5BFADA"  # UK of the sample card, ssse-lb002 10.2
UNREVEALED = {root.value.hex().upper() for party in Party for root in roots("sample", party)}


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("SSCARD_PASSPHRASE", "test")
    runner = CliRunner()

    def keys(*words, **env):
        result = runner.invoke(app, words, env=env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert not [value for value in UNREVEALED if value in result.output.upper()]
        return result

    return keys


def test_list_gives_names_versions_and_check_values(run):
    rows = run("list").stdout.splitlines()
    assert rows[0].split() == ["name", "version", "algorithm", "holder", "levels", "kcv"]
    assert "EMK-S@SSSE 2 3DES ministry 3 971A58" in [" ".join(row.split()) for row in rows]
    assert not [row for row in rows if "PSE" in row]
    bank = json.loads(run("list", "--party", "bank", "--json").stdout)
    assert {row["name"] for row in bank} >= {"MDK-AC@PSE.DF01", "EMK-P@PSE"}


def test_derive_shows_check_values_and_values_when_asked(run):
    plain = run("derive", "--json")
    assert CARD_KEY not in plain.stdout
    uk = next(row for row in json.loads(plain.stdout) if row["name"] == "UK@SSSE")
    assert set(uk) == {"name", "version", "algorithm", "kcv"}
    shown = {r["name"]: r["value"] for r in json.loads(run("derive", "--reveal", "--json").stdout)}
    assert shown["UK@SSSE"] == CARD_KEY
    assert shown["DPK@DF04"] is None
    assert CARD_KEY in run("derive", "--reveal").stdout


def test_derive_for_another_card(run):
    words = ("derive", "--profile", "walk", "--json")
    walk = {row["name"]: row["kcv"] for row in json.loads(run(*words).stdout)}
    assert walk["UK04@SSSE"] == "3CB3DE"
    words = ("derive", "--profile", "walk", "--json", "--region", "320100")
    other = {row["name"]: row["kcv"] for row in json.loads(run(*words).stdout)}
    assert other["UK04@SSSE"] != walk["UK04@SSSE"]
    assert other["CMK@MF"] == walk["CMK@MF"] == "4287FC"
    bank = run("derive", "--party", "bank", "--json", "--pan", "6210950000000000017").stdout
    kcvs = {row["name"]: row["kcv"] for row in json.loads(bank)}
    assert kcvs["MDK-AC@PSE.DF01"] == "75003B"


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--party", "both"),
        ("derive", "--region", "32"),
        ("derive", "--card-factor", "XY"),
        ("derive", "--card-factor", "1122"),
        ("derive", "--party", "bank", "--pan", "x"),
        ("new",),
        ("list", "--token", "a", "--vault", "b"),
        ("list", "--token", "a"),
    ],
)
def test_wrong_words_are_usage_errors(run, words):
    assert run(*words).exit_code == 2


def test_a_vault_file_is_made(run, tmp_path):
    path = str(tmp_path / "demo.vault")
    assert run("new", "--vault", path).exit_code == 0
    assert run("list", "--vault", path).stdout == run("list").stdout


def test_a_vault_file_is_listed_and_derived_from(run, tmp_path):
    path = tmp_path / "demo.vault"
    made = FileVault.create(path, "test", Party.SOCIAL, test=True, cost=4)
    made.install_all(roots("walk", Party.SOCIAL))
    same = ("--profile", "walk")
    vault = (*same, "--vault", str(path))
    assert run("list", *vault).stdout == run("list", *same).stdout
    assert run("derive", *vault, "--reveal").stdout == run("derive", *same, "--reveal").stdout
    with pytest.raises(VaultLocked):
        run("list", *vault, "--passphrase", "wrong")
    with pytest.raises(ForeignKey, match="--party social"):
        run("list", *vault, "--party", "bank")
    with pytest.raises(VaultError, match="exists already"):
        run("new", *vault)


def test_reveal_is_for_test_vaults(run, tmp_path):
    path = tmp_path / "real.vault"
    FileVault.create(path, "test", Party.SOCIAL, cost=4).install_all(roots("v2", Party.SOCIAL))
    with pytest.raises(Withheld, match="test keys"):
        run("derive", "--vault", str(path), "--reveal")
    assert run("derive", "--vault", str(path)).exit_code == 0


@pytest.mark.requires("softhsm2")
def test_a_token_is_filled_listed_and_derived_from(run, softhsm):
    same = ("--profile", "walk")
    token = (*same, "--token", "social", "--module", softhsm.module, "--pin", softhsm.pin)
    assert run("new", *token).exit_code == 0
    assert run("list", *token).stdout == run("list", *same).stdout
    assert run("derive", *token, "--reveal").stdout == run("derive", *same, "--reveal").stdout
    with pytest.raises(VaultError, match="holds keys already"):
        run("new", *token)
    bank = ("--token", "bank", "--module", softhsm.module, "--party", "bank")
    secret = {"SSCARD_TOKEN_PIN": softhsm.pin}
    assert run("new", *bank, **secret).exit_code == 0
    assert run("derive", *bank, **secret).stdout == run("derive", "--party", "bank").stdout
