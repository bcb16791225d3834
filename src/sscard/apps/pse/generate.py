"""GENERATE AC, the first and the second (pse-pboc 2.6, 5.3, 5.4, 6.1)."""

from sscard.apps.pse import log
from sscard.apps.pse.application import Application
from sscard.apps.pse.cryptogram import answer
from sscard.apps.pse.cvr import Ac, Cvr
from sscard.apps.pse.dol import Dol
from sscard.apps.pse.machine import Step, transaction
from sscard.apps.pse.risk import (
    Aip,
    Situation,
    Terminal,
    cash_answer,
    first_answer,
    second_answer,
)
from sscard.apps.pse.transaction import Finished, Initiated, Online, Open, Script
from sscard.cos.layout import Block
from sscard.cos.lifecycle import set_block
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["generate_ac"]

_ARC = 0x8A
_REQUESTS = frozenset(p1 for p1 in range(0x100) if p1 & 0xC0 != 0xC0)
"""P1: 00 AAC, 40 TC, 80 ARQC; b5 asks for CDA, the other bits mean nothing (14 #5)."""
_CDA = 0x10
_RESERVED = 0x2F


def _require_defined(card: Application, command: Command) -> None:
    if command.p1 & _RESERVED and card.domain.options["pse_ac_reserved_bits"] == "6A86":
        raise Refusal(SW.WRONG_P1P2, f"P1 {command.p1:02X} has reserved bits", "pse-pboc 2.2")


@transaction(
    0x80,
    0xAE,
    "GENERATE AC",
    p1=_REQUESTS,
    lc=None,
    form=_require_defined,
    ref="pse-pboc 2.6, 5.3, 5.4",
)
def generate_ac(card: Application, command: Command, tx: Initiated | Online) -> Step:
    """Answer with a cryptogram: the first asks CDOL1 data, the second CDOL2 data."""
    if isinstance(tx, Initiated):
        return first_generate_ac(card, command, tx)
    return second_generate_ac(card, command, tx)


def first_generate_ac(card: Application, command: Command, tx: Initiated) -> Step:
    """Decide on the terminal's request; an ARQC leaves the transaction to the issuer."""
    cdol = card.lists.cdol1
    _require_length(command, cdol)
    with_cda = _cda_requested(card, command, tx.aip)
    values = cdol.split(command.data)
    offered = card.profile.pdol.split(tx.pdol_data)
    tries = card.pin_tries
    so_far = Situation(tx.aip, tx.cvr, tries, tx.pin_exceeded, card.blocked)
    requested, terminal = Ac(command.p1 >> 6), Terminal.parse(values)
    if tx.cash:
        verdict = cash_answer(
            card.risk, card.counters, so_far, terminal, requested, offered, values
        )
    else:
        verdict = first_answer(card.risk, card.counters, so_far, terminal, requested)
    if with_cda and verdict.answer is not Ac.AAC:
        verdict = verdict._replace(cvr=verdict.cvr | Cvr.DDA_PERFORMED)
    signed = tx.pdol_data + command.data if with_cda else None
    ac, data = answer(card, verdict, values, tx.profile, signed)
    card.settle(verdict)
    if verdict.block and not card.blocked:
        set_block(card.domain, Block.TEMPORARY)
        if card.domain.options["pse_pin_blocks"] == "6985":
            why = "no PIN try is left, and the application is blocked"
            return Step(b"", Finished(), Refusal(SW.CONDITIONS, why, "pse-pboc 5.3"))
    if verdict.answer is Ac.TC or (verdict.answer is Ac.AAC and _declined_logged(card)):
        log.append(card, tx.atc, values, offered)
    if verdict.answer is Ac.ARQC:
        online = Online(tx.atc, tx.profile, tx.pdol_data, command.data, values, ac, verdict.cvr)
        return Step(data, online)
    without_pin = tries == 0 and card.domain.options["pse_open_without_pin"] == "yes"
    settled = tx.cash and verdict.answer is Ac.TC
    if not settled and (so_far.blocked or without_pin):
        return Step(data, Open(tx.atc, ac))
    return Step(data, Finished())


def second_generate_ac(card: Application, command: Command, tx: Online) -> Step:
    """Close the transaction: TC or AAC, as terminal, issuer and card agree."""
    cdol = card.lists.cdol2
    _require_length(command, cdol)
    requested = Ac(command.p1 >> 6)
    if requested is Ac.ARQC:
        raise Refusal(SW.CONDITIONS, "an ARQC is not asked twice", "pse-pboc 3")
    with_cda = _cda_requested(card, command, tx.aip)
    values = cdol.split(command.data)
    so_far = Situation(tx.aip, tx.cvr, card.pin_tries, blocked=card.blocked)
    verdict = second_answer(
        card.risk,
        card.counters,
        so_far,
        Terminal.parse(values),
        requested,
        values.get(_ARC, b""),
        tx.issuer,
    )
    if with_cda and verdict.answer is not Ac.AAC:
        verdict = verdict._replace(cvr=verdict.cvr | Cvr.DDA_PERFORMED)
    signed = tx.pdol_data + tx.cdol1_data + command.data if with_cda else None
    data = answer(card, verdict, values, tx.profile, signed).data
    card.write_counters(verdict.counters)
    if verdict.answer is Ac.TC or _declined_logged(card):
        log.append(card, tx.atc, tx.cdol1_values, values, card.profile.pdol.split(tx.pdol_data))
    return Step(data, Script(tx.atc, tx.ac1, tx.issuer, tx.scripts_over))


def _require_length(command: Command, cdol: Dol) -> None:
    if len(command.data) != cdol.length:
        raise Refusal(SW.WRONG_LENGTH, f"the CDOL asks for {cdol.length} bytes", "pse-pboc 2.1")


def _declined_logged(card: Application) -> bool:
    return card.domain.options["pse_log_declined"] == "on"


def _cda_requested(card: Application, command: Command, aip: Aip) -> bool:
    if not command.p1 & _CDA:
        return False
    if not aip & Aip.CDA:
        if card.domain.options["pse_cda_unsupported"] == "ignore":
            return False
        raise Refusal(SW.CONDITIONS, "the AIP offers no CDA", "pse-pboc 3")
    return True
