"""The pytest plugin: cards, readers and traces as fixtures, `@pytest.mark.sscard`.

pytest finds it by its entry point wherever sscard is installed. It imports nothing but pytest
until a test asks for one of its fixtures. What the fixtures do is in `sscard.testing.kit`.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sscard.card import Card
    from sscard.errors import ProfileError
    from sscard.testing.kit import Kit, PcscReader, Trace, Wanted
    from sscard.transport.pcscd import PrivatePcscd

__all__ = [
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_makereport",
    "sscard_card",
    "sscard_pcsc",
    "sscard_profile",
    "sscard_reader",
    "sscard_trace",
]

_KIT = pytest.StashKey["Kit"]()
_PRESENT = pytest.StashKey["Wanted"]()
"""What the card in a real reader is said to be."""
_MARKER = (
    "sscard(profile='sample', state=None, overrides={}, faults=(), link='apdu',"
    " interface='contact'): the card of the sscard_ fixtures; profile may name a state, such as"
    " 'pin-blocked'"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the command line."""
    group = parser.getgroup("sscard", "emulated social security cards")
    group.addoption(
        "--sscard-reader",
        metavar="NAME",
        help="run the tests against the card in this PC/SC reader instead of the emulator",
    )
    group.addoption(
        "--sscard-reader-card",
        metavar="PROFILE",
        default="sample",
        help="the profile or state of the card in that reader; tests of others are skipped",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known. Errors: `pytest.UsageError` for a card of no profile in a reader."""
    config.addinivalue_line("markers", _MARKER)
    if config.getoption("--sscard-reader") is not None:
        config.stash[_PRESENT] = _said_to_be(config.getoption("--sscard-reader-card"))


def _said_to_be(words: str) -> "Wanted":
    from sscard.errors import ProfileError  # noqa: PLC0415
    from sscard.testing.kit import in_a_reader  # noqa: PLC0415

    try:
        return in_a_reader(words)
    except ProfileError as error:
        raise pytest.UsageError(f"--sscard-reader-card: {_with_states(error)}") from None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the explained trace into the report of a test that failed; with -rP, that passed, too."""
    report = yield
    kit = item.stash.get(_KIT, None)
    passed = report.passed and call.when == "call"
    shown = report.failed or (passed and set("PA") & set(item.config.getoption("reportchars", "")))
    if kit is not None and shown and kit.trace:
        title, text = "sscard: APDU trace", kit.trace.explained()
        add = getattr(report.longrepr, "addsection", None)
        if add is not None:
            add(title, text)  # what JUnit files show, too
        else:
            report.sections.append((title, text))
    return report


@pytest.fixture
def _sscard_kit(request: pytest.FixtureRequest) -> "Kit":
    from sscard.testing.kit import Kit, Wanted, unsuitable  # noqa: PLC0415

    words: dict[str, Any] = {}
    for mark in (*request.node.iter_markers("sscard"),)[::-1]:  # the closest has the last word
        words |= mark.kwargs
        if mark.args:
            raise _failure("@pytest.mark.sscard takes keywords only: profile='pin-blocked'")
    known = [field.name for field in fields(Wanted)]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise _failure(f"@pytest.mark.sscard takes {', '.join(known)}; not {', '.join(unknown)}")
    with _marker_errors():
        wanted = Wanted(**words)
    reader = request.config.getoption("--sscard-reader")
    if reader is not None:
        reason = unsuitable(wanted, request.config.stash[_PRESENT])
        if reason:
            pytest.skip(reason)
    kit = request.node.stash[_KIT] = Kit(wanted, reader)
    return kit


@pytest.fixture
def sscard_card(_sscard_kit: "Kit") -> "Card":
    """The emulated card the marker asks for, the sample card without one; not powered."""
    _needs_emulator(_sscard_kit, "sscard_card is an emulated card")
    with _marker_errors():
        return _sscard_kit.card


@pytest.fixture
def sscard_profile(_sscard_kit: "Kit") -> "Callable[..., Card]":
    """`sscard_profile(name, state=None, **overrides)`: a new emulated card of a profile."""
    _needs_emulator(_sscard_kit, "sscard_profile makes emulated cards")
    return _sscard_kit.make


@pytest.fixture
def sscard_reader(_sscard_kit: "Kit") -> Iterator[Any]:
    """A pyscard reader with the card in it: in process, or the one `--sscard-reader` names.

    While the test runs, `smartcard.System.readers()` lists no other. Skipped without pyscard,
    unless a reader was asked for.
    """
    from sscard.errors import TransportError  # noqa: PLC0415
    from sscard.testing.kit import PyscardAbsent  # noqa: PLC0415

    with ExitStack() as stack:
        try:
            with _marker_errors():
                reader = stack.enter_context(_sscard_kit.reader())
        except PyscardAbsent as error:
            if _sscard_kit.reader_name is None:
                pytest.skip(str(error))
            raise _failure(str(error)) from None
        except TransportError as error:
            raise _failure(str(error)) from None
        yield reader


@pytest.fixture
def sscard_trace(_sscard_kit: "Kit") -> "Trace":
    """What passes between this test and its cards, to look at or to print."""
    return _sscard_kit.trace


@pytest.fixture(scope="session")
def _sscard_pcscd() -> "Iterator[PrivatePcscd]":
    from sscard.testing.kit import private_pcscd  # noqa: PLC0415
    from sscard.transport.pcscd import missing  # noqa: PLC0415

    reason = missing()
    if reason:
        pytest.skip(f"no private pcscd: {reason}")
    with private_pcscd() as daemon:
        yield daemon


@pytest.fixture
def sscard_pcsc(_sscard_kit: "Kit", request: pytest.FixtureRequest) -> "Iterator[PcscReader]":
    """A reader of a private pcscd with the card in it, for programs in other processes, too.

    One daemon a run, and one a worker of xdist. Skipped where pcscd or vpcd is absent.
    """
    _needs_emulator(_sscard_kit, "sscard_pcsc has a reader of its own")
    from sscard.testing.kit import PcscReader  # noqa: PLC0415

    reader = PcscReader(request.getfixturevalue("_sscard_pcscd"), _sscard_kit)
    try:
        with _marker_errors():
            reader.insert()
        yield reader
    finally:
        reader.remove()


@contextmanager
def _marker_errors() -> Iterator[None]:
    """A card that cannot be made is a slip in the marker: say what there is, without traceback."""
    from sscard.errors import ProfileError  # noqa: PLC0415

    try:
        yield
    except ProfileError as error:
        raise _failure(f"@pytest.mark.sscard: {_with_states(error)}") from None


def _with_states(error: "ProfileError") -> str:
    """Name the states, too, where a profile was not found: they stand for one."""
    from sscard.states import STATES  # noqa: PLC0415

    if not str(error).startswith("there is no profile"):
        return str(error)
    return f"{error}\nprofile may also be one of the states {', '.join(STATES)}"


def _failure(text: str) -> BaseException:
    """What ends a test with these words alone, without traceback."""
    return pytest.fail.Exception(text, pytrace=False)


def _needs_emulator(kit: "Kit", what: str) -> None:
    if kit.reader_name is not None:
        pytest.skip(f"{what}: not available with --sscard-reader")
