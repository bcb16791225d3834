"""The issuer's steps: ARPC, scripts, an approval that settles all (pse-pboc 4.7, 4.8, 5.6).

All of them want the bank's keys, and a card that proved with a cryptogram that they are its own.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys.vault import BankCard, BankVault, VaultError
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.pse.application import Application, application
from sscard.testing.conformance.pse.deal import BAD, Hypothesis, Phase
from sscard.testing.conformance.pse.holder import Verify, other_digits
from sscard.testing.conformance.pse.prediction import settled
from sscard.testing.conformance.pse.switches import Answer, expected
from sscard.testing.conformance.pse.transaction import TC, Enter, Generate, Options

__all__ = [
    "APPROVED",
    "Arpc",
    "ChangePin",
    "Keys",
    "Script",
    "Settle",
    "Unblock",
    "issuer_of",
    "missing_keys",
]

APPROVED = "00"
_LEGAL = (Phase.ONLINE, Phase.OPEN, Phase.SCRIPT)
_COUNT_MAX = 15
_MAC = 4
_IA = 0x04
_CARD_BLOCK = "84160000"
_WRONG = ("bit", "data", "old")
_PIN_FORMS = ("pse_pin_change_roles", "pse_pin_change_key")


def missing_keys(bench: Bench) -> str:
    """Return why the bank's keys cannot be used; "" when they can."""
    if bench.issuer is None:
        return "needs the bank's keys: no vault was given"
    return application(bench).distrust


def issuer_of(bench: Bench) -> tuple[BankVault, BankCard]:
    """Return keys and card. Errors: `NotRun` without keys, or if the card proved others."""
    card = application(bench).bank_card
    if (reason := missing_keys(bench)) or bench.issuer is None or card is None:
        raise NotRun(reason or "the card's PAN cannot be read")
    return bench.issuer, card


def _left_blocked(bench: Bench) -> str:
    spent = application(bench).spent
    return "the PIN has no tries left, and is left as it was found" if spent else ""


