"""Fetch the source distribution of the pyscard that is installed: its examples and its tests.

They are not in its wheel, and not ours to copy. They go below the virtual environment, for
tests/interop/test_pyscard_examples.py; a second run does nothing. The exit code says whether
they are there.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SHA256 = {"2.3.1": "a24356f57a0a950740b6e54f51f819edd5296ee8892a6625b0da04724e9e6c13"}
"""Of the versions looked at; of another one the index alone vouches."""
FOLDERS = ("Examples/", "test/")


def main() -> str:
    """Fetch and unpack what is missing; return what stands in the way, or nothing."""
    try:
        installed = version("pyscard")
    except PackageNotFoundError:
        return "pyscard is not installed"
    home = Path(sys.prefix, "share/pyscard", installed)
    if home.exists():
        return ""
    with tempfile.TemporaryDirectory(dir=sys.prefix) as scratch:
        words = ("--quiet", "--no-deps", "--no-binary", "pyscard", "--dest", scratch)
        command = [sys.executable, "-m", "pip", "download", *words, f"pyscard=={installed}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        archives = list(Path(scratch).glob("*.tar.gz"))
        if done.returncode or len(archives) != 1:
            return f"pip download pyscard=={installed} failed: {done.stderr.strip()[-500:]}"
        (archive,) = archives
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if SHA256.get(installed, found) != found:
            return f"{archive.name} is not what it was: SHA-256 {found}"
        prefix = f"{archive.name.removesuffix('.tar.gz')}/src/smartcard/"
        wanted = tuple(prefix + folder for folder in FOLDERS)
        unpacked = Path(scratch, "unpacked")
        with tarfile.open(archive) as tar:
            members = [each for each in tar.getmembers() if each.name.startswith(wanted)]
            tar.extractall(unpacked, members, filter="data")
        home.parent.mkdir(parents=True, exist_ok=True)
        (unpacked / prefix).rename(home)
    return ""


if __name__ == "__main__":
    reason = main()
    if reason:
        print(f"deps: NO PYSCARD EXAMPLES ({reason}): their tests are skipped")
    sys.exit(bool(reason))
