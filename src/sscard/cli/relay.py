"""`sscard relay`: a card in a reader answers out of a virtual one, edited or recorded."""

import queue
import runpy
import threading
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sscard.cli.output import note, stdout, write_json
from sscard.cli.serve import log_events, stop_on_signals
from sscard.cli.settings import JsonOption
from sscard.errors import ScriptError, SscardError

if TYPE_CHECKING:
    from sscard.transport.port import CardPort
    from sscard.transport.relay import Edit, RelayedPort

__all__ = ["relay"]


def relay(
    reader: Annotated[
        str, typer.Option("--reader", metavar="NAME", help="The PC/SC reader with the card.")
    ],
    edit: Annotated[
        Path | None,
        typer.Option(
            "--edit",
            metavar="HOOK",
            help="Python code with command(apdu) or response(command, response), or both.",
        ),
    ] = None,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="Write a trace.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where vpcd listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="vpcd's port.")] = 35963,
    *,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Record PINs, keys and personal data, too.")
    ] = False,
    exclusive: Annotated[
        bool, typer.Option("--exclusive", help="Keep other programs from the card meanwhile.")
    ] = False,
    with_pcscd: Annotated[
        bool, typer.Option("--with-pcscd", help="Start a private pcscd for the virtual reader.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Let the card of one reader answer in a virtual reader, until Ctrl-C or SIGTERM.

    The terminal's commands go to the card and its answers come back; a hook may change both. It
    ends with an error when the card is taken out, when its reader goes, or when the hook fails.
    """
    from sscard.transport.pcsc import PcscPort, watch_card
    from sscard.transport.pcscd import PrivatePcscd
    from sscard.transport.serve import CardSlot, serve_cards

    hook = None if edit is None else load_hook(edit)
    stop: threading.Event = stop_on_signals()
    log_events()
    orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def end(error: SscardError) -> None:
        orders.put(lambda: _raise(error))

    with ExitStack() as stack:
        card = stack.enter_context(PcscPort(reader, exclusive=exclusive))
        stack.enter_context(watch_card(card.name, end))
        edits = None if hook is None else _EndsRelay(hook, end)
        relayed = _relayed(stack, card, edits, record, show_secrets=show_secrets)
        name, environment = f"{host}:{port}", {}
        slot = CardSlot(host, port)
        daemon: PrivatePcscd | None = None
        if with_pcscd:
            daemon = stack.enter_context(PrivatePcscd(slots=1))
            name, environment = daemon.slots[0].name, daemon.environment
            slot = CardSlot(daemon.slots[0].host, daemon.slots[0].port)

        def tell() -> None:
            if daemon is not None:
                daemon.wait(daemon.slots[0], present=True)
            _tell(card.name, name, environment, json=json)

        serve_cards([(slot, relayed)], stop, on_ready=tell, orders=orders)


def _raise(error: SscardError) -> None:
    raise error


def _relayed(
    stack: ExitStack,
    card: "RelayedPort",
    hook: "Edit | None",
    record: Path | None,
    *,
    show_secrets: bool,
) -> "CardPort":
    """Return the card for the virtual reader, recorded if that is wanted."""
    from sscard.inspect.trace import RecordedSlot, Recorder
    from sscard.transport.relay import RelayCard

    if record is None:
        return RelayCard(card, hook)
    recorder = stack.enter_context(Recorder("relay", path=record, show_secrets=show_secrets))
    return RecordedSlot.of_relay(lambda listener: RelayCard(card, hook, listener), recorder)


class _Hook:
    """An `Edit` of a file's functions; a missing one changes nothing."""

    def __init__(self, path: Path, functions: dict[str, Any]) -> None:
        self._path = path
        self._command = functions.get("command")
        self._response = functions.get("response")

    def command(self, apdu: bytes) -> bytes:
        """Return what the card is given. Errors: ScriptError when the function fails."""
        return apdu if self._command is None else self._bytes("command", self._command, apdu)

    def response(self, command: bytes, response: bytes) -> bytes:
        """Return what the terminal is given. Errors: ScriptError when the function fails."""
        if self._response is None:
            return response
        return self._bytes("response", self._response, command, response)

    def _bytes(self, name: str, function: Callable[..., object], *given: bytes) -> bytes:
        try:
            value = function(*given)
        except Exception as error:
            line = _line(error, self._path)
            raise ScriptError(
                f"{self._path}, line {line}: {name}() raised {type(error).__name__}: {error}"
            ) from error
        if not isinstance(value, bytes):
            raise ScriptError(f"{self._path}: {name}() returns bytes, not {type(value).__name__}")
        return value


class _EndsRelay:
    """An `Edit` whose failure ends the relay: the terminal finds the card gone, no made-up answer.

    What the hook's error says may hold the command: it goes to the user, never into the trace.
    """

    def __init__(self, hook: "Edit", end: Callable[[SscardError], None]) -> None:
        self._hook = hook
        self._end = end

    def command(self, apdu: bytes) -> bytes:
        """Return what the card is given."""
        return self._of_hook(self._hook.command, apdu)

    def response(self, command: bytes, response: bytes) -> bytes:
        """Return what the terminal is given."""
        return self._of_hook(self._hook.response, command, response)

    def _of_hook(self, function: Callable[..., bytes], *given: bytes) -> bytes:
        from sscard.transport.port import CardRemoved

        try:
            return function(*given)
        except ScriptError as error:
            self._end(error)
            raise CardRemoved(f"the hook failed in {function.__name__}()") from error


def _line(error: BaseException, path: Path) -> int:
    """The last line of a file that an error came through; 0 if it did not."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno or 0 for frame in frames[::-1] if frame.filename == str(path)), 0)


def load_hook(path: Path) -> "Edit":
    """Return the hook in a file.

    Errors: ScriptError when it cannot be run or has neither function; OSError without the file.
    """
    path.stat()
    try:
        names = runpy.run_path(str(path))
    except Exception as error:
        raise ScriptError(f"{path}: {type(error).__name__}: {error}") from error
    functions = {
        name: value
        for name, value in names.items()
        if name in ("command", "response") and callable(value)
    }
    if not functions:
        raise ScriptError(
            f"{path} has no function command(apdu) and none response(command, response)"
        )
    return _Hook(path, functions)


def _tell(card: str, reader: str, environment: dict[str, str], *, json: bool) -> None:
    if json:
        write_json({"card": card, "reader": reader, "environment": environment})
        return
    stdout().print(f"The card of {card} answers in {reader}.")
    for name, value in environment.items():
        stdout().print(f"    export {name}={value}")
    note("Ctrl-C ends the relay.")
