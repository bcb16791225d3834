"""Certificates and signatures of the card, verified by the terminal's kernel (pse-pboc 4.9)."""

from dataclasses import dataclass
from datetime import datetime, time

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.spec.ca_keys import find
from sscard.spec.emv import TransactionType
from sscard.terminal.bank import POS
from sscard.terminal.bank.ber import template
from sscard.terminal.bank.certificates import (
    NotAuthentic,
    PublicKey,
    icc_public_key,
    issuer_public_key,
    opened,
    pin_public_key,
    static_data,
)
from sscard.terminal.bank.errors import BadCardData
from sscard.terminal.bank.oda import open_signed
from sscard.terminal.bank.settings import AidSettings
from sscard.terminal.bank.transaction import Transaction
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.pse.application import (
    Application,
    application,
    inside,
    read_record,
)
from sscard.testing.conformance.pse.cryptograms import Cryptogram
from sscard.testing.conformance.pse.switches import Answer, expected
from sscard.testing.conformance.pse.terms import filled, values_of

__all__ = ["Certified", "Dynamic", "combined_cryptogram", "key_of_the_card", "key_of_the_pin"]

_DDOL = bytes.fromhex("9F3704")
_DYNAMIC, _STATIC, _SHA_1 = 0x05, 0x03, 0x01
_SDA, _DDA = 0x40, 0x20
_NO_CA = "needs CA keys: none were given"


def _transaction(bench: Bench, app: Application) -> Transaction:
    """Return the kernel's view of a transaction: the card's data, and the static ones."""
    at = datetime.combine(bench.today, time(10, 30, 45))
    settings = AidSettings(app.aid)
    made = Transaction(POS, settings, app.aid, TransactionType.GOODS, 100, at, bytes(4))
    made.aip, made.pdol_data = app.deal.aip, app.deal.pdol_data
    afl, static = app.deal.afl, b""
    for entry in range(0, len(afl), 4):
        sfi, first, last, signed = afl[entry] >> 3, *afl[entry + 1 : entry + 4]
        for number in range(first, last + 1):
            record = app.records.get((sfi, number))
            if record is None:
                record = bench.transmit(read_record(number, sfi)).data
            if sfi <= 10:
                for tag, value in inside(record, 0x70).items():
                    made.card.setdefault(tag, value)
                record = template(record, 0x70, f"record {number} of SFI {sfi}")
            static += record if number < first + signed else b""
    made.static_data = static
    return made


def _issuer(bench: Bench, made: Transaction) -> PublicKey:
    if not bench.ca_keys:
        raise NotRun(_NO_CA)
    index = made.card.get(0x8F, b"")
    if index and find(bench.ca_keys, made.aid[:5], index[0]) is None:
        raise NotRun(f"the CA key {made.aid[:5].hex().upper()} {index.hex().upper()} was not given")
    return issuer_public_key(made, bench.ca_keys)


def key_of_the_card(bench: Bench, app: Application) -> PublicKey:
    """Return the card's public key. Errors: `NotRun` without CA keys, `NotAuthentic`."""
    made = _transaction(bench, app)
    return icc_public_key(made, _issuer(bench, made))


def key_of_the_pin(bench: Bench, app: Application) -> PublicKey:
    """Return the key that PINs are enciphered with. Errors: as `key_of_the_card`."""
    made = _transaction(bench, app)
    return pin_public_key(made, _issuer(bench, made))


@dataclass(frozen=True, slots=True)
class Certified:
    """Verify what the card holds: `what` is "issuer", "icc" or "static"."""

    what: str

    @property
    def title(self) -> str:
        """What the step does."""
        names = {"issuer": "issuer certificate", "icc": "ICC certificate"}
        return f"verify the {names.get(self.what, 'signed static data')}"

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return "" if bench.ca_keys else _NO_CA

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        bit = {"issuer": _SDA | _DDA, "icc": _DDA, "static": _SDA}[self.what]
        if not app.deal.aip[0] & bit:
            raise NotRun(f"the AIP {app.deal.aip.hex().upper()} does not offer it")
        problem = ""
        try:
            made = _transaction(bench, app)
            issuer = _issuer(bench, made)
            if self.what == "icc":
                icc_public_key(made, issuer)
            elif self.what == "static":
                signed = made.card.get(0x93, b"")
                opened(issuer, signed, _STATIC, static_data(made), "signed static data")
        except (NotAuthentic, BadCardData) as error:
            problem = str(error)
        bench.require(self.title, problem)


