"""A bank's host for tests, and chips without a card: cryptograms made from the UDKs of pse-pboc 11."""

from datetime import date, datetime

from sscard.iso import tlv
from sscard.issuer import CardState, IssuerHost, open_books
from sscard.keys import pboc
from sscard.keys.vault import BankCard, BankVault, MemoryVault, Party, Root
from sscard.spec.banking import (
    AuthorisationRequest,
    ClearingBatch,
    Completion,
    Kind,
    Outcome,
    Reversal,
)

PAN = "6210950000000000017"
CARD = BankCard(PAN, "00")
MDK = {
    "AC": bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"),
    "MAC": bytes.fromhex("11223344556677888877665544332211"),
    "ENC": bytes.fromhex("A1B2C3D4E5F60718293A4B5C6D7E8F90"),
}
ROOTS = [Root(f"MDK-{which}@PSE.DF01", value, levels=1) for which, value in MDK.items()]
ROOTS += [
    Root("TPK@PSE", bytes(range(1, 17)), levels=1),
    Root("PVK@PSE", bytes(range(33, 49)), levels=1),
]
AT = datetime(2026, 7, 1, 10, 30, 45)
DAY = date(2026, 7, 1)
TERMINAL, MERCHANT = "T0000001", "MERCHANT0000001"
ACCOUNT = "6217000000000001"


def bank_vault(**options):
    return BankVault(MemoryVault(Party.BANK, ROOTS, test=True), **options)


def new_host(
    url="sqlite://", *, vault=None, deposit=100_000, pin="", state=CardState.ACTIVE, **options
):
    host = IssuerHost(bank_vault() if vault is None else vault, open_books(url), **options)
    host.open_account(ACCOUNT, "TEST CARDHOLDER", deposit_fen=deposit, day=DAY)
    host.issue_card(CARD, ACCOUNT, "3012", pin=pin, state=state)
    return host


def icc(
    atc=1, *, amount=12345, kind=Kind.PURCHASE, cid=0x80, cvr="03A41002", tvr="0000008000",
    at=AT, currency=156, country=156, mdk=MDK["AC"], pan=PAN, cvn=0x01, idd=b"",
    spoil=None, changes=None,
):  # fmt: skip
    """Field 55 of a cryptogram as the card of pse-pboc 11 makes it; `spoil` is done to it after."""
    numbers = {
        0x9F02: f"{amount:012}", 0x9F03: "0" * 12, 0x9F1A: f"{country:04}", 0x95: tvr,
        0x5F2A: f"{currency:04}", 0x9A: f"{at:%y%m%d}", 0x9C: f"{kind.type_code:02X}",
        0x9F37: "A1B2C3D4", 0x82: "7C00", 0x9F36: f"{atc:04X}",
    }  # fmt: skip
    items = {tag: bytes.fromhex(value) for tag, value in numbers.items()} | (changes or {})
    session = pboc.session_key(pboc.udk(mdk, pan), atc)
    covered = b"".join(items.values()) + bytes.fromhex(cvr)
    if cvn != 0x01:
        covered = items[0x9F02] + items[0x9F37] + items[0x9F36] + bytes.fromhex(cvr)[1:2]
    items[0x9F26] = pboc.cryptogram(session, covered)
    items[0x9F27] = bytes((cid,))
    items[0x9F10] = bytes.fromhex(f"0701{cvn:02X}{cvr}01") + idd
    for tag, value in (spoil or {}).items():
        if value is None:
            del items[tag]
        else:
            items[tag] = value
    return b"".join(tlv.encode(tag, value) for tag, value in items.items())


def request(trace=1, *, atc=None, amount=12345, kind=Kind.PURCHASE, at=AT, chip=None, **fields):
    given = {
        "terminal_id": TERMINAL, "merchant_id": MERCHANT, "merchant_name": "TEST MERCHANT",
        "trace": trace, "kind": kind, "amount_fen": amount, "at": at, "pan": PAN, "psn": "00",
        "expiry": "3012",
        "icc": icc(trace if atc is None else atc, amount=amount, kind=kind, at=at, **(chip or {})),
    }  # fmt: skip
    return AuthorisationRequest(**given | fields)


def completion(trace=1, *, atc=None, amount=12345, kind=Kind.PURCHASE, at=AT, chip=None,
               outcome=Outcome.APPROVED, **fields):  # fmt: skip
    cid, cvr = (0x40, "03641002") if outcome is Outcome.APPROVED else (0x00, "03241002")
    chip = {"cid": cid, "cvr": cvr} | (chip or {})
    given = {
        "terminal_id": TERMINAL, "merchant_id": MERCHANT, "merchant_name": "TEST MERCHANT",
        "trace": trace, "kind": kind, "outcome": outcome, "amount_fen": amount, "at": at,
        "pan": PAN, "psn": "00",
        "icc": icc(trace if atc is None else atc, amount=amount, kind=kind, at=at, **chip),
    }  # fmt: skip
    return Completion(**given | fields)


def reversal(trace=1, *, amount=12345, **fields):
    given = {
        "terminal_id": TERMINAL, "merchant_id": MERCHANT, "trace": trace, "amount_fen": amount,
        "at": AT, "pan": PAN, "psn": "00", "reason": "no answer",
    }  # fmt: skip
    return Reversal(**given | fields)


def batch(*items, number=1):
    return ClearingBatch(TERMINAL, MERCHANT, number, AT, items)
