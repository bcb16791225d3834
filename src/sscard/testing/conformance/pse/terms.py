"""What the suite gives as a terminal: the values of PDOL, CDOLs and DDOL (pse-pboc 2.7, 5.1)."""

from collections.abc import Mapping

from sscard.terminal.bank.transaction import fit
from sscard.testing.conformance.bench import Bench
from sscard.testing.conformance.pse.application import Application, dol

__all__ = ["AMOUNT", "CASH_SUPPORT", "Terms", "filled", "terms_of", "values_of"]

Terms = tuple[tuple[int, str], ...]
"""Data elements that a case gives in its own way, in hex, by tag."""

AMOUNT = "000000000100"
"""One yuan."""
CASH_SUPPORT: Terms = ((0x9F7A, "01"),)
_COUNTRY = _CURRENCY = "0156"
_NUMBER = 0xA1B2C300
_USUAL = {
    0x9F02: AMOUNT,
    0x9F03: "000000000000",
    0x9F1A: _COUNTRY,
    0x95: "0000008000",
    0x5F2A: _CURRENCY,
    0x9C: "00",
    0x9F21: "103045",
    0x9F4E: b"CONFORMANCE SUITE 01".hex(),
    0x9F7A: "00",
    0x9F66: "00000000",
    0x9F35: "22",
    0x9F33: "E0F8C8",
}


def values_of(bench: Bench, app: Application, terms: Terms = (), arc: str = "") -> dict[int, bytes]:
    """Return the terminal's data elements of a command, with an unpredictable number of its own."""
    app.numbers += 1
    values = {tag: bytes.fromhex(value) for tag, value in _USUAL.items()}
    values[0x9A] = bytes.fromhex(f"{bench.today:%y%m%d}")
    values[0x9F37] = (_NUMBER + app.numbers).to_bytes(4, "big")
    values[0x82] = app.deal.aip
    values[0x8A] = arc.encode("ascii")
    return values | {tag: bytes.fromhex(value) for tag, value in terms}


def filled(data: bytes, values: Mapping[int, bytes]) -> bytes:
    """Return what a data object list asks for; what the terminal has not is zeros."""
    return b"".join(fit(tag, values.get(tag, b""), length) for tag, length in dol(data))


def terms_of(**items: str) -> Terms:
    """Return terms by the names that cases use: amount, currency, country, tvr."""
    tags = {"amount": 0x9F02, "currency": 0x5F2A, "country": 0x9F1A, "tvr": 0x95}
    return tuple((tags[name], value) for name, value in items.items())
