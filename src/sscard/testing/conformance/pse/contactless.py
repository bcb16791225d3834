"""`CONTACTLESS`: qPBOC, from the PPSE to the answer of GPO (pse-pboc 1.5, 6.2).

Nothing in an APDU says on which interface it runs; the application does: its PDOL asks for the
terminal transaction qualifiers (9F66) without contacts only.
"""

from collections.abc import Iterator

from sscard.iso.tlv import parse_dol
from sscard.spec.pboc import PPSE_NAME
from sscard.terminal.bank.ber import objects
from sscard.terminal.bank.errors import BadCardData
from sscard.testing.conformance.bench import Bench, NotRun
from sscard.testing.conformance.model import Case, Effect, Expect, Step
from sscard.testing.conformance.pse.application import Application, inside, read_records, select
from sscard.testing.conformance.pse.cryptograms import Cryptogram, cryptogram_problem
from sscard.testing.conformance.pse.frame import Look, bank_case, only_if
from sscard.testing.conformance.pse.terms import values_of
from sscard.testing.conformance.pse.transaction import Enter, options_of

__all__ = ["contactless_cases"]

_TTQ = 0x9F66
_ONLINE_ONLY, _NO_QUICK = "26800000", "16800000"
"""Qualifiers of a terminal: qPBOC with an online cryptogram required, and contact PBOC alone."""
_WANTED = (0x82, 0x9F36, 0x57, 0x9F10, 0x9F26)
_KNOWN = (*_WANTED, 0x94, 0x5F34, 0x9F4B, 0x9F6C, 0x9F5D)
_CVR_AT, _KIND, _ARQC, _AAC = 4, 0x30, 0x20, 0x00
"""The kind of the first cryptogram is in bits 6 and 5 of CVR byte 2 (pse-pboc 4.5)."""


def contactless_cases() -> Iterator[Case]:
    """Yield the cases of the contactless interface; not run on the contacts."""
    here = only_if("the card is on its contacts: its PDOL does not ask for 9F66", _is_contactless)

    def case(name: str, title: str, why: str, *steps: Step, effect: Effect = Effect.SAFE) -> Case:
        return bank_case(
            f"CONTACTLESS/{name}", title, "1.5, 6.2", why, here, *steps, effect=effect, restore=()
        )

    yield case(
        "directory",
        "2PAY.SYS.DDF01 lists the bank's application",
        "Its FCI has the name in 84 and, in BF0C, entries 61 with AID (4F); one is the application "
        "that SELECT finds.",
        Look("PPSE", _directory_problem),
    )
    yield case(
        "pdol",
        "the PDOL asks for what a cryptogram in GPO needs",
        "9F66 with 4 bytes, 9F02 with 6, 5F2A with 2 and 9F37 with 4.",
        Enter(),
        Look("9F38", _pdol_problem),
    )
    yield case(
        "online",
        "qPBOC with an online cryptogram required",
        "77 with 82, 9F36, 57, 9F10 and 9F26, and nothing that does not belong there; the "
        "CVR says ARQC, or AAC where the card declines. The ATC rises by one, and the cryptogram "
        "is that of the bank's keys, if they were given.",
        Enter(),
        Look("GPO", _online_problem),
        effect=Effect.TRANSACTION,
    )
    yield case(
        "not-offered",
        "a terminal that does not offer qPBOC",
        "6985: there is nothing that both have.",
        Enter(),
        Look("GPO", _not_offered),
        effect=Effect.TRANSACTION,
    )


def _is_contactless(bench: Bench, app: Application) -> bool:
    return app.contactless


def _directory_problem(bench: Bench, app: Application) -> str:
    reply = bench.exchange("SELECT 2PAY.SYS.DDF01", select(PPSE_NAME), Expect())
    if inside(reply.data, 0x6F).get(0x84) != PPSE_NAME:
        return "84 is not the name"
    listed = inside(reply.data, 0x6F, 0xA5).get(0xBF0C, b"")
    try:
        names = [inside(entry).get(0x4F, b"") for tag, entry in objects(listed, "") if tag == 0x61]
    except BadCardData as error:
        return str(error)
    if not names or not all(5 <= len(name) <= 16 for name in names):
        return "an entry without AID, or none"
    listed_here = any(app.aid.startswith(name) for name in names)
    return "" if listed_here else f"{app.aid.hex().upper()} is not listed"


def _pdol_problem(bench: Bench, app: Application) -> str:
    asked = dict(parse_dol(app.pdol))
    for tag, length in ((_TTQ, 4), (0x9F02, 6), (0x5F2A, 2), (0x9F37, 4)):
        if asked.get(tag) != length:
            return f"{tag:04X} with {asked.get(tag, 0)} bytes, not {length}"
    return ""


def _values(bench: Bench, app: Application, qualifiers: str) -> dict[int, bytes]:
    """What GPO tells; `NotRun` where it would use up the ATC, or on a blocked card."""
    if reason := app.worn or app.blocked:
        raise NotRun(reason)
    return values_of(bench, app, ((_TTQ, qualifiers),))


def _online_problem(bench: Bench, app: Application) -> str:
    before = int.from_bytes(app.elements.get(0x9F36, b""), "big")
    values = _values(bench, app, _ONLINE_ONLY)
    reply = bench.exchange("GET PROCESSING OPTIONS", options_of(app, values), Expect())
    held = inside(reply.data, 0x77)
    lacking = [f"{tag:02X}" for tag in _WANTED if tag not in held]
    strange = [f"{tag:02X}" for tag in held if tag not in _KNOWN]
    if lacking or strange:
        return f"lacks {', '.join(lacking) or 'nothing'}; has {', '.join(strange) or 'no more'}"
    kind = held[0x9F10][_CVR_AT : _CVR_AT + 1]
    if not kind or kind[0] & _KIND not in (_ARQC, _AAC):
        return f"the CVR byte is {kind.hex().upper() or 'missing'}: no ARQC and no AAC"
    atc = int.from_bytes(held[0x9F36], "big")
    app.refresh(bench)
    kept = int.from_bytes(app.elements.get(0x9F36, b""), "big")
    if not atc == kept == before + 1:
        return f"ATC {atc:04X}, kept {kept:04X}, was {before:04X}"
    return _cryptogram(bench, app, held, values)


def _cryptogram(
    bench: Bench, app: Application, held: dict[int, bytes], values: dict[int, bytes]
) -> str:
    """Verify 9F26 over what the PDOL asked for; what it did not counts as zeros (4.4, 6.2)."""
    app.deal.aip = held[0x82]
    pan, _, _ = held[0x57].hex().upper().partition("D")
    app.tags.setdefault(0x5A, bytes.fromhex(pan + "F" * (len(pan) % 2)))
    if 0x5F34 in held:
        app.tags.setdefault(0x5F34, held[0x5F34])
    elif 0x5F34 not in app.tags:  # the records of this card waited for GPO
        read_records(bench, app)
    told = {tag: values[tag] for tag, _ in parse_dol(app.pdol) if tag in values}
    found = Cryptogram(0x80, int.from_bytes(held[0x9F36], "big"), held[0x9F26], held[0x9F10])
    return cryptogram_problem(bench, app, found, told)


def _not_offered(bench: Bench, app: Application) -> str:
    command = options_of(app, _values(bench, app, _NO_QUICK))
    bench.exchange("GET PROCESSING OPTIONS", command, Expect.of(0x6985))
    return ""
