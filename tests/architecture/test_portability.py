"""Windows and macOS: no module of ours wants at import what only POSIX has.

Nothing here runs on Windows. A process is made to look like one: the modules of POSIX cannot be
imported, its functions, signals and sockets are gone. Libraries are imported before, for they
choose by the platform's name. Then every module of the package is imported, a card is made and
read on the command line, and pyscard talks to one in process.
"""

import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"
MODULES = sorted(
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
    for path in (SRC / "sscard").rglob("*.py")
    if path.name != "__main__.py"
)
NEEDS_PYSCARD = ("sscard.transport.pcsc.", "sscard.transport.pyscard_reader.")

STRIPPED = """
import importlib, sys

LIBRARIES = (
    "asyncio concurrent.futures construct cryptography.hazmat.primitives.asymmetric.rsa ctypes"
    " filelock getpass http.server hypothesis.stateful logging.handlers multiprocessing pkcs11"
    " pytest rich.console rich.table rich.traceback shutil smartcard.System smartcard.CardMonitoring"
    " sqlalchemy sqlalchemy.orm subprocess tempfile typer typer.rich_utils urllib.request uvicorn"
)
for library in LIBRARIES.split():
    try:
        importlib.import_module(library)
    except ImportError:
        pass  # optional

import os, signal, socket

for name in "_posixsubprocess crypt fcntl grp pty pwd resource spwd syslog termios tty".split():
    sys.modules[name] = None  # import raises ImportError
for name in (
    "chown chroot fchmod fchown fork forkpty getegid geteuid getgid getgroups getpgid getpgrp"
    " getpriority getsid getuid killpg lchown mkfifo mknod nice"
    " openpty posix_spawn pread pwrite sched_getaffinity setpgid setsid setuid"
    " sysconf tcgetpgrp tcsetpgrp ttyname uname wait WNOHANG"
).split():
    vars(os).pop(name, None)
for name in "SIGALRM SIGCHLD SIGHUP SIGKILL SIGQUIT SIGTTIN SIGTTOU SIGUSR1 SIGUSR2 alarm pause".split():
    vars(signal).pop(name, None)
for name in "AF_UNIX socketpair SO_REUSEPORT".split():
    vars(socket).pop(name, None)
"""


def run(code, *words, cwd=None):
    done = subprocess.run(
        [sys.executable, "-c", STRIPPED + code, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
    )
    return done.returncode, done.stdout + done.stderr


def test_every_module_can_be_imported(require):
    code, said = run(
        """
failed = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed.append(f"{name}: {type(error).__name__}: {error}")
print("\\n".join(failed))
""",
        *(name for name in MODULES if not f"{name}.".startswith(NEEDS_PYSCARD)),
    )
    assert (code, said.strip()) == (0, "")


def test_a_module_that_wants_posix_would_be_found():
    code, said = run(
        """
for line in ("import fcntl", "from pwd import getpwnam", "os.getuid", "signal.SIGHUP", "os.name"):
    try:
        exec(line)
    except (ImportError, AttributeError):
        continue
    print(line)
"""
    )
    assert (code, said.strip()) == (0, "os.name")


def test_the_command_line_makes_and_reads_a_card(tmp_path):
    code, said = run(
        """
from sscard.cli import main

def sscard(*words):
    sys.argv = ["sscard", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (words, end.code)

sscard("new", "card.img", "--profile", "v2")
sscard("apdu", "card.img", "--save", "00A404000F7378312E73682EC9E7BBE1B1A3D5CF", "0084000008")
sscard("fsck", "card.img")
sscard("explain", "63C5")
""",
        cwd=tmp_path,
    )
    assert code == 0, said
    assert "5 tries left" in said
    assert (tmp_path / "card.img").stat().st_size == 80 * 1024


@pytest.mark.requires("pyscard")
def test_pyscard_talks_to_a_card_in_process():
    code, said = run(
        """
for name in ("sscard.transport.pcsc", "sscard.transport.pyscard_reader"):
    importlib.import_module(name)
from smartcard.System import readers
from sscard.sample import sample_card
from sscard.transport.pyscard_reader import VirtualReader, installed

with installed(VirtualReader("desk", sample_card()), alone=True):
    connection = readers()[0].createConnection()
    connection.connect()
    print(bytes(connection.getATR()).hex(), connection.transmit([0, 0x84, 0, 0, 8])[1:])
"""
    )
    assert (code, said.split()[1:]) == (0, ["(144,", "0)"]), said