@dataclass(frozen=True, slots=True)
class Arpc:
    """EXTERNAL AUTHENTICATE over the first cryptogram.

    `form`: right; first, last (a bit of that byte is wrong); arc (made for another ARC); old
    (of the transaction before); short, long (a byte less, more).
    """

    form: str = "right"
    arc: str = APPROVED
    answer: Answer = 0x9000

    @property
    def title(self) -> str:
        """What the step does."""
        return f"EXTERNAL AUTHENTICATE, ARPC {self.form}, ARC {self.arc}"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return missing_keys(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        vault, card = issuer_of(bench)
        app = application(bench)
        deal = app.deal
        if not deal.aip[0] & _IA and deal.phase != Phase.OPEN:
            raise NotRun(f"the AIP {deal.aip.hex().upper()} has no issuer authentication")
        ac1 = deal.ac1 or bytes(8)
        other = "05" if self.arc == APPROVED else APPROVED
        right = vault.arpc(card, deal.atc, ac1, other if self.form == "arc" else self.arc)
        made = {
            "first": bytes((right[0] ^ 0x80, *right[1:])),
            "last": right[:-1] + bytes((right[-1] ^ 0x01,)),
            "old": app.last_arpc,
            "zeros": bytes(8),
        }.get(self.form, right)
        app.last_arpc = right
        data = made + self.arc.encode("ascii")
        data = {"short": data[:-1], "long": data + b"\0"}.get(self.form, data)
        reply = bench.exchange(
            self.title, Command(0x00, 0x82, 0x00, 0x00, data), expected(bench, self.answer)
        )
        if reply.sw == SW.OK:
            deal.issuer = self.arc
        elif reply.sw in (SW.AUTHENTICATION_FAILED, SW.CONDITIONS) and deal.phase in (
            Phase.ONLINE,
            Phase.OPEN,
        ):
            deal.issuer = BAD


Data = bytes | Callable[[Bench], bytes]
"""A script's data, or how they are made for this card."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script command of `header` CLA INS P1 P2 in hex, with its MAC.

    `spoil`: bit (a bit of the MAC is wrong), data (another command's MAC), old (that of the
    transaction before), none (no MAC), long (eight bytes), longer (a byte of data more). `silent`:
    a card must refuse it before it looks at the MAC, which is zeros when there are no keys, and
    for CARD BLOCK always.
    `unknown`: PUT DATA of a tag that is refused before the MAC, and does not count.
    """

    title: str
    header: str
    data: Data = b""
    answer: Answer = 0x9000
    spoil: str = ""
    silent: bool = False
    unknown: bool = False

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        if self.silent:
            return ""
        if self.header == _CARD_BLOCK and application(bench).careless:
            return "the card takes scripts with wrong MACs: CARD BLOCK is not sent"
        gives_tries = self.header.startswith("8424") and not self.spoil
        return missing_keys(bench) or (_left_blocked(bench) if gives_tries else "")

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        data = self.data if isinstance(self.data, bytes) else self.data(bench)
        cla, ins, p1, p2 = bytes.fromhex(self.header)
        data += b"\0" if self.spoil == "longer" else b""
        mac = self._mac(bench, app, bytes((cla, ins, p1, p2)), data)
        command = Command(cla, ins, p1, p2, data + mac)
        reply = bench.transmit(command)
        app.careless = app.careless or (self.spoil in _WRONG and reply.sw == SW.OK)
        bench.judge(self.title, command, reply, expected(bench, self.answer))
        _remember(app, reply.sw, ins, uncounted=self.unknown or reply.sw == SW.WRONG_LENGTH)

    def _mac(self, bench: Bench, app: Application, head: bytes, data: bytes) -> bytes:
        if self.spoil in ("none", "long"):
            return b"" if self.spoil == "none" else bytes(8)
        keyless = missing_keys(bench) or app.bank_card is None or not app.deal.ac1
        if self.silent and (keyless or self.header == _CARD_BLOCK):
            return bytes(_MAC)
        vault, card = issuer_of(bench)
        deal = app.deal
        header = head + bytes((len(data) + _MAC,))
        covered = data + b"\x01" if self.spoil == "data" else data
        atc = deal.atc - 1 if self.spoil == "old" else deal.atc
        mac = vault.script_mac(card, atc, deal.ac1, header, covered)
        return bytes((mac[0] ^ 0x01, *mac[1:])) if self.spoil == "bit" else mac


def _remember(app: Application, sw: SW, ins: int, *, uncounted: bool) -> None:
    """What the card notes of a script (5.6)."""
    deal = app.deal
    taken = deal.phase in _LEGAL and deal.issuer != BAD and not deal.scripts_over
    if not taken:
        return
    counted = deal.phase == Phase.SCRIPT and not uncounted
    deal.scripts_over = deal.scripts_over or sw == SW.SM_WRONG
    app.known = [_after(known, counted=counted, failed=sw != SW.OK) for known in app.known]
    if sw == SW.OK and ins in (0x1E, 0x18):
        deal.blocked = ins == 0x1E


def _after(known: Hypothesis, *, counted: bool, failed: bool) -> Hypothesis:
    state = dict(known.state)
    state["scc"] = min(_COUNT_MAX, state["scc"] + counted)
    state["scf"] = state["scf"] | failed
    return Hypothesis(known.rules, state)


@dataclass(frozen=True, slots=True)
class ChangePin:
    """PIN CHANGE to the holder's PIN ("PIN") or another one ("new"); `current` the same way.

    P2 and mask are what the vault knows of the card (`CardForms`). Where nobody told the bench
    of them, the other P2 is tried after 6A80, and 6A80 to both says nothing of the card.
    Errors: `NotRun` then, and without the key for PINs.
    """

    new: str
    current: str = ""
    title: str = "PIN CHANGE"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return missing_keys(bench) or _left_blocked(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        vault, card = issuer_of(bench)
        atc = application(bench).deal.atc
        try:
            stored = vault.stored_pin(card, _digits(bench, self.new))
            held = vault.stored_pin(card, _digits(bench, self.current)) if self.current else b""
            p2, block = vault.pin_change(card, atc, stored, held)
        except VaultError as error:
            raise NotRun(f"the vault cannot make a PIN CHANGE: {error}") from error
        told = all(name in bench.switches for name in _PIN_FORMS)
        accepted: Answer = 0x9000 if told else (0x9000, 0x6A80)
        for form in (p2, p2 ^ 0x03):
            Script(self.title, f"842400{form:02X}", block, accepted).run(bench)
            if not bench.log[-1].answer.startswith("6A80"):
                return
        raise NotRun(f"the card takes no PIN CHANGE of this bank: tell {' and '.join(_PIN_FORMS)}")


def _digits(bench: Bench, name: str) -> str:
    return bench.bank_pin if name == "PIN" else other_digits(bench.bank_pin)


class Keys:
    """Nothing is sent: the case is about what only the bank's keys can tell."""

    __slots__ = ()
    title = "the bank's keys"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return missing_keys(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        if reason := missing_keys(bench):
            raise NotRun(reason)


@dataclass(frozen=True, slots=True)
class Settle:
    """An online transaction that the issuer approves: what the card remembers is cleared.

    As a step of its own it wants keys; `if_possible` does nothing without them, to put a card
    back. Source: pse-pboc 5.4, reset-all.
    """

    if_possible: bool = False
    title: str = "settle everything by an approval of the issuer"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return "" if self.if_possible else self._hindered(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        if self.if_possible and self._hindered(bench):
            return
        bench.reset()
        for step in (Enter(), Options(), Generate()):
            step.run(bench)
        if app.deal.answers != ["ARQC"]:
            raise NotRun(f"the card declines an online request: tries left {app.tries}")
        if app.deal.aip[0] & _IA:
            Arpc().run(bench)
        Generate(TC, APPROVED, only="TC").run(bench)
        app.known = settled(bench, app)
        app.refresh(bench)
        last = app.elements.get(0x9F13, b"").hex().upper()
        wrong = "" if last == f"{app.deal.atc:04X}" else f"{last}, not {app.deal.atc:04X}"
        bench.require("9F13 is the ATC of this transaction", wrong)

    @staticmethod
    def _hindered(bench: Bench) -> str:
        app = application(bench)
        spent = "the PIN has no tries left: the card declines" if app.tries == 0 else ""
        return missing_keys(bench) or app.unfit or app.blocked or spent


@dataclass(frozen=True, slots=True)
class Unblock:
    """Put an application back into use: PIN UNBLOCK and APPLICATION UNBLOCK, where they are due.

    A PIN that had no tries left before the suite began stays as it was found. `if_possible` does
    nothing without keys.
    """

    if_possible: bool = False
    title: str = "unblock what the case blocked"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return "" if self.if_possible else missing_keys(bench)

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        if self.if_possible and missing_keys(bench):
            return
        bench.reset()
        Enter().run(bench)
        if not app.deal.blocked and (app.tries != 0 or app.spent):
            return
        Options(blocked=True).run(bench)
        self._keep_the_door_open(bench, app)
        Generate(name="first GENERATE AC, to unblock").run(bench)
        if app.deal.blocked:
            Script("APPLICATION UNBLOCK", "84180000").run(bench)
        if app.tries == 0 and not app.spent:
            Script("PIN UNBLOCK", "84240000").run(bench)
        app.known = []
        app.refresh(bench)

    @staticmethod
    def _keep_the_door_open(bench: Bench, app: Application) -> None:
        """A VERIFY keeps the card from declining for the PIN's sake (5.3 #12)."""
        if app.tries == 0 and not Verify().missing(bench):
            Verify(answer=0x6984).run(bench)
