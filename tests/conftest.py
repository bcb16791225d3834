"""What every test can use: optional components, the Hypothesis profiles."""

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyscard_sources
import pytest
import through_pyscard
from hypothesis import HealthCheck, settings

# Nothing is timed in a test, so neither a deadline nor a slow machine may fail one. By default the
# examples are always the same; `SSCARD_HYPOTHESIS=soak` draws new ones, and many.
_UNTIMED = [HealthCheck.too_slow]
settings.register_profile(
    "default",
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=_UNTIMED,
)
settings.register_profile(
    "soak",
    max_examples=5_000,
    derandomize=False,
    deadline=None,
    print_blob=True,
    suppress_health_check=_UNTIMED,
)
settings.load_profile(os.environ.get("SSCARD_HYPOTHESIS", "default"))

_SENT = pytest.StashKey[through_pyscard.Count]()

SOFTHSM2 = Path("/usr/lib/softhsm/libsofthsm2.so")
VPCD_DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")


def _program(name: str) -> bool:
    """Whether a program is installed; daemons live outside a user's PATH."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin") is not None


def _pyscard() -> bool:
    """Whether pyscard loads, its extension and libpcsclite included."""
    return _module("smartcard.scard")


def _module(name: str) -> bool:
    """Whether a module loads."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _package_index() -> bool:
    """Whether pip reaches the index it is set up with."""
    with tempfile.TemporaryDirectory() as folder:
        words = (
            "download",
            "--quiet",
            "--no-deps",
            "--no-cache-dir",
            "--dest",
            folder,
            "iniconfig",
        )
        command = [sys.executable, "-m", "pip", *words]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


EMVTOOL = Path(__file__).parents[1] / ".venv-emv/bin/emvtool"

COMPONENTS: dict[str, Callable[[], bool]] = {
    "cardpeek": lambda: _program("cardpeek"),
    "cc": lambda: _program("cc"),
    "emvtool": EMVTOOL.exists,
    "java": lambda: _program("javac"),
    "opensc-tool": lambda: _program("opensc-tool"),
    "package-index": _package_index,
    "pcsc_scan": lambda: _program("pcsc_scan"),
    "pcscd": lambda: _program("pcscd"),
    "podman": lambda: _program("podman"),
    "pyscard": _pyscard,
    "pyscard-examples": lambda: _pyscard() and pyscard_sources.folder().exists(),
    "scriptor": lambda: _program("scriptor"),
    "softhsm2": lambda: _program("softhsm2-util") and SOFTHSM2.exists() and _module("pkcs11"),
    "vpcd": VPCD_DRIVER.exists,
}

REASONS = {
    "package-index": "pip reaches no package index: nothing can be installed afresh",
    "podman": "podman is not installed: apt-get install podman",
    "pyscard-examples": "the source of the pyscard installed is not here: run make deps",
}


def require_component(component: str) -> None:
    """Skip the running test when `component` is not installed; under CI=true, fail it."""
    if COMPONENTS[component]():
        return
    reason = REASONS.get(component, f"{component} is not installed: run make deps as root")
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def require() -> Callable[[str], None]:
    """`require("pcscd")` in a test or fixture that needs a component."""
    return require_component


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.requires("pcscd", "vpcd")` declares what a test needs."""
    for mark in item.iter_markers("requires"):
        for component in mark.args:
            require_component(component)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--through-pyscard`: commands, power and resets of every test pass pyscard, in process."""
    parser.addoption(
        "--through-pyscard", action="store_true", help="use every card through pyscard, in process"
    )


@pytest.fixture(scope="session", autouse=True)
def _pyscard_between(request: pytest.FixtureRequest) -> Iterator[None]:
    config = request.config
    if not config.getoption("--through-pyscard"):
        yield
        return
    require_component("pyscard")
    with pytest.MonkeyPatch.context() as patch:
        config.stash[_SENT] = through_pyscard.install(patch.setattr)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """With `--through-pyscard`, note what of a test took that way."""
    sent = item.config.stash.get(_SENT, None)
    before = None if sent is None else (sent.commands, sent.powers, sent.resets)
    yield
    if before is not None:
        after = sent.commands, sent.powers, sent.resets
        went = [now - then for now, then in zip(after, before, strict=True)]
        item.user_properties.append(("through pyscard", went))


def pytest_terminal_summary(terminalreporter) -> None:
    """Say how often tests/tear cut the power and what caught each planted mistake."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    noted = [pair for report in reports for pair in report.user_properties]
    totals: dict[str, int] = {}
    for name, value in noted:
        if name.startswith("tear "):
            totals[name[5:]] = totals.get(name[5:], 0) + value
    if totals:
        counted = ", ".join(f"{value:,} {name}" for name, value in totals.items())
        terminalreporter.write_line(f"power losses: {counted}")
    sent = [value for name, value in noted if name == "through pyscard"]
    if sent:
        commands, powers, resets = map(sum, zip(*sent, strict=True))
        idle = sum(not count for count, *_ in sent)
        terminalreporter.write_line(
            f"through pyscard: {commands:,} commands, {powers:,} power-ons and {resets:,} resets"
            f" of {len(sent) - idle:,} tests;"
            f" {idle:,} tests sent no command: they look at images, tables and text"
        )
    caught = [value for name, value in noted if name == "planted"]
    if caught:
        terminalreporter.write_line(f"planted mistakes caught: {len(caught)}")
        for line in caught:
            terminalreporter.write_line(f"  {line}")
