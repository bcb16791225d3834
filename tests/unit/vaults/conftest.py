"""Vaults of every kind for the tests; a private SoftHSM2 with a token for each party."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from sscard.keys.vault import MemoryVault, Party
from sscard.vaults.file import FileVault

KINDS = ("memory", "file", pytest.param("token", marks=pytest.mark.requires("softhsm2")))
COST = 4  # scrypt, for tests: there is no secret to keep
PASSPHRASE = "correct horse"
PIN = "1234"


class SoftHsm(NamedTuple):
    """Where the library is; its tokens are called social and bank."""

    module: str
    pin: str

    def open(self, label, party=Party.SOCIAL, **options):
        from sscard.vaults.pkcs11 import Pkcs11Vault

        return Pkcs11Vault.open(self.module, label, self.pin, party, **options)

    def session(self, label):
        import pkcs11

        return pkcs11.lib(self.module).get_token(token_label=label).open(rw=True, user_pin=self.pin)


@pytest.fixture(scope="session")
def softhsm_tokens(tmp_path_factory):
    """SoftHSM2 reads its configuration once a process, so its tokens last for the session."""
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    for party in Party:
        words = f"softhsm2-util --init-token --free --label {party} --so-pin 12345678 --pin {PIN}"
        subprocess.run(words.split(), check=True, capture_output=True)
    yield SoftHsm("/usr/lib/softhsm/libsofthsm2.so", PIN)
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


@pytest.fixture
def softhsm(softhsm_tokens):
    """The tokens, both empty."""
    for party in Party:
        with softhsm_tokens.session(str(party)) as session:
            for stored in list(session.get_objects()):
                stored.destroy()
    return softhsm_tokens


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def make(kind, request, tmp_path):
    """Return a function that makes a vault of the kind under test from roots."""
    made = []

    def vault(*roots, party=Party.SOCIAL, test=True):
        if kind == "memory":
            made.append(MemoryVault(party, test=test))
        elif kind == "file":
            path = Path(tmp_path) / f"{len(made)}.vault"
            made.append(FileVault.create(path, PASSPHRASE, party, test=test, cost=COST))
        else:
            hsm = request.getfixturevalue("softhsm")
            made.append(hsm.open(str(party), party, test=test, writable=True))
        for root in roots:
            made[-1].install(root)
        return made[-1]

    yield vault
    for one in made:
        one.close()
