"""`ACCOUNT`: the medical account of DF04, where money ends as it began (ssse-lb002 3.10).

A purchase of nothing is a purchase: it counts, leaves a record in the log, and proves MAC1, MAC2
and the order of the commands, while the balance stays. The one fen that a load brings, which
takes the holder of DLK, a purchase spends again. A card without an account says so to GET BALANCE,
and no case is run.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sscard.iso.apdu import Command
from sscard.keys.purse import Transaction
from sscard.terminal.crypto_source import LoadRequest, PurchaseRequest, VaultSource, named_key
from sscard.terminal.errors import KeyNotHeld, SettlementFailed
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import DONE, Case, Effect, Expect, Form, Step
from sscard.testing.conformance.ssse.commands import enter
from sscard.testing.conformance.steps import Examine, Pin, Reset, Send

__all__ = ["account_cases"]

_SOURCE = "ssse-lb002 3.10; pse-pboc 8"
_ACCOUNTS = {"deposit": 0x01, "purse": 0x02}
_ABSENT = "the card has no medical account"
_TERMINAL = bytes.fromhex("999901000001")
_MOMENT = bytes.fromhex("20260701103000")
_DPK, _DLK = named_key("DPK@DF04"), named_key("DLK@DF04")
_OTHER_KEYS = "the account's keys are of another algorithm"
_NO_PIN, _ORDER = Expect.of(0x6982), Expect((0x6985, 0x6901))
_BEGUN, _LOAD_BEGUN = Form(length=15), Form(length=16)


def account_cases() -> Iterator[Case]:
    """Yield the cases of the account."""
    here, balance = enter("DF04"), Balance()
    spent: tuple[Step, ...] = (Reset(), *here, Pin(), SpendBack())

    def case(
        name: str,
        title: str,
        why: str,
        *steps: Step,
        effect: Effect = Effect.SAFE,
        restore: tuple[Step, ...] | None = None,
    ) -> Case:
        usual: tuple[Step, ...] = (*here, Pin()) if effect is Effect.TRIES else ()
        return Case(
            f"ACCOUNT/{name}", title, _SOURCE, why, (*here, *steps), effect, "DF04",
            usual if restore is None else restore,
        )  # fmt: skip

    yield case(
        "balance",
        "GET BALANCE after the PIN",
        "Four bytes; the same twice.",
        Pin(),
        Balance(keep="first"),
        Balance(keep="second"),
        Examine("the balance stays", _same),
    )
    yield case(
        "pin",
        "balance and transactions want the PIN",
        "6982.",
        Balance(_NO_PIN),
        Initialize("INITIALIZE FOR LOAD", 0x00, expect=_NO_PIN),
        Initialize("INITIALIZE FOR PURCHASE", 0x01, expect=_NO_PIN),
    )
    yield case(
        "key-index",
        "INITIALIZE with a key index that is not there",
        "9403.",
        Pin(),
        balance,
        Initialize("INITIALIZE FOR LOAD, index 7E", 0x00, index=0x7E, expect=Expect.of(0x9403)),
        Initialize("INITIALIZE FOR PURCHASE, index 7E", 0x01, index=0x7E, expect=Expect.of(0x9403)),
    )
    yield case(
        "funds",
        "INITIALIZE FOR PURCHASE of more than there is",
        "9401.",
        Pin(),
        balance,
        Initialize("INITIALIZE FOR PURCHASE", 0x01, amount=0xFFFFFFFF, expect=Expect.of(0x9401)),
    )
    yield case(
        "order",
        "DEBIT and CREDIT without INITIALIZE, or with another command in between",
        "6985 (or 6901): only the very next command completes a transaction.",
        Pin(),
        balance,
        Send("DEBIT FOR PURCHASE", _debit(), _ORDER),
        Send("CREDIT FOR LOAD", Command(0x80, 0x52, 0x00, 0x00, bytes(11), 256), _ORDER),
        Initialize("INITIALIZE FOR PURCHASE", 0x01, expect=Expect(form=_BEGUN)),
        balance,
        Send("DEBIT FOR PURCHASE", _debit(), _ORDER),
        effect=Effect.TRIES,  # a card that lets it pass compares MAC1, and may count
    )
    yield case(
        "wrong-mac1",
        "DEBIT with a wrong MAC1",
        "9302, the transaction is over and the balance what it was.",
        Pin(),
        Balance(keep="first"),
        Initialize("INITIALIZE FOR PURCHASE", 0x01, expect=Expect(form=_BEGUN)),
        Send("DEBIT FOR PURCHASE", _debit(), Expect.of(0x9302)),
        Send("DEBIT FOR PURCHASE again", _debit(), _ORDER),
        Balance(keep="second"),
        Examine("the balance stays", _same),
        effect=Effect.TRIES,
    )
    yield case(
        "wrong-mac2",
        "CREDIT with a wrong MAC2",
        "9302, the transaction is over and the balance what it was.",
        Pin(),
        Balance(keep="first"),
        Initialize("INITIALIZE FOR LOAD", 0x00, amount=1, expect=Expect(form=_LOAD_BEGUN)),
        Send("CREDIT FOR LOAD", _credit(bytes(4)), Expect.of(0x9302)),
        Send("CREDIT FOR LOAD again", _credit(bytes(4)), _ORDER),
        Balance(keep="second"),
        Examine("the balance stays", _same),
        effect=Effect.TRIES,
        restore=spent,
    )
    yield case(
        "load",
        "a load of 0.01, spent by a purchase of 0.01",
        "MAC1 of the load is right, MAC2 is taken and a TAC comes; the balance rises by it and "
        "falls again. The number of loads rises by one.",
        Pin(),
        Balance(keep="first"),
        Load(),
        Balance(keep="raised"),
        Examine("the balance rose by one fen", _raised),
        Initialize("INITIALIZE FOR LOAD", 0x00, expect=Expect(form=_LOAD_BEGUN), keep="after"),
        Examine("the sequence number rose by one", _counted),
        Purchase(1, "DEBIT FOR PURCHASE of 0.01"),
        Balance(keep="second"),
        Examine("the balance is what it was", _same),
        effect=Effect.LASTING,
        restore=spent,
    )
    yield case(
        "purchase",
        "a purchase of 0.00 with the right MAC1",
        "TAC and MAC2 come, MAC2 is right; the sequence number rises by one, the balance stays.",
        Pin(),
        Balance(keep="first"),
        Purchase(),
        Balance(keep="second"),
        Examine("the balance stays", _same),
        Initialize("INITIALIZE FOR PURCHASE", 0x01, expect=Expect(form=_BEGUN), keep="after"),
        Examine("the sequence number rose by one", _counted),
        effect=Effect.LASTING,
    )


def _debit() -> Command:
    return Command(0x80, 0x54, 0x01, 0x00, bytes(4) + _MOMENT + bytes(4), 256)


def _credit(mac2: bytes) -> Command:
    return Command(0x80, 0x52, 0x00, 0x00, _MOMENT + mac2, 256)


def _account(bench: Bench) -> int:
    return _ACCOUNTS[bench.switches.get("medical_account", "deposit")]


@dataclass(frozen=True, slots=True)
class Balance:
    """GET BALANCE; 6D00 says that there is no account to look at."""

    expect: Expect = DONE
    keep: str = ""
    title: str = "GET BALANCE"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        command = Command(0x80, 0x5C, 0x00, _account(bench), le=4)
        form = Form(length=4) if self.expect is DONE else None
        expect = self.expect._replace(form=form, void=(0x6D00, _ABSENT))
        reply = bench.exchange(self.title, command, expect)
        if self.keep:
            bench.kept[self.keep] = reply.data


@dataclass(frozen=True, slots=True)
class Initialize:
    """INITIALIZE FOR LOAD (`p1` 00) or PURCHASE (01)."""

    title: str
    p1: int
    amount: int = 0
    index: int = 0x01
    expect: Expect = DONE
    keep: str = ""

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        data = bytes((self.index,)) + self.amount.to_bytes(4, "big") + _TERMINAL
        command = Command(0x80, 0x50, self.p1, _account(bench), data, 256)
        expect = self.expect._replace(void=(0x6A81, _OTHER_KEYS))
        reply = bench.exchange(self.title, command, expect)
        if self.keep:
            bench.kept[self.keep] = reply.data


@dataclass(frozen=True, slots=True)
class Load:
    """INITIALIZE FOR LOAD of 0.01, MAC1 checked and MAC2 made by the holder of DLK, CREDIT."""

    title: str = "CREDIT FOR LOAD of 0.01"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return bench.missing_key(_DLK)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        host, card = bench.source, bench.identity
        if card is None or not isinstance(host, VaultSource):
            raise NotRun("needs the holder of DLK: a vault")
        account, terminal = _account(bench), host.terminal_number()
        opening = b"\x01" + (1).to_bytes(4, "big") + terminal
        begin = Command(0x80, 0x50, 0x00, account, opening, 256)
        expect = Expect(form=_LOAD_BEGUN, void=(0x6A81, _OTHER_KEYS))
        told = bench.exchange("INITIALIZE FOR LOAD", begin, expect).data
        bench.kept["before"] = told
        opened = Transaction(1, account, terminal, _MOMENT)
        balance, sequence = int.from_bytes(told[:4], "big"), int.from_bytes(told[4:6], "big")
        request = LoadRequest(opened, balance, sequence, told[8:12], told[12:16])
        try:
            mac2 = host.authorise_load(card, request)
        except KeyNotHeld as error:
            raise NotRun(str(error)) from error
        except SettlementFailed as error:
            bench.require("MAC1", str(error), told)
            return
        bench.exchange(self.title, _credit(mac2), Expect(form=Form(length=4)))


@dataclass(frozen=True, slots=True)
class Purchase:
    """INITIALIZE FOR PURCHASE, MAC1 by the source, DEBIT, MAC2 checked by it."""

    amount: int = 0
    title: str = "DEBIT FOR PURCHASE of 0.00"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`. A PSAM makes MAC1 with a key it does not lend for anything else."""
        if bench.source is not None and bench.identity is not None and not bench.distrust:
            return ""
        return bench.missing_key(_DPK)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        source, card = bench.source, bench.identity
        if source is None or card is None:
            raise NotRun(self.missing(bench))
        terminal = source.terminal_number()
        account = _account(bench)
        opening = b"\x01" + self.amount.to_bytes(4, "big") + terminal
        begin = Command(0x80, 0x50, 0x01, account, opening, 256)
        expect = Expect(form=_BEGUN, void=(0x6A81, _OTHER_KEYS))
        told = bench.exchange("INITIALIZE FOR PURCHASE", begin, expect).data
        bench.kept["before"] = told
        opened = Transaction(self.amount, account + 4, terminal, _MOMENT)
        sequence = int.from_bytes(told[4:6])
        request = PurchaseRequest(opened, told[11:15], sequence, told[9], told[10])
        try:
            mac1 = source.purchase(card, request)
        except KeyNotHeld as error:
            raise NotRun(str(error)) from error
        data = mac1.number.to_bytes(4, "big") + _MOMENT + mac1.mac
        debit = Command(0x80, 0x54, 0x01, 0x00, data, 256)
        made = bench.exchange(self.title, debit, Expect(form=Form(length=8))).data
        try:
            source.settle(made[4:])
        except SettlementFailed as error:
            bench.require("MAC2", str(error), made)


@dataclass(frozen=True, slots=True)
class SpendBack:
    """Spend the fen that a case brought and, as it broke off, has not spent itself."""

    title: str = "DEBIT FOR PURCHASE of what was loaded"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        if "first" not in bench.kept:
            return
        Balance(keep="raised").run(bench)
        if not _raised(bench):
            Purchase(1, self.title).run(bench)


def _same(bench: Bench) -> str:
    first, second = bench.kept["first"], bench.kept["second"]
    return "" if first == second else f"it was {first.hex()}, and is {second.hex()}"


def _counted(bench: Bench) -> str:
    before, after = (int.from_bytes(bench.kept[name][4:6]) for name in ("before", "after"))
    return "" if after == before + 1 else f"it was {before}, and is {after}"


def _raised(bench: Bench) -> str:
    first, raised = (int.from_bytes(bench.kept[name], "big") for name in ("first", "raised"))
    return "" if raised == first + 1 else f"it was {first}, and is {raised}"
