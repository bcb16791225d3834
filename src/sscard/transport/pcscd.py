"""A private pcscd with vpcd readers: own socket, own ports, no root, gone when you leave.

pcscd takes its listening socket by the socket-activation protocol, and clients find that by
PCSCLITE_CSOCK_NAME; so any number of daemons live side by side and none is system-wide. On
Linux a daemon ends with the process that started it, even by `kill -9`; its folder then stays.

Source: pcsc, "Start a private pcscd".
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from sscard.errors import TransportError
from sscard.transport.readers import ReaderState, reader_states
from sscard.transport.vpcd import HOST

__all__ = ["PrivatePcscd", "VirtualSlot", "find_driver", "find_pcscd", "missing"]

READY_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 2.0
SLOTS_PER_ENTRY = 2
"""vpcd listens at a port and at the next: two slots for one entry of the configuration."""

DRIVER_NAME = "libifdvpcd.so"
DRIVER_FOLDERS = (
    "/usr/lib/pcsc/drivers/serial",
    "/usr/lib64/pcsc/drivers/serial",
    "/usr/local/lib/pcsc/drivers/serial",
)
_SBIN = "/usr/sbin:/usr/local/sbin:/sbin"

_LAUNCH = """\
import os, sys
if sys.argv[1] != "0":
    import ctypes
    ctypes.CDLL(None).prctl(1, 15)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the process that wanted this pcscd is gone")
del sys.argv[1]
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What becomes pcscd. On Linux it ends with us, however we end (PR_SET_PDEATHSIG, SIGTERM)."""


def find_pcscd() -> str:
    """Return the path of the daemon. Errors: `TransportError` that says what to install."""
    found = shutil.which("pcscd", path=os.pathsep.join((os.environ.get("PATH", ""), _SBIN)))
    if found is None:
        raise TransportError("pcscd is not installed (Debian, Ubuntu: apt-get install pcscd)")
    return found


def find_driver() -> str:
    """Return the path of vpcd's driver. Errors: `TransportError` that says what to install."""
    for folder in DRIVER_FOLDERS:
        path = Path(folder, DRIVER_NAME)
        if path.exists():
            return str(path)
    raise TransportError(
        f"vpcd's driver {DRIVER_NAME} is not installed"
        " (Debian, Ubuntu: apt-get install vsmartcard-vpcd)"
    )


def missing() -> str | None:
    """Return what is missing for a private pcscd on this machine, in words; None if nothing."""
    try:
        find_pcscd()
        find_driver()
    except TransportError as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True)
class VirtualSlot:
    """One slot of a virtual reader: its name for PC/SC clients, its address for cards."""

    name: str
    host: str
    port: int


