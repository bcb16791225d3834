"""INTERNAL and EXTERNAL AUTHENTICATE of a transaction: DDA and ARPC (pse-pboc 4.7, 4.9)."""

from dataclasses import replace

from sscard.apps.pse.application import Application
from sscard.apps.pse.cvr import Cvr
from sscard.apps.pse.hardening import Guard, require_allowed, tell
from sscard.apps.pse.machine import Step, transaction
from sscard.apps.pse.risk import Aip, Issuer
from sscard.apps.pse.signature import dynamic_signature
from sscard.apps.pse.transaction import Initiated, Online, Open
from sscard.cos.objects import KeyType
from sscard.cos.refusal import Refusal
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.iso.tlv import encode
from sscard.keys import Algorithm, pboc

__all__ = ["external_authenticate", "internal_authenticate"]

_ARPC_LENGTH = 8


def _ddol_length(card: Application, _command: Command) -> int:
    return card.lists.ddol.length


@transaction(0x00, 0x88, "INTERNAL AUTHENTICATE", lc=_ddol_length, ref="pse-pboc 4.9")
def internal_authenticate(card: Application, command: Command, tx: Initiated) -> Step:
    """Sign the terminal's DDOL data: DDA, answered `80 L SDAD`. May be repeated."""
    if not tx.aip & Aip.DDA:
        raise Refusal(SW.CONDITIONS, "the AIP offers no DDA", "pse-pboc 3")
    signature = dynamic_signature(card, tx.atc, b"", command.data)
    return Step(encode(0x80, signature), replace(tx, cvr=tx.cvr | Cvr.DDA_PERFORMED))


@transaction(0x00, 0x82, "EXTERNAL AUTHENTICATE", lc=(10,), ref="pse-pboc 3, 4.7")
def external_authenticate(card: Application, command: Command, tx: Online | Open) -> Step:
    """Check the issuer's ARPC over the first cryptogram; the result counts at the second.

    A second one in a transaction is refused, and the issuer's authentication has failed.
    """
    offered = isinstance(tx, Open) or tx.aip & Aip.ISSUER_AUTHENTICATION
    if not offered and card.domain.options["pse_arpc_unsupported"] == "6985":
        raise Refusal(SW.CONDITIONS, "the AIP offers no issuer authentication", "pse-pboc 3")
    if tx.issuer.received:
        why = "the issuer is authenticated once"
        failed = replace(tx, issuer=Issuer(received=True))
        return Step(b"", failed, Refusal(SW.CONDITIONS, why, "pse-pboc 3"))
    require_allowed(card, Guard.ARPC)
    received, arc = command.data[:_ARPC_LENGTH], command.data[_ARPC_LENGTH:]
    crypto = card.domain.crypto
    session_key = card.session_key(KeyType.ISSUER_AC, tx.atc)
    crypto.charge(Algorithm.TDES, _ARPC_LENGTH)
    passed = crypto.same(pboc.arpc(session_key, tx.ac1, arc), received)
    tell(card, Guard.ARPC, right=passed)
    if passed:
        return Step(b"", replace(tx, issuer=Issuer(received=True, passed=True, arc=arc)))
    why = "the ARPC is wrong"
    failed = replace(tx, issuer=Issuer(received=True))
    return Step(b"", failed, Refusal(SW.AUTHENTICATION_FAILED, why, "pse-pboc 4.7"))