@dataclass(frozen=True, slots=True)
class Dynamic:
    """INTERNAL AUTHENTICATE; a signature is verified where the card's key can be.

    `longer` makes the data longer than the DDOL wants. `offered` False: for a card whose AIP
    has no DDA.
    """

    title: str = "INTERNAL AUTHENTICATE"
    answer: Answer = 0x9000
    longer: int = 0
    offered: bool = True

    def missing(self, bench: Bench) -> str:
        """See `Step.missing`."""
        return ""

    def run(self, bench: Bench) -> None:
        """See `Step.run`."""
        app = application(bench)
        has = bool(app.deal.aip and app.deal.aip[0] & _DDA)
        if app.deal.aip and has is not self.offered:
            raise NotRun(f"the AIP {app.deal.aip.hex().upper()} has {'' if has else 'no '}DDA")
        values = values_of(bench, app)
        data = filled(app.tags.get(0x9F49, _DDOL), values) + bytes(self.longer)
        command = Command(0x00, 0x88, 0x00, 0x00, data, 256)
        reply = bench.exchange(self.title, command, expected(bench, self.answer))
        if reply.sw != SW.OK:
            return
        app.deal.cvr |= 0x02
        signed = inside(reply.data).get(0x80) or inside(reply.data, 0x77).get(0x9F4B, b"")
        bench.require("a signature", "" if signed else "none in the answer", reply.data)
        if bench.ca_keys:
            bench.require("dynamic signature", _dynamic_problem(bench, app, signed, data))


def _dynamic_problem(bench: Bench, app: Application, signed: bytes, data: bytes) -> str:
    """The ICC dynamic number is the ATC behind its length (4.9)."""
    try:
        key = key_of_the_card(bench, app)
        fields = opened(key, signed, _DYNAMIC, data, "dynamic signature")
    except (NotAuthentic, BadCardData) as error:
        return str(error)
    wanted = b"\x03\x02" + app.deal.atc.to_bytes(2, "big")
    if fields[1] != _SHA_1 or fields[2:6] != wanted:
        return f"dynamic data {fields[2:6].hex().upper()}, not {wanted.hex().upper()}"
    return ""


def combined_cryptogram(
    bench: Bench, app: Application, found: Cryptogram, values: dict[int, bytes]
) -> Cryptogram:
    """Verify a combined signature; return the answer with the cryptogram it holds.

    Errors: `NotRun` without CA keys, `Deviation` for a signature that is wrong.
    """
    made_of = app.deal
    try:
        made = _transaction(bench, app)
        key = icc_public_key(made, _issuer(bench, made))
        made.unpredictable = values.get(0x9F37, bytes(4))
        inner = template(made_of.answer, 0x77, "GENERATE AC")
        signed = open_signed(key, made, inner, made_of.cdol1 + made_of.cdol2)
    except (NotAuthentic, BadCardData) as error:
        bench.require("combined signature", str(error), made_of.answer)
        raise
    problem = ""
    if signed.number != found.atc.to_bytes(2, "big"):
        problem = f"ICC dynamic number {signed.number.hex().upper()} is not the ATC"
    bench.require("combined signature", problem)
    return found._replace(value=signed.cryptogram)


def enciphered(key: PublicKey, block: bytes, challenge: bytes) -> bytes:
    """Return an enciphered PIN: 7F, block, challenge, filler (pse-pboc 4.10)."""
    filler = bytes((7 * n + 1) & 0xFF for n in range(key.size - 17))
    plain = int.from_bytes(b"\x7f" + block + challenge + filler, "big")
    return pow(plain, key.e, key.n).to_bytes(key.size, "big")
