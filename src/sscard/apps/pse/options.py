"""GET PROCESSING OPTIONS: a transaction begins, of debit or electronic cash (pse-pboc 3, 6.1)."""

from sscard.apps.pse import quick
from sscard.apps.pse.application import Application
from sscard.apps.pse.machine import Step, transaction
from sscard.apps.pse.risk import is_cash
from sscard.apps.pse.transaction import Initiated, Selected
from sscard.cos.layout import Block
from sscard.cos.lifecycle import set_block
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import encode

__all__ = ["get_processing_options"]

_REF = "pse-pboc 3"
_COMMAND_TEMPLATE = 0x83
_ATC_LAST = 0xFFFF


def _length(card: Application, _command: Command) -> int:
    return 2 + card.profile.pdol.length


@transaction(0x80, 0xA8, "GET PROCESSING OPTIONS", lc=_length, ref="pse-pboc 2.1, 3, 6")
def get_processing_options(card: Application, command: Command, state: Selected) -> Step:
    """Count the transaction and answer `80 L AIP AFL`; the last ATC blocks for good."""
    profile = card.profile
    if card.blocked_for_good or len(profile.debit.aip) != 2:
        raise Refusal(SW.CONDITIONS, "no ATC is left, or there is no AIP to answer", _REF)
    data = command.data
    if data[0] != _COMMAND_TEMPLATE:
        raise Refusal(SW.WRONG_DATA, "the data are not a template 83", "pse-pboc 2.1")
    if data[1] != profile.pdol.length:
        raise Refusal(SW.WRONG_LENGTH, "the template's length is not the PDOL's", "pse-pboc 2.1")
    terms = data[2:]
    contactless = card.domain.facts.contactless
    if contactless:
        quick.require_offered(card, terms)
    counters = card.counters
    atc = min(counters.atc + 1, _ATC_LAST)
    card.write_counters(counters._replace(atc=atc))
    if atc == _ATC_LAST:
        set_block(card.domain, Block.PERMANENT)
        return Step(b"", state, Refusal(SW.CONDITIONS, "this was the last ATC", _REF))
    if contactless:
        return Step(*quick.transact(card, terms, counters._replace(atc=atc)))
    offered = profile.cash.aip and card.domain.options["electronic_cash"] == "on"
    cash = bool(offered) and is_cash(card.risk, counters, card.pin_tries, profile.pdol.split(terms))
    offer = profile.cash if cash else profile.debit
    answer = encode(0x80, offer.aip + offer.afl)
    return Step(answer, Initiated(atc, offer.aip, terms, cash=cash))
