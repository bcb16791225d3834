"""The social terminal: one card after another, from reset to removal (ssse-lb002 8, 5.3).

It reads the environment, checks the card, authenticates both sides, and serves: files, PIN,
settlement, orders of the centre. The card behind the port may have a bank function or not; the
terminal never looks. Who computes is the `source`: a PSAM in the second slot, or a vault.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from secrets import token_bytes
from typing import Protocol, Self

from sscard.errors import SscardError
from sscard.iso.sw import SW
from sscard.keys.vault import CardIdentity
from sscard.spec.online import (
    Action,
    ActionKind,
    ActionResult,
    Report,
    Verdict,
)
from sscard.terminal import files, medical, pin
from sscard.terminal.checks import CheckResult, Outcome, Policy, validity
from sscard.terminal.crypto_source import CryptoSource
from sscard.terminal.environment import Environment, read_environment
from sscard.terminal.errors import ApduError, CardRejected, RightMissing, SettlementFailed
from sscard.terminal.files import Contents, LineProtection, file_named, file_names
from sscard.terminal.medical import Area, LoadHost, Receipt
from sscard.terminal.records import Value, join_name
from sscard.terminal.stack import Hook, LePolicy, channel
from sscard.terminal.visit import Dialect, Visit
from sscard.transport.port import Port

__all__ = ["Centre", "Holder", "SocialTerminal"]

_HOLDER = "SSSE/EF06"
_NUMBER, _NAME, _EXTENSION, _SEX, _GROUP, _BIRTHPLACE, _BIRTH = (
    *(0x08, 0x09, 0x4E, 0x0A, 0x0B, 0x0C, 0x0D),
)


class Centre(Protocol):
    """A centre that decides on line (ssse-lb002 8, step 4)."""

    def decide(self, report: Report) -> Verdict:
        """Return whether the card may be served, and what to do to it."""
        ...

    def confirm(self, report: Report, results: tuple[ActionResult, ...]) -> None:
        """Hear what came of the orders."""
        ...


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom the card was issued to: EF06 (ssse-lb002 2.3)."""

    number: str
    name: str
    sex: str
    ethnic_group: str
    birthplace: str
    born: date | None


