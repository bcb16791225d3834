"""A key vault in a file, sealed under a passphrase; always there as a whole, old or new.

The file is JSON: format number, scrypt salt and cost, nonce, and the sealed keys; all but the
last is authenticated too. Opened, it is a vault in memory that writes itself when it grows.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from sscard.keys.block import Algorithm
from sscard.keys.sealing import NONCE_SIZE, SALT_SIZE, SealingKey
from sscard.keys.vault import KeyInfo, MemoryVault, Party, Root, VaultError, VaultLocked

__all__ = ["COST", "FORMAT", "FileVault"]

FORMAT = 1
COST = 17
"""scrypt's N is 2^17: 128 MiB and some tenths of a second for every try at the passphrase."""
SIZE_MAX = 1 << 24


class FileVault(MemoryVault):
    """An encrypted vault file, open. Made by `create` and `open`; `path` is the file."""

    def __init__(
        self, path: Path, party: Party, *, test: bool, salt: bytes, cost: int, key: SealingKey
    ) -> None:
        super().__init__(party, test=test)
        self.path = path
        self._salt = salt
        self._cost = cost
        self._key = key
        self._stored: bytes | None = None
        self._loading = False

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        passphrase: str,
        party: Party,
        *,
        test: bool = False,
        cost: int = COST,
    ) -> Self:
        """Make a new file with an empty vault; `cost` is the log2 of scrypt's N.

        Errors: VaultError when the file exists, cannot be written, or without a passphrase.
        """
        if not passphrase:
            raise VaultError("a vault needs a passphrase")
        salt = os.urandom(SALT_SIZE)
        key = SealingKey(passphrase, salt=salt, cost=cost)
        made = cls(Path(path).resolve(), party, test=test, salt=salt, cost=cost, key=key)
        made._save()
        return made

    @classmethod
    def open(cls, path: str | os.PathLike[str], passphrase: str) -> Self:
        """Open a vault file.

        Errors: VaultLocked for a wrong passphrase (or a file somebody changed), VaultError
        when there is no such file, it is no vault, or has a format we do not know.
        """
        place = Path(path).resolve()
        stored = _read(place)
        if stored is None:
            raise VaultError(f"{place}: there is no such vault file")
        try:
            header = _header(stored)
            salt, nonce = bytes.fromhex(header["salt"]), bytes.fromhex(header["nonce"])
            sealed = bytes.fromhex(header.pop("sealed"))
            cost = int(header["cost"])
            key = SealingKey(passphrase, salt=salt, cost=cost)
        except (ValueError, TypeError, KeyError) as error:
            raise VaultError(f"{place}: this is not a key vault: {error}") from None
        try:
            plain = key.unseal(nonce, sealed, _canonical(header))
        except ValueError:
            raise VaultLocked(
                f"{place}: the passphrase is wrong, or the file was changed"
            ) from None
        contents: dict[str, Any] = json.loads(plain)
        made = cls(
            place,
            Party(contents["party"]),
            test=bool(contents["test"]),
            salt=salt,
            cost=cost,
            key=key,
        )
        made._stored = stored
        made._load(contents["keys"])
        return made

    def generate(
        self,
        name: str,
        *,
        version: int = 1,
        algorithm: Algorithm = Algorithm.TDES,
        levels: int,
    ) -> KeyInfo:
        """Install a new random key, which nobody has ever seen."""
        value = os.urandom(algorithm.key_length)
        return self.install(Root(name, value, version, algorithm, levels))

    def install_all(self, roots: Iterable[Root]) -> None:
        """Install several keys and write the file once: all of them, or none on an error."""
        before = dict(self._infos), dict(self._values)
        self._loading = True
        try:
            for root in roots:
                self.install(root)
            self._save()
        except VaultError:
            self._infos, self._values = before
            raise
        finally:
            self._loading = False

    def _load(self, entries: list[Mapping[str, Any]]) -> None:
        self._loading = True
        for entry in entries:
            value = bytes.fromhex(entry["value"])
            algorithm = Algorithm[entry["algorithm"]]
            self.install(Root(entry["name"], value, entry["version"], algorithm, entry["levels"]))
        self._loading = False

    def _install(self, info: KeyInfo, value: bytes) -> None:
        super()._install(info, value)
        if self._loading:
            return
        try:
            self._save()
        except VaultError:
            place = info.name, info.version
            del self._infos[place], self._values[place]
            raise

    def _save(self) -> None:
        entries = [
            {
                "name": info.name,
                "version": info.version,
                "algorithm": info.algorithm.name,
                "levels": info.levels,
                "value": self._values[info.name, info.version].value.hex(),
            }
            for info in self.list_keys()
        ]
        contents = {"party": str(self.party), "test": self.test, "keys": entries}
        nonce = os.urandom(NONCE_SIZE)
        header = {
            "format": FORMAT,
            "kdf": "scrypt",
            "cost": self._cost,
            "salt": self._salt.hex(),
            "cipher": "AES-256-GCM",
            "nonce": nonce.hex(),
        }
        sealed = self._key.seal(nonce, json.dumps(contents).encode("ascii"), _canonical(header))
        text = json.dumps(header | {"sealed": sealed.hex()}, indent=1).encode("ascii") + b"\n"
        self._replace(text)
        self._stored = text

    def _replace(self, text: bytes) -> None:
        """Write the file as a whole, unless somebody else has since we read it."""
        lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        temporary = self.path.with_name(self.path.name + ".tmp")
        try:
            with lock.acquire(timeout=10):
                if _read(self.path) != self._stored:
                    raise VaultError(
                        f"{self.path}: the file exists already"
                        if self._stored is None
                        else f"{self.path}: somebody else changed this vault; open it again"
                    )
                temporary.unlink(missing_ok=True)  # of a process that was killed here
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                with os.fdopen(os.open(temporary, flags, 0o600), "wb") as stream:
                    stream.write(text)
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.replace(self.path)
        except Timeout:
            raise VaultError(f"{self.path}: somebody else is writing this vault") from None
        except OSError as error:
            raise VaultError(f"{self.path}: cannot be written: {error.strerror}") from None


def _read(path: Path) -> bytes | None:
    try:
        if path.stat().st_size > SIZE_MAX:
            raise VaultError(f"{path}: too big for a key vault")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VaultError(f"{path}: cannot be read: {error.strerror}") from None


def _header(text: bytes) -> dict[str, Any]:
    """Return the file's JSON object. ValueError unless it is one of a format we know."""
    try:
        header = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(header, dict) or "format" not in header:
        raise ValueError("it has no format number")
    if header["format"] != FORMAT or (header["kdf"], header["cipher"]) != ("scrypt", "AES-256-GCM"):
        raise ValueError(f"its format is {header['format']!r}, this version knows {FORMAT}")
    return header


def _canonical(header: Mapping[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True).encode("ascii")
