"""The encrypted vault file: what is in it, and what happens when it is wrong."""

import json
import os
import stat

import pytest

from sscard.keys import Algorithm
from sscard.keys.sealing import SealingKey
from sscard.keys.vault import KeyRef, Party, Root, VaultError, VaultLocked
from sscard.vaults.file import FileVault

COST = 4
PASSPHRASE = "correct horse 电池"
UK04 = Root("UK04@SSSE", b"TEST-UK04-ROOT-1")
SM4_KEY = Root("UK04@SSSE", b"TEST-UK04-ROOT-1", version=2, algorithm=Algorithm.SM4, levels=2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "city.vault"


def create(path, *roots, **options):
    vault = FileVault.create(path, PASSPHRASE, Party.SOCIAL, cost=COST, **options)
    for root in roots:
        vault.install(root)
    return vault


def test_a_vault_comes_back_as_it_was(path):
    written = create(path, UK04, SM4_KEY, test=True)
    read = FileVault.open(path, PASSPHRASE)
    assert read.list_keys() == written.list_keys() == (UK04.info, SM4_KEY.info)
    assert (read.party, read.test) == (Party.SOCIAL, True)
    assert not create(path.with_name("real.vault")).test


def test_the_passphrase_counts_in_any_normal_form(path):
    FileVault.create(path, "\u00e5 8", Party.SOCIAL, cost=COST)
    assert FileVault.open(path, "a\u030a 8").party is Party.SOCIAL


def test_a_wrong_passphrase_is_a_clear_error(path):
    create(path, UK04)
    with pytest.raises(VaultLocked, match="passphrase is wrong"):
        FileVault.open(path, PASSPHRASE + "!")
    with pytest.raises(VaultError, match="needs a passphrase"):
        FileVault.create(path.with_name("other"), "", Party.SOCIAL)


def test_no_value_and_no_name_is_readable_in_the_file(path):
    create(path, UK04)
    text = path.read_bytes()
    assert UK04.value not in text
    assert UK04.value.hex().encode() not in text.lower()
    assert b"UK04" not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_any_change_of_the_file_is_noticed(path):
    create(path, UK04)
    stored = json.loads(path.read_bytes())
    for name, value in stored.items():
        changed = dict(stored)
        if isinstance(value, int):
            changed[name] = value + 1
        elif name in ("salt", "nonce", "sealed"):
            changed[name] = f"{int(value[:2], 16) ^ 1:02x}{value[2:]}"
        else:
            changed[name] = value + "x"
        path.write_text(json.dumps(changed))
        with pytest.raises(VaultError):
            FileVault.open(path, PASSPHRASE)
    path.write_text(json.dumps(stored | {"note": "not there before"}))
    with pytest.raises(VaultLocked):
        FileVault.open(path, PASSPHRASE)
    path.write_text(json.dumps(stored))
    assert FileVault.open(path, PASSPHRASE).list_keys()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"format": 2}',
        b'{"format": 1}',
        b"[" * 100_000,
        b'{"format":1,"kdf":"scrypt","cipher":"AES-256-GCM","cost":99,"salt":"","nonce":""}',
        b'{"format":1,"kdf":"scrypt","cipher":"AES-256-GCM","cost":4,"salt":7}',
    ],
)
def test_other_files_are_no_vaults(path, text):
    path.write_bytes(text)
    with pytest.raises(VaultError, match="not a key vault"):
        FileVault.open(path, PASSPHRASE)


def test_a_truncated_file_and_a_missing_one(path):
    create(path, UK04)
    text = path.read_bytes()
    for size in range(0, len(text), 7):
        path.write_bytes(text[:size])
        with pytest.raises(VaultError):
            FileVault.open(path, PASSPHRASE)
    path.unlink()
    with pytest.raises(VaultError, match="no such vault file"):
        FileVault.open(path, PASSPHRASE)


def test_creating_never_replaces_a_vault(path):
    create(path, UK04)
    before = path.read_bytes()
    with pytest.raises(VaultError, match="exists already"):
        create(path)
    assert path.read_bytes() == before


def test_saving_is_all_or_nothing(path, monkeypatch):
    vault = create(path, UK04)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VaultError, match="No space"):
        vault.install(SM4_KEY)
    assert path.read_bytes() == before
    assert vault.list_keys() == (UK04.info,)
    monkeypatch.undo()
    vault.install(SM4_KEY)
    assert FileVault.open(path, PASSPHRASE).list_keys() == vault.list_keys()


def test_two_writers_do_not_lose_each_others_keys(path):
    create(path)
    one, other = FileVault.open(path, PASSPHRASE), FileVault.open(path, PASSPHRASE)
    one.install(UK04)
    with pytest.raises(VaultError, match="open it again"):
        other.install(SM4_KEY)
    assert FileVault.open(path, PASSPHRASE).list_keys() == (UK04.info,)


def test_install_all_takes_all_keys_or_none(path):
    vault = create(path)
    with pytest.raises(VaultError):
        vault.install_all([UK04, UK04])
    assert vault.list_keys() == FileVault.open(path, PASSPHRASE).list_keys() == ()
    vault.install_all([UK04, SM4_KEY])
    assert len(FileVault.open(path, PASSPHRASE).list_keys()) == 2


def test_every_save_has_its_own_nonce(path):
    vault = create(path)
    nonces = {json.loads(path.read_bytes())["nonce"]}
    for version in (1, 2, 3):
        vault.install(Root(UK04.name, UK04.value, version))
        nonces.add(json.loads(path.read_bytes())["nonce"])
    assert len(nonces) == 4


def test_generated_keys_differ_and_last(path):
    vault = create(path)
    made = [vault.generate("UK@SSSE", version=n, levels=3) for n in (1, 2)]
    assert made[0].kcv != made[1].kcv
    assert FileVault.open(path, PASSPHRASE).kcv(KeyRef("UK@SSSE")) == made[1].kcv


def test_a_seal_shows_nothing_and_checks_its_arguments():
    key = SealingKey(PASSPHRASE, salt=bytes(16), cost=COST)
    assert repr(key) == "<SealingKey>"
    sealed = key.seal(bytes(12), b"data", b"header")
    assert key.unseal(bytes(12), sealed, b"header") == b"data"
    for nonce, header in ((bytes(12), b"other"), (bytes(11) + b"\x01", b"header")):
        with pytest.raises(ValueError, match="seal"):
            key.unseal(nonce, sealed, header)
    with pytest.raises(ValueError, match="12 bytes"):
        key.seal(bytes(11), b"", b"")
    for salt, cost in ((bytes(15), COST), (bytes(16), 0), (bytes(16), 21)):
        with pytest.raises(ValueError, match="salt"):
            SealingKey(PASSPHRASE, salt=salt, cost=cost)