class PrivatePcscd:
    """A pcscd of one's own with `slots` reader slots, as a context manager.

    `environment` is what a client needs, set before its first PC/SC call; `slots` tells for
    each slot the reader's name and the address where a card connects. `name` begins the
    readers' names. Any user may start one; root's rewrites pcscd's system-wide pid file, and
    nothing else of the system is touched. Errors: `TransportError` when something is not
    installed (with the package to install), or when the daemon does not come up (with its log).
    """

    def __init__(self, slots: int = 2, *, name: str = "sscard", debug: bool = False) -> None:
        if not 1 <= slots <= 16:
            raise TransportError(f"pcscd has 1 to 16 reader slots, not {slots}")
        self.slots: tuple[VirtualSlot, ...] = ()
        self._slots_wanted = slots
        self._name = name
        self._debug = debug
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._events_when_full: dict[str, int] = {}

    @property
    def socket_path(self) -> Path:
        """The unix socket of this daemon."""
        if self._folder is None:
            raise TransportError("this pcscd is not running: call start() first")
        return self._folder / "pcscd.comm"

    @property
    def environment(self) -> dict[str, str]:
        """The one variable by which libpcsclite finds this daemon."""
        return {"PCSCLITE_CSOCK_NAME": str(self.socket_path)}

    @property
    def pid(self) -> int | None:
        """The daemon's process id while it runs."""
        return self._process.pid if self._process is not None else None

    @property
    def log(self) -> str:
        """What the daemon wrote so far."""
        if self._folder is None:
            return ""
        return (self._folder / "pcscd.log").read_text(encoding="utf-8", errors="replace")

    @property
    def warning(self) -> str:
        """What everyone who starts this has to know about its ports."""
        ports = ", ".join(str(slot.port) for slot in self.slots)
        return (
            f"vpcd listens on all network interfaces (0.0.0.0), ports {ports}: whoever reaches"
            " them can put a card of his own into these readers."
        )

    def start(self) -> Self:
        """Start the daemon and wait until its readers are listed; a running one is left alone."""
        if self._process is not None:
            return self
        pcscd, driver = find_pcscd(), find_driver()
        self._folder = Path(tempfile.mkdtemp(prefix="ssc-", dir=_short_folder()))
        try:
            self._configure(driver)
            try:
                self._launch(pcscd)
            except TransportError:
                if "already in use" not in self.log:
                    raise
                self._configure(driver)  # somebody took a port between our looking and using
                self._launch(pcscd)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the daemon (terminate, then kill) and remove its folder; twice is harmless."""
        self._end_process()
        folder, self._folder = self._folder, None
        self.slots = ()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def restart(self) -> None:
        """Stop the daemon and start it again with the same socket name, ports and readers."""
        pcscd = find_pcscd()
        if self._folder is None:
            raise TransportError("this pcscd is not running: call start() first")
        self._end_process()
        self._launch(pcscd)

    def states(self) -> dict[str, ReaderState]:
        """Return the present state of every slot, by reader name."""
        return {state.name: state for state in reader_states(self.socket_path)}

    def wait(self, slot: VirtualSlot, *, present: bool, timeout_s: float = 5.0) -> None:
        """Wait until the daemon has noticed that a card is in `slot`, or is not any more.

        A client's call may find the card gone before the daemon's polling does. A card put in
        between the two is then missed for ever, so a slot counts as empty only when the polling
        has seen it, too. Errors: `TransportError` after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            state = self.states()[slot.name]
            if state.present is present and (
                present or state.events != self._events_when_full.get(slot.name)
            ):
                break
            if time.monotonic() > deadline:
                wish = "a card" if present else "empty"
                raise TransportError(f"{slot.name}: not {wish} after {timeout_s:g} s")
            time.sleep(0.02)
        if present:
            self._events_when_full[slot.name] = state.events
        else:
            self._events_when_full.pop(slot.name, None)

    def _configure(self, driver: str) -> None:
        """Choose free ports and write one configuration entry for each pair of slots."""
        assert self._folder is not None
        folder = self._folder / "conf"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        slots: list[VirtualSlot] = []
        for index in range(-(-self._slots_wanted // SLOTS_PER_ENTRY)):
            name = self._name if index == 0 else f"{self._name} {index + 1}"
            port = _free_port_pair()
            library = driver
            if index:  # entries with one and the same library share state and mix up cards
                library = str(self._folder / f"{index}-{DRIVER_NAME}")
                shutil.copyfile(driver, library)
            (folder / f"vpcd{index}").write_text(
                f'FRIENDLYNAME "{name}"\nDEVICENAME /dev/null:{port}\n'
                f"LIBPATH {library}\nCHANNELID {port}\n",
                encoding="utf-8",
            )
            slots += (VirtualSlot(f"{name} 00 0{n}", HOST, port + n) for n in (0, 1))
        self.slots = tuple(slots[: self._slots_wanted])

    def _launch(self, pcscd: str) -> None:
        """Start the daemon on our socket; raise `TransportError` unless it gets ready."""
        assert self._folder is not None
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCH]
        options = ["--debug", "--apdu"] if self._debug else []
        config = str(self._folder / "conf")
        path = self.socket_path
        path.unlink(missing_ok=True)
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
            (self._folder / "pcscd.log").open("wb") as output,
        ):
            listener.bind(str(path))
            path.chmod(0o666)
            listener.listen(64)
            self._process = subprocess.Popen(
                [
                    *launcher,
                    _owner(),
                    str(listener.fileno()),
                    pcscd,
                    "--foreground",
                    "-c",
                    config,
                    *options,
                ],
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self._await_readers(self._process)
        except BaseException:
            self._end_process()
            raise

    def _await_readers(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        wanted = {slot.name for slot in self.slots}
        why = "no time"
        while time.monotonic() < deadline and process.poll() is None:
            try:
                listed = {state.name for state in reader_states(self.socket_path, timeout_s=0.5)}
                if wanted <= listed:
                    return
            except TransportError as error:
                why = str(error)
            else:
                why = "it does not list its readers"
            if "already in use" in self.log:  # it would keep running, without its readers
                break
            time.sleep(0.02)
        if process.poll() is not None:
            why = f"it ended with {process.returncode}"
        raise TransportError(f"pcscd did not come up ({why}); its log:\n{self.log or '(empty)'}")

    def _end_process(self) -> None:
        process, self._process = self._process, None
        self._events_when_full.clear()
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:  # a card that never answers makes it deaf
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _owner() -> str:
    """Return whose end is the daemon's: our process id, 0 for nobody's.

    Linux means the thread that started it, so only the main one, which lasts, will do.
    """
    lasts = threading.current_thread() is threading.main_thread()
    return str(os.getpid()) if sys.platform == "linux" and lasts else "0"


def _short_folder() -> str | None:
    """Return where to make our folder: a unix socket's whole name must fit in 107 bytes."""
    return None if len(tempfile.gettempdir()) < 70 else "/tmp"  # noqa: S108 (mkdtemp is safe)


def _free_port_pair() -> int:
    """Return a port that is free now, as is the one after it."""
    for _ in range(100):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("", port + 1))
            except (OSError, OverflowError):
                continue
            return port
    raise TransportError("there is no free pair of TCP ports on this machine")
