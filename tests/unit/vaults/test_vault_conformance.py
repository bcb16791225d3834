"""`sscard conformance` with keys of a vault in several versions, and of a PKCS#11 token."""

from dataclasses import replace

import pytest
from cli_bench import Cli

from sscard import imagefile
from sscard.keys.vault import Party, Root
from sscard.perso.profile import Profile
from sscard.perso.roots import roots
from sscard.sample import new_card
from sscard.vaults.file import FileVault

sscard = Cli()
EXTERNAL = 0x0D
UNCERTAIN = ("DF06", 0x84)
"""A key with a question mark in ssse-lb002 4.1, which no file asks for; the suite leaves it."""


def saved(card, path):
    imagefile.save(path, card.image, card.env)
    return path


def in_all_versions(profile):
    """Settings and roots that give every external key of a profile a second and a third one."""
    ssse = Profile.load(profile).ssse
    homes = {"SSSE": ("ssse", ssse)} | {
        f"DF{home.fid & 0xFF:02X}": (f"ssse.df.DF{home.fid & 0xFF:02X}", home)
        for home in ssse.directories
    }
    settings, made = {}, []
    for place, (path, home) in homes.items():
        settings[f"{path}.quota"] = home.quota + (10_240 if place == "SSSE" else 1024)
        for key in home.keys:
            if key.type != EXTERNAL or (place, key.id) == UNCERTAIN:
                continue
            for version in (2, 3):
                value = f"{place:.4}-{key.name:.5}-{version}".ljust(16, "=").encode()
                at = f"{path}.key.{key.name}V{version}"
                settings |= {
                    f"{at}.type": "external", f"{at}.id": f"{key.id:02X}",
                    f"{at}.version": version, f"{at}.root": f"ascii:{value.decode()}",
                }  # fmt: skip
                made.append(Root(f"{key.name}@{place}", value, version))
    return settings, made


def test_keys_in_versions_2_and_3_from_a_vault_run_to_the_end(tmp_path):
    settings, later = in_all_versions("v2")
    card = saved(new_card("v2", settings), tmp_path / "card.img")
    with FileVault.create(tmp_path / "keys", "secret", Party.SOCIAL, test=True) as vault:
        vault.install_all([*roots("v2", Party.SOCIAL), *later])
    words = ("conformance", "--image", card, "--vault", tmp_path / "keys", "--passphrase", "secret")
    cases = ("--case", "KEY_VER?/*", "--all", "--suite", "ssse")
    output = sscard(*words, *cases, "--verbose")
    assert len(later) == 2 * 50
    for section in ("KEY_VER2", "KEY_VER3"):
        [tally] = [line for line in output.splitlines() if line.startswith(f"{section}  ")]
        assert tally.endswith(": 50 passed"), tally
    wrong = tmp_path / "wrong"
    with FileVault.create(wrong, "secret", Party.SOCIAL, test=True) as vault:
        other = [
            replace(root, value=b"WRONG-FICTIONAL-") if root.version == 3 else root
            for root in later
        ]
        vault.install_all([*roots("v2", Party.SOCIAL), *other])
    words = ("conformance", "--image", card, "--vault", wrong, "--passphrase", "secret")
    output = sscard(*words, *cases, code=1)
    assert "KEY_VER3/SSSE/K04" in output
    assert "FAILED   KEY_VER2/" not in output


@pytest.mark.requires("softhsm2")
def test_keys_of_a_token(softhsm, tmp_path):
    """A token computes what a vault file does; its keys never leave it."""
    with softhsm.open("social", Party.SOCIAL, test=True, writable=True) as vault:
        for root in roots("v2", Party.SOCIAL):
            vault.install(root)
    card = saved(new_card("v2"), tmp_path / "card.img")
    token = ("--token", "social", "--module", softhsm.module, "--token-pin", softhsm.pin)
    at = ("conformance", "--image", card, "--pin", "123456", "--all", "--suite", "ssse")
    cases = [word for name in ("KEY_VER1/*", "CHANGE_PIN/*", "CHECKLIST/*", "APPLICATION_BLOCK/DF03/*")
             for word in ("--case", name)]  # fmt: skip
    output = sscard(*at, *token, *cases)
    assert output.splitlines()[-1].startswith("in all: ")
    assert "failed" not in output.splitlines()[-1]
    with FileVault.create(tmp_path / "keys", "secret", Party.SOCIAL, test=True) as vault:
        vault.install_all(roots("v2", Party.SOCIAL))
    file = ("--vault", tmp_path / "keys", "--passphrase", "secret")
    assert sscard(*at, *file, *cases) == output
    sscard(*at, *token, *file, code=2)
    assert "two vaults" in sscard.errors
    sscard(*at, *token, "--psam", card, code=2)
    assert "--psam, --vault and --token" in sscard.errors
    sscard(*at, *token[:4], "--token-pin", "9999", code=3)


@pytest.mark.requires("softhsm2")
def test_bank_keys_of_a_token(softhsm, tmp_path):
    with softhsm.open("bank", Party.BANK, test=True, writable=True) as vault:
        for root in roots("pboc", Party.BANK):
            vault.install(root)
    card = saved(new_card("pboc"), tmp_path / "card.img")
    output = sscard(
        "conformance", "--image", card, "--bank-token", "bank", "--module", softhsm.module,
        "--token-pin", softhsm.pin, "--all", "--case", "ISSUER_AUTH/*", "--case", "FIRST_AC/a*",
    )  # fmt: skip
    assert "failed" not in output.splitlines()[-1]
    assert output.splitlines()[-1] == "in all: 15 passed, 1 not run"
    assert "not run    1: the AIP has issuer authentication" in output
