"""Starting a private pcscd where it cannot work: the errors say what to do."""

import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from sscard.errors import TransportError
from sscard.transport import pcscd
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.readers import reader_states

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pcscd is a Unix daemon")


@pytest.fixture
def temporary(monkeypatch):
    """A temporary folder with a short name of its own, seen empty at the end."""
    folder = tempfile.mkdtemp(prefix="t-")
    monkeypatch.setattr(tempfile, "tempdir", folder)
    yield Path(folder)
    left = list(Path(folder).iterdir())
    shutil.rmtree(folder)
    assert left == []


def pretend(monkeypatch, tmp_path, script: str) -> None:
    """Put a shell script in the daemon's place."""
    daemon = tmp_path / "pcscd"
    daemon.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    daemon.chmod(0o755)
    monkeypatch.setattr(pcscd, "find_pcscd", lambda: str(daemon))
    monkeypatch.setattr(pcscd, "find_driver", lambda: str(daemon))
    monkeypatch.setattr(pcscd, "READY_TIMEOUT_S", 0.5)
    monkeypatch.setattr(pcscd, "STOP_TIMEOUT_S", 0.2)


def test_a_missing_daemon_is_named_with_its_package(monkeypatch, temporary):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(TransportError, match="apt-get install pcscd"):
        PrivatePcscd().start()
    assert "pcscd" in (pcscd.missing() or "")


def test_a_missing_driver_is_named_with_its_package(monkeypatch, temporary):
    monkeypatch.setattr(pcscd, "find_pcscd", lambda: sys.executable)
    monkeypatch.setattr(pcscd, "DRIVER_FOLDERS", ())
    with pytest.raises(TransportError, match="apt-get install vsmartcard-vpcd"):
        PrivatePcscd().start()
    assert "vpcd" in (pcscd.missing() or "")


def test_a_daemon_that_ends_shows_its_log(monkeypatch, tmp_path, temporary):
    pretend(monkeypatch, tmp_path, "echo no such luck; exit 3")
    with pytest.raises(TransportError, match=r"(?s)ended with 3.*no such luck"):
        PrivatePcscd().start()


def test_a_daemon_that_is_deaf_is_killed(monkeypatch, tmp_path, temporary):
    pretend(monkeypatch, tmp_path, "trap '' TERM; echo $$ >&2; while :; do sleep 0.1; done")
    with pytest.raises(TransportError, match="did not come up") as caught:
        PrivatePcscd().start()
    pid = int(str(caught.value).splitlines()[1])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_taken_ports_are_tried_twice(monkeypatch, tmp_path, temporary):
    count = tmp_path / "count"
    pretend(monkeypatch, tmp_path, f"echo x >> {count}; echo Address already in use; sleep 5")
    with pytest.raises(TransportError, match="already in use"):
        PrivatePcscd().start()
    assert count.read_text(encoding="ascii").split() == ["x", "x"]


@pytest.mark.parametrize("slots", [0, 17])
def test_the_number_of_slots_is_bounded(slots):
    with pytest.raises(TransportError, match="1 to 16"):
        PrivatePcscd(slots)


def test_a_long_temporary_folder_is_avoided(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/" + "x" * 90)
    assert pcscd._short_folder() == "/tmp"


def test_nobody_at_the_socket_is_a_transport_error(temporary):
    path = temporary / "none"
    with pytest.raises(TransportError, match="no pcscd answers"):
        reader_states(path)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen()
        with pytest.raises(TransportError, match="no pcscd answers"):
            reader_states(path, timeout_s=0.1)
    path.unlink()