class SocialTerminal:
    """A terminal with one card in it.

    Resets the card and reads its environment. `region` is the six digits of where the terminal
    stands, for settlement; `policy` what it accepts. With `atr`, which another terminal has
    read, the card is taken as it stands. Usable as a context manager, which closes
    the port of the card (the source is the caller's). Errors: `OtherCard` for a card without
    the environment, `TerminalError` for one that is locked.
    """

    def __init__(
        self,
        port: Port,
        source: CryptoSource,
        policy: Policy,
        *,
        region: str = "",
        dialect: Dialect | None = None,
        hook: Hook | None = None,
        case_4_le: LePolicy = LePolicy.KEEP,
        random: Callable[[int], bytes] = token_bytes,
        atr: bytes | None = None,
    ) -> None:
        self._port = port
        self._policy = policy
        self._region = region
        self.results: tuple[CheckResult, ...] = ()
        atr = port.reset() if atr is None else atr
        line = channel(port, hook=hook, case_4_le=case_4_le)
        environment = read_environment(line, atr)
        self.visit = Visit(line, source, environment, dialect or Dialect(), random)

    # ---- the card ----

    @property
    def environment(self) -> Environment:
        """What was read after the reset."""
        return self.visit.environment

    def check(self) -> tuple[CheckResult, ...]:
        """Make the validity checks of ssse-lb002 8 in their order; return them all.

        Errors: `KeyNotHeld` when the source cannot judge the card.
        """
        visit, environment = self.visit, self.environment

        def code_mac() -> bytes | None:
            return visit.source.card_id_mac(visit.identity, environment.code)

        self.results = tuple(
            validity(
                environment,
                self._policy,
                genuine=visit.authenticate_card,
                code_mac=code_mac,
                holder=self._free_holder_number(),
            )
        )
        return self.results

    def accept(self) -> Environment:
        """Check the card and go on only if every check passed.

        Errors: `CardRejected` naming the first that did not.
        """
        for result in self.check():
            if result.outcome is Outcome.FAILED:
                raise CardRejected(f"{result.check}: {result.detail or 'failed'}")
        return self.environment

    def _free_holder_number(self) -> str:
        """Return 社会保障号码 where nothing has to be proved for it, for the blacklist."""
        if not self.environment.readable:
            return ""
        _, file = file_named(self.visit.table, _HOLDER)
        if file.read != "F":
            return ""
        try:
            value = files.read(self.visit, _HOLDER).value(_NUMBER)
        except (ApduError, KeyError):
            return ""
        return value if isinstance(value, str) else ""

    # ---- files ----

    def read(self, name: str) -> Contents:
        """Read a file, "DF01/EF06": see `files.read`."""
        return files.read(self.visit, name)

    def read_all(self) -> tuple[Contents, ...]:
        """Read every file that this terminal may read of this card, in the tables' order."""
        found = []
        for name in file_names(self.visit.table):
            try:
                found.append(self.read(name))
            except RightMissing:
                continue
            except ApduError as error:
                if error.sw not in (SW.FILE_NOT_FOUND, SW.SECURITY_STATUS):
                    raise
        return tuple(found)

    def holder(self) -> Holder:
        """Read EF06. Errors: as `read`."""
        found = {field.item.tag: field.value for field in self.read(_HOLDER).fields}
        born = found.get(_BIRTH)
        return Holder(
            _text(found.get(_NUMBER)),
            join_name(found.get(_NAME), found.get(_EXTENSION)),
            _text(found.get(_SEX)),
            _text(found.get(_GROUP)),
            _text(found.get(_BIRTHPLACE)),
            born if isinstance(born, date) else None,
        )

    def update(
        self,
        name: str,
        values: Mapping[int | tuple[int, int], Value],
        *,
        protection: LineProtection = LineProtection.NONE,
    ) -> None:
        """Update items of a file: see `files.write`. The card must have proved itself."""
        self.visit.require_genuine()
        files.write(self.visit, name, values, protection=protection)

    def append(
        self,
        name: str,
        values: tuple[Value, ...],
        *,
        protection: LineProtection = LineProtection.NONE,
    ) -> None:
        """Put a row into a cyclic file: see `files.write_row`."""
        self.visit.require_genuine()
        files.write_row(self.visit, name, values, protection=protection)

    # ---- the holder ----

    def verify_pin(self, digits: str) -> None:
        """See `pin.verify`."""
        pin.verify(self.visit, digits)

    def pin_tries_left(self) -> int:
        """See `pin.tries_left`."""
        return pin.tries_left(self.visit)

    def change_pin(self, old: str, new: str) -> None:
        """See `pin.change`."""
        pin.change(self.visit, old, new)

    def reload_pin(self, new: str) -> None:
        """See `pin.reload`."""
        pin.reload(self.visit, new)

    def unblock_pin(self) -> None:
        """See `pin.unblock`."""
        pin.unblock(self.visit)

    # ---- money ----

    @property
    def area(self) -> Area:
        """Where the card's insurance is, seen from here."""
        return Area.of(self.environment.region, self._region)

    def balance(self) -> int:
        """See `medical.balance`."""
        return medical.balance(self.visit)

    def load(self, host: LoadHost, amount_fen: int, at: datetime) -> int:
        """See `medical.load`."""
        return medical.load(self.visit, host, amount_fen, at)

    def settle(self, amount_fen: int, at: datetime, centre: Centre | None = None) -> Receipt:
        """Settle a bill: from the account in the holder's area, through the centre elsewhere.

        Outside its city, a card's account is debited too where the terminal has a key that
        reaches it: the area is the province then, and only beyond it the centre's. Errors:
        `SettlementFailed` when the centre refuses or is missing; others as `medical.debit`.
        """
        if self.area is not Area.ELSEWHERE:
            return medical.debit(self.visit, amount_fen, at, self.area)
        self.visit.require_genuine()
        if not self.visit.pin:
            raise RightMissing("a settlement wants the holder's PIN")
        if self.visit.initial_pin:
            raise pin.InitialPin("the initial PIN opens no transaction: change it first")
        if centre is None:
            raise SettlementFailed("the holder's insurance is elsewhere: it takes the centre")
        verdict = centre.decide(self.report(amount_fen))
        if not verdict.allowed:
            raise SettlementFailed(f"the centre refuses: {verdict.reason}")
        return Receipt(amount_fen, at, self.area, reference=verdict.reference)

    def recover(self, begun: Receipt) -> Receipt | None:
        """See `medical.recover`."""
        return medical.recover(self.visit, begun)

    # ---- the centre ----

    def report(self, amount_fen: int | None = None) -> Report:
        """Return what the centre is told of this card."""
        card = self.environment
        return Report(
            card.code,
            card.number,
            card.historical,
            tuple((result.check.value, result.outcome.value) for result in self.results),
            tuple((name, int(sw)) for name, sw in self.visit.words),
            self.visit.proof,
            amount_fen,
        )

    def go_online(self, centre: Centre) -> Verdict:
        """Ask the centre, carry out its orders, tell it what came of them; return its verdict.

        An order that the card refuses is told with its status word and does not stop the next;
        one that this terminal cannot carry out at all is told as 0000.
        """
        report = self.report()
        verdict = centre.decide(report)
        if verdict.region and not self.environment.region:
            self.visit.identity = CardIdentity(verdict.region, self.environment.historical[-8:])
        if verdict.actions:
            centre.confirm(report, tuple(self._obey(action) for action in verdict.actions))
        return verdict

    def _obey(self, action: Action) -> ActionResult:
        try:
            self._carry_out(action)
        except ApduError as error:
            return ActionResult(action.kind, int(error.sw))
        except (SscardError, ValueError):
            return ActionResult(action.kind, 0)
        return ActionResult(action.kind, int(SW.OK))

    def _carry_out(self, action: Action) -> None:
        match action.kind:
            case ActionKind.PIN_RELOAD:
                self.reload_pin(action.pin)
            case ActionKind.PIN_UNBLOCK:
                self.unblock_pin()
            case ActionKind.APPLICATION_BLOCK:
                self.visit.block(action.directory, permanent=action.permanent)
            case ActionKind.APPLICATION_UNBLOCK:
                self.visit.unblock(action.directory)
            case ActionKind.CARD_BLOCK:
                self.visit.block_card()
            case ActionKind.UPDATE:
                self.update(action.file, {(action.tag, action.nth): action.value})

    # ---- the end ----

    def close(self) -> None:
        """Let the card go."""
        self._port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""
