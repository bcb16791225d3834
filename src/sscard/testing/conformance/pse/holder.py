"""VERIFY in the bank application: plain and enciphered, right, wrong and malformed (2.4, 4.10)."""

from dataclasses import dataclass

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import pboc
from sscard.terminal.bank.certificates import NotAuthentic
from sscard.terminal.bank.errors import BadCardData
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Expect
from sscard.testing.conformance.pse.application import Application, application, get_data
from sscard.testing.conformance.pse.deal import Deal
from sscard.testing.conformance.pse.oda import enciphered, key_of_the_pin
from sscard.testing.conformance.pse.switches import Answer, expected
from sscard.testing.models.pse_risk import Bits

__all__ = ["PIN", "Tries", "Verify", "missing_pin", "other_digits"]

PIN = "bank PIN"
_ENCIPHERED_CODES = (0x04, 0x05)
_TRIES_MIN = 2


def missing_pin(bench: Bench) -> str:
    """Return why the PIN cannot be given; "" when it can."""
    if not bench.bank_pin:
        return "needs the PIN of the bank application: it was not given"
    if PIN in bench.refused:
        return f"the PIN was refused in {bench.refused[PIN]}: not tried again"
    if application(bench).tries is None and not application(bench).card_blocked:
        return "the card shows no PIN (9F17)"
    return ""


def other_digits(digits: str) -> str:
    """Return another PIN of the same length."""
    return "".join(str((int(digit) + 3) % 10) for digit in digits)


@dataclass(frozen=True, slots=True)
class Verify:
    """VERIFY with a `form` of the PIN: right, wrong, control, filler, length, or new (another PIN).

    Without an `answer` the right form must pass, a wrong one must cost a try; the try counter
    is read afterwards. `cipher` "right" enciphers the block, "stale" over a challenge used up,
    "spoilt" with another filler in front.
    """

    form: str = "right"
    answer: Answer | None = None
    cipher: str = ""
    title: str = "VERIFY"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        spent = self.answer is None and application(bench).tries == 0
        return missing_pin(bench) or ("the PIN has no tries left" if spent else "")

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        if reason := missing_pin(bench):
            raise NotRun(reason)
        app = application(bench)
        before = app.tries or 0
        if self.form not in ("right", "new") and self.answer is None and before < _TRIES_MIN:
            raise NotRun(f"the PIN has {before} tries left: none is burnt")
        title = f"{self.title} ({self.form}{', enciphered' if self.cipher else ''})"
        command = Command(0x00, 0x20, 0x00, 0x80, _block(bench.bank_pin, self.form))
        if self.cipher:
            command = self._enciphered(bench, app)
        reply = bench.transmit(command)
        if self.form == "right" and not self.cipher and self.answer is None and reply.sw != SW.OK:
            bench.refused[PIN] = "this run"
        expect = self._expect(bench, before)
        bench.judge(title, command, reply, expect)
        self._after(bench, app, reply.sw, before)

    def _expect(self, bench: Bench, before: int) -> Expect:
        if self.answer is not None:
            return expected(bench, self.answer)
        if self.form in ("right", "new") and self.cipher in ("", "right"):
            return Expect()
        return Expect((0x63C0 | before - 1,))

    def _after(self, bench: Bench, app: Application, sw: SW, before: int) -> None:
        held = get_data(bench, 0x9F17)
        tries = held[0] if held else -1
        limit = bench.kept.get("limit", b"")
        if sw == SW.OK:
            wrong = f"{tries}, not {limit[0]}" if limit and tries != limit[0] else ""
            bench.require("all tries are back", wrong)
            bench.kept["limit"] = bytes((max(tries, 0),))
        elif sw >> 4 == 0x63C:
            wrong = "" if tries == before - 1 == sw & 0xF else f"{tries} after {before}"
            bench.require("9F17 shows a try less", wrong)
        else:
            bench.require("9F17 shows no try less", "" if tries == before else f"{tries}")
        app.elements[0x9F17] = bytes((max(tries, 0),))
        _note(app.deal, app, sw)

    def _enciphered(self, bench: Bench, app: Application) -> Command:
        codes = app.tags.get(0x8E, b"")[8::2]
        if not any(code & 0x3F in _ENCIPHERED_CODES for code in codes):
            raise NotRun("the CVM list asks for no enciphered PIN")
        try:
            key = key_of_the_pin(bench, app)
        except (NotAuthentic, BadCardData) as error:
            raise NotRun(f"the key for PINs is not known: {error}") from error
        challenge = bench.challenge()
        if self.cipher == "stale":
            bench.challenge()
        data = enciphered(key, _block(bench.bank_pin, self.form), challenge)
        if self.cipher == "spoilt":
            data = data[:-1] + bytes((data[-1] ^ 0x01,))
        return Command(0x00, 0x20, 0x00, 0x88, data)


def _block(digits: str, form: str) -> bytes:
    block = pboc.pin_block(other_digits(digits) if form in ("wrong", "new") else digits)
    spoilt = {
        "control": bytes((block[0] ^ 0x10, *block[1:])),
        "filler": block[:-1] + b"\xf0",
        "digits": bytes((0x2D, *block[1:])),
        "length": block[:-1],
    }
    return spoilt.get(form, block)


def _note(deal: Deal, app: Application, sw: SW) -> None:
    """What the card's CVR says of this VERIFY (2.4)."""
    if sw not in (SW.OK, SW(0x6983), SW(0x6984)) and sw >> 4 != 0x63C:
        return
    bits = Bits(deal.cvr)
    bits.put(2, 3)
    bits.put(2, 2, value=sw != SW.OK)
    if sw != SW.OK and not app.tries:
        bits.put(3, 7)
        deal.exceeded = deal.exceeded or sw >> 4 == 0x63C
        ada = app.elements.get(0x9F52, b"\0\0")
        if sw >> 4 == 0x63C and ada[1] & 0x80:
            bits.put(3, 2)
            deal.blocked = True
    if sw == SW.OK:
        deal.exceeded = False
    deal.cvr = bits.raw


@dataclass(frozen=True, slots=True)
class Tries:
    """GET DATA 9F17: as many tries as before, or `less` of them."""

    less: int = 0
    title: str = "the PIN try counter"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        held = get_data(bench, 0x9F17)
        before = bench.kept.get("limit", b"\0")[0]
        seen = held[0] if held else -1
        wrong = f"{seen}, not {before - self.less}" if seen != before - self.less else ""
        bench.require(self.title, wrong)
