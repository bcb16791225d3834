"""The debit application and its model in lockstep over random transactions.

`PseMachine` personalises a card of random risk data, then plays terminal and issuer: legal and
illegal orders, several transactions, power cuts, scripts good and bad, blocks. Whoever plays
holds the bank's keys, so that sequences come past ARPC and script MAC, and makes the mistakes
that are nearly right: one bit of a MAC, the MAC of another command, of the last transaction, an
ARPC over another ARC. A failure is told as an APDU script for tests/spec.

    class Referrals(PseMachine):
        settings = {"pse_approving_arcs": "strict"}

    TestReferrals = Referrals.TestCase

Like `machines` it imports `hypothesis`: install `sscard[test-kit]`. Source: pse-pboc 1 to 5.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from sscard.testing.card_machine import CardMachine
from sscard.testing.models.pse import PseModel, PsePolicy
from sscard.testing.pse_subjects import Bank, pse_subject
from sscard.testing.script import CardLine

__all__ = ["PSE_VARIANTS", "PseMachine", "Terms"]

SELECT_ADF: Final = "00A4040008A000000333010101"
_SELECTS: Final = (
    SELECT_ADF, SELECT_ADF, SELECT_ADF,
    "00A404000E315041592E5359532E4444463031",
    "00A4040007A0000003330101", "00A4040207A0000003330101", "00A4040208A000000333010101",
    "00A4040007A0000000031010", "00A4040004A0000003", "00A4040108A000000333010101",
    "00A4020002EF01", "00A40000023F00",
)  # fmt: skip
_ELEMENTS: Final = (
    "9F36", "9F13", "9F17", "9F4F", "9F51", "9F52", "9F53", "9F54", "9F56", "9F57", "9F58",
    "9F59", "9F5C", "9F72", "9F73", "9F75", "9F76", "9F77", "9F79",
)  # fmt: skip
_PREFIX: Final = "pse.df.DF01.dgi."
_LOG_FORMAT: Final = "9F4F199A039F21039F02069F03069F1A025F2A029F4E149C019F3602"
_MERCHANT: Final = b"TEST MERCHANT 000001".hex()

# --- what cards and terminals there are ------------------------------------------------------


def _element(tag: str, *values: str) -> st.SearchStrategy[str]:
    """A data element of one of the values, or none."""
    shown = [f"{tag}{len(value) // 2:02X}{value}" for value in values]
    return st.sampled_from(["", *shown, *shown, *shown])


def _risk_data() -> st.SearchStrategy[str]:
    amounts = ("000000000000", "000000000150", "000000000400", "000000100000")
    return st.tuples(
        _element("9F51", "0156", "0840"),
        st.one_of(
            st.sampled_from(("9F5202FFFC", "9F5202FF08", "9F52024600", "9F52020000", "")),
            st.integers(0, 0xFFFC).map(lambda ada: f"9F5202{ada:04X}"),
        ),
        _element("9F56", "80", "00"),
        _element("9F57", "0156"),
        _element("9F53", "00", "01", "02"),
        _element("9F72", "00", "01", "02"),
        _element("9F54", *amounts),
        _element("9F5C", *amounts),
        _element("9F75", *amounts),
        _element("9F58", "00", "02", "FF"),
        _element("9F59", "00", "03", "FF"),
        _element("9F76", "0840", "0978"),
        _element("9F73", "20000715", "00000002", "40000001"),
        _element("9F77", "000000050000"),
        _element("9F79", "000000010000"),
        st.sampled_from(("9F36020000", "9F36020000", "9F36020010", "9F3602FFFC")),
        st.sampled_from(("9F13020000", "9F13020001", "9F13020010")),
    ).map("".join)


def _profiles() -> st.SearchStrategy[dict[str, str]]:
    """Settings of a card: risk data, AIP, issuer data, log format, PDOL."""
    aips = ("7C00", "7C00", "7D00", "7D00", "5C00", "7800", "7900")
    discretionary = ("", "0A01", "0A02", "0F03", "0F04", "03A1B2C3")
    issuer = tuple(f"0701010300000001{data}" for data in discretionary)
    pdol = "A51C500A50424F432044454249548701019F38069F7A019F0206BF0C059F4D020B0A"
    pdol = f"A5{len(pdol) // 2 - 2:02X}{pdol[4:]}"
    return st.fixed_dictionaries(
        {
            "0E01": _risk_data(),
            "0D01": st.sampled_from((_LOG_FORMAT, _LOG_FORMAT, _LOG_FORMAT, "9F4F059F36029A03")),
            "9104": st.sampled_from(aips).map(lambda aip: f"8202{aip}940C080101001001020118010300"),
            "9200": st.sampled_from(issuer).map(lambda iad: f"9F10{len(iad) // 2:02X}{iad}"),
        },
        optional={"9102": st.just(pdol)},
    )


PSE_VARIANTS: Final = _profiles()
"""Random cards, as DGIs of the debit application."""


class Terms(NamedTuple):
    """What a terminal puts into a CDOL that the card looks at."""

    amount: int = 100
    currency: str = "0156"
    country: str = "0156"
    tvr: str = "0000008000"
    un: int = 0

    def data(self, arc: str = "") -> bytes:
        """Return CDOL1 data, or CDOL2 data with an ARC in hex."""
        return bytes.fromhex(
            f"{arc}{self.amount:012d}000000000000{self.country}{self.tvr}{self.currency}"
            f"26070100{self.un:08X}103045{_MERCHANT}"
        )


TERMS: Final = st.builds(
    Terms,
    amount=st.sampled_from((0, 1, 100, 100, 200, 999_999_999_999)),
    currency=st.sampled_from(("0156", "0156", "0840", "0978")),
    country=st.sampled_from(("0156", "0156", "0840")),
    tvr=st.sampled_from(("0000008000", "0000008000", "4000008000", "0800008000", "0400008000")),
    un=st.integers(0, 3),
)
_ARCS: Final = st.sampled_from(
    ("3030", "3030", "3030", "3130", "3131", "3031", "3035", "5931", "5933", "5A33", "FFFF")
)
_ARPCS: Final = st.sampled_from(("", "", "", "bit", "arc", "last", "Lc"))
_SPOILS: Final = st.sampled_from(("",) * 8 + ("bit", "other", "last", "short", "long"))
_PINS: Final = st.sampled_from(
    ("right", "right", "right", "wrong", "wrong", "malformed", "enciphered", "stale", "padding")
)
_SCRIPTS: Final = st.sampled_from(
    (
        "unblock", "unblock", "block", "pin", "new pin", "new pin over", "no pin", "limit", "limit",
        "amount", "balance", "unknown tag", "unreadable", "record", "longer record", "no record",
        "no file", "log",
    )
)  # fmt: skip
_ASKED: Final = st.sampled_from((0x80, 0x80, 0x80, 0x40, 0x40, 0x00, 0x90, 0x50))


class PseMachine(CardMachine):
    """A card of `profile` with `settings`, and the model of what it must do.

    Subclass it to try another card or to add rules; `send` is the one way to the card.
    """

    profile: ClassVar[str] = "pboc"
    settings: ClassVar[Mapping[str, Any]] = {}
    model: PseModel

    def prepare(self) -> None:
        """Nothing yet: Hypothesis says first which card it is."""

    @initialize(dgis=PSE_VARIANTS)
    def personalise(self, dgis: dict[str, str]) -> None:
        """Make a card of random risk data, and select its application."""
        changes = {f"{_PREFIX}{dgi}": value for dgi, value in dgis.items()}
        subject = pse_subject(self.profile, {**changes, **self.settings})
        self.card, self.bank = subject.card, self.banked(subject.bank)
        known = {n: v for n, v in self.settings.items() if n in PsePolicy.__dataclass_fields__}
        self.model = PseModel(subject.debit, self.bank, PsePolicy(**known))
        heading = CardLine(self.profile, tuple({**changes, **self.settings}.items()))
        self.insert(self.card.power_on(), heading)
        self.last_mac = self.last_arpc = bytes(8)
        self.challenge = b""
        self.send(SELECT_ADF, "SELECT")

    def banked(self, bank: Bank) -> Bank:
        """Return who computes what the model foresees; another library, if need be."""
        return bank

    # --- the terminal ---------------------------

    @rule(apdu=st.sampled_from(_SELECTS))
    def select(self, apdu: str) -> None:
        """SELECT the application, the directory, by parts of names, or what is not there."""
        self.send(apdu, "SELECT")

    @rule()
    def cut(self) -> None:
        """The power fails; the application is selected again."""
        self.restart()
        self.send(SELECT_ADF, "SELECT")

    @rule(form=st.sampled_from(("", "", "", "tag", "length", "inner", "P1")))
    def gpo(self, form: str) -> None:
        """GET PROCESSING OPTIONS with as much as the PDOL wants, or in a wrong form."""
        wanted = 7 if b"\x9f\x38" in self.model.debit.template else 0
        data = bytes((0x83, wanted)) + bytes(range(wanted))
        if form == "tag":
            data = b"\x80" + data[1:]
        elif form == "length":
            data += b"\0"
        elif form == "inner":
            data = bytes((0x83, wanted + 1)) + data[2:]
        self.command("80A80100" if form == "P1" else "80A80000", data, 256, "GPO")

    def open(self) -> None:
        """SELECT and GPO."""
        self.send(SELECT_ADF, "SELECT")
        self.gpo("")

    @rule(form=_PINS)
    def verify(self, form: str) -> None:
        """VERIFY, plain or enciphered."""
        pin = self.model.debit.pin or "123456"
        block = bytes.fromhex(f"2{len(pin):X}{pin}".ljust(16, "F"))
        wrong = bytes.fromhex("249999FFFFFFFFFF")
        if form in ("enciphered", "stale", "padding"):
            self.draw(8)
            challenge = bytes(8) if form == "stale" else self.challenge
            data = self.bank.encipher(block, challenge)
            data = data[:-1] + bytes((data[-1] ^ 1,)) if form == "padding" else data
            self.command("00200088", data, name="VERIFY enciphered")
            return
        block = {"wrong": wrong, "malformed": b"\x3f" + block[1:]}.get(form, block)
        self.command("00200080", block, name="VERIFY")

    @rule(length=st.sampled_from((8, 8, 4)))
    def draw(self, length: int) -> None:
        """GET CHALLENGE."""
        answer = self.send(bytes((0, 0x84, 0, 0, length)), "GET CHALLENGE")[:-2]
        self.challenge = answer.ljust(8, b"\0")

    @rule(un=st.binary(min_size=4, max_size=5))
    def dda(self, un: bytes) -> None:
        """INTERNAL AUTHENTICATE."""
        self.command("00880000", un, 256, "INTERNAL AUTHENTICATE")

    @rule(asked=st.one_of(_ASKED, st.sampled_from((0xC0, 0x48, 0xA1))), terms=TERMS, arc=_ARCS)
    def generate(self, asked: int, terms: Terms, arc: str) -> None:
        """GENERATE AC, with what its turn wants."""
        is_second = self.model.session.state == "ONLINE"
        data = terms.data(arc if is_second else "")
        self.command(f"80AE{asked:02X}00", data, 256, "GENERATE AC")

    @rule(asked=_ASKED, terms=TERMS, arc=_ARCS)
    @precondition(lambda self: self.model.session.state in ("INITIATED", "ONLINE"))
    def generate_in_the_wrong_form(self, asked: int, terms: Terms, arc: str) -> None:
        """GENERATE AC with the data of the other turn."""
        data = terms.data("" if self.model.session.state == "ONLINE" else arc)
        self.command(f"80AE{asked:02X}00", data, 256, "GENERATE AC")

    @rule(
        pin=st.sampled_from(("", "right", "wrong", "enciphered")),
        asked=_ASKED,
        terms=TERMS,
        arpc=st.sampled_from(("none", "", "", "", "bit")),
        arc=_ARCS,
        closing=st.sampled_from((0x40, 0x40, 0x40, 0x00, 0x50, 0x80)),
        before=st.lists(_SCRIPTS, max_size=2),
        after=st.lists(_SCRIPTS, max_size=2),
    )
    def transaction(
        self,
        pin: str,
        asked: int,
        terms: Terms,
        arpc: str,
        arc: str,
        closing: int,
        before: list[str],
        after: list[str],
    ) -> None:
        """A whole transaction: PIN, first cryptogram, issuer, scripts, second, scripts."""
        self.open()
        if pin:
            self.verify(pin)
        self.generate(asked, terms, arc)
        if self.model.session.state not in ("ONLINE", "OPEN"):
            return
        if arpc != "none":
            self.external(arpc, arc)
        for kind in before:
            self.issue(kind, "", 0x31)
        self.generate(closing, terms, arc)
        for kind in after:
            self.issue(kind, "", 0x32)

    @rule(terms=TERMS, times=st.integers(2, 4))
    def offline(self, terms: Terms, times: int) -> None:
        """Transactions in a row that ask for TC."""
        for _ in range(times):
            self.open()
            self.generate(0x40, terms, "5933")
            if self.model.session.state == "ONLINE":
                self.generate(0x40, terms, "5933")

    # --- the issuer ---------------------------

    @rule(spoil=_ARPCS, arc=_ARCS)
    def external(self, spoil: str, arc: str) -> None:
        """EXTERNAL AUTHENTICATE over the first cryptogram, right or nearly so."""
        here, code = self.model.session, bytes.fromhex(arc)
        proof = self.bank.arpc(here.atc, here.ac1 or bytes(8), code)
        if spoil == "bit":
            proof = bytes((proof[0] ^ 1, *proof[1:]))
        elif spoil == "arc":
            code = bytes((code[0] ^ 1, code[1]))
        elif spoil == "last":
            proof, self.last_arpc = self.last_arpc, proof
        data = proof + code + (b"\0" if spoil == "Lc" else b"")
        self.last_arpc = proof
        self.command("00820000", data, name="EXTERNAL AUTHENTICATE")

    @rule(kind=_SCRIPTS, spoil=_SPOILS, fill=st.integers(0, 255))
    def issue(self, kind: str, spoil: str, fill: int) -> None:
        """A script command, with its MAC or nearly so."""
        header, data = self.script_of(kind, fill)
        self.issuing(header, data, spoil, kind.upper())

    def issuing(self, header: str, data: bytes, spoil: str = "", name: str = "SCRIPT") -> None:
        """Send a script of CLA INS P1 P2 and data, its MAC spoilt or not."""
        here, ac1 = self.model.session, self.model.session.ac1 or bytes(8)
        if spoil == "long":
            data += b"\0"
        elif spoil == "short":
            data = data[:-1]
        head = bytes.fromhex(header) + bytes((len(data) + 4,))
        atc = here.atc - (spoil == "other" and here.atc > 0)
        mac = self.bank.script_mac(atc, ac1, head, data)
        if spoil == "bit":
            mac = bytes((mac[0] ^ 0x80, *mac[1:]))
        elif spoil == "last":
            mac, self.last_mac = self.last_mac[:4], mac
        self.last_mac = mac
        self.send(head + data + mac, name)

    def script_of(self, kind: str, fill: int) -> tuple[str, bytes]:
        """Return CLA INS P1 P2 and data of a script."""
        debit, atc = self.model.debit, self.model.session.atc
        record = debit.records[1][0]
        bcd = bytes((0, 0, 0, 0, fill >> 4 & 7, 0))
        return {
            "unblock": ("84180000", b""),
            "block": ("841E0000", b""),
            "card": ("84160000", b""),
            "pin": ("84240000", b""),
            "new pin": ("84240002", self.bank.pin_change(atc, f"{fill:04d}", None)),
            "new pin over": ("84240001", self.bank.pin_change(atc, f"{fill:05d}", debit.pin)),
            "no pin": ("84240001", self.bank.pin_change(atc, "7788", "4711")),
            "limit": ("04DA9F58" if fill & 1 else "04DA9F59", bytes((fill & 3,))),
            "amount": ("04DA9F54" if fill & 1 else "04DA9F5C", bcd),
            "balance": ("04DA9F79", b"\0\0\0" + bytes((fill & 7,)) + bytes(2)),
            "unknown tag": ("04DA9F36", bytes(2)),
            "unreadable": ("04DA9F72", bytes((fill & 3,))),
            "record": ("04DC010C", record[:-1] + bytes((fill,))),
            "longer record": ("04DC010C", record + bytes(1)),
            "no record": ("04DC020C", record),
            "no file": ("04DC0144", record),
            "log": ("04DC015C", bytes(45)),
        }[kind]

    @rule(spoil=_SPOILS, dice=st.integers(0, 5), then=st.sampled_from((*_SELECTS, "")))
    def block_card(self, spoil: str, dice: int, then: str) -> None:
        """CARD BLOCK, seldom with the right MAC; then what its session may still do."""
        if dice:
            self.issue("card", spoil or "bit", 0)
            return
        self.transaction("", 0x80, Terms(), "none", "3030", 0x40, [], [])
        self.issue("card", "", 0)
        self.issue("limit", "", 1)
        if then:
            self.send(then, "SELECT")
        self.gpo("")
        self.get_data("9F36")

    # --- reading ---------------------------

    @rule(tag=st.sampled_from(_ELEMENTS))
    def get_data(self, tag: str) -> None:
        """GET DATA."""
        self.command(f"80CA{tag}", le=256, name="GET DATA")

    @rule(sfi=st.sampled_from((1, 2, 3, 11, 11, 4, 0, 31)), number=st.integers(0, 4))
    def read(self, sfi: int, number: int) -> None:
        """READ RECORD."""
        self.command(f"00B2{number:02X}{sfi << 3 | 4:02X}", le=256, name="READ RECORD")

    @rule(
        apdu=st.sampled_from(
            ("81A80000028300", "00A80000028300", "80200080082612FFFFFFFFFFFF", "00AE000000",
             "00FE000000", "00DC010C05000000000000", "841E010004DEADBEEF", "842400030400000000",
             "04DC010B0500000000000", "00B2010900", "0020008108241234FFFFFFFFFF", "00C0000000",
             "8082000000", "848200000400000000", "80AE40000100", "008400010000")
        )
    )  # fmt: skip
    def odd(self, apdu: str) -> None:
        """Forms that no row takes."""
        self.send(apdu if len(apdu) % 2 == 0 else apdu[:-1])

    def finish(self) -> None:
        """Read everything back after a reset."""
        if not hasattr(self, "model"):
            return
        self.cut()
        for tag in _ELEMENTS:
            self.get_data(tag)
        for number in range(1, 12):
            self.read(11, number)
        self.read(1, 1)
