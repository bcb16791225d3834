"""A bank for `sscard pay` that answers at once, with the fictional keys of pse-pboc 11.

It verifies the cryptogram, and the PIN when one came on line, and approves what 10,000 yuan
allow. It books nothing and remembers nothing: an issuer's host is another matter.
"""

from sscard.cli.demo.world import BANK
from sscard.iso.tlv import encode, parse
from sscard.keys import equal
from sscard.keys.vault import MemoryVault, Party, Root
from sscard.spec.banking import (
    Acknowledgement,
    AuthorisationRequest,
    AuthorisationResponse,
    ClearingBatch,
    ClearingResult,
    Completion,
    Kind,
    Reversal,
)
from sscard.terminal.bank import VaultPinKey

__all__ = ["DemoHost", "pin_vault"]

_PIN_KEY = b"FICTIONAL TPK 01"
_PIN = "123456"
_BALANCE_FEN = 10_000_00
_SIGNED = (0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82, 0x9F36)
"""The terminal's part of a cryptogram of version 01, then AIP and ATC (pse-pboc 4.4)."""
_CVR = slice(3, 7)


def pin_vault() -> MemoryVault:
    """Return the vault that the demo host and its terminals share: an invented TPK@PSE."""
    return MemoryVault(Party.BANK, (Root("TPK@PSE", _PIN_KEY, levels=1),), test=True)


class DemoHost:
    """An `Authoriser` without accounts."""

    def authorise(self, request: AuthorisationRequest) -> AuthorisationResponse:
        """Verify cryptogram and PIN, look at the amount."""
        elements = dict(parse(request.icc))
        arc, reason = self._decide(request, elements)
        arpc = BANK.response(
            request.pan,
            request.psn,
            int.from_bytes(elements[0x9F36], "big"),
            elements[0x9F26],
            arc.encode("ascii"),
        )
        data = encode(0x91, arpc + arc.encode("ascii"))
        approved = arc == "00"
        balance = _BALANCE_FEN if approved and request.kind is Kind.BALANCE else None
        return AuthorisationResponse(arc, reason, data, "DEMO01" if approved else "", balance)

    def _decide(self, request: AuthorisationRequest, elements: dict[int, bytes]) -> tuple[str, str]:
        data = b"".join(elements.get(tag, b"") for tag in _SIGNED) + elements.get(0x9F10, b"")[_CVR]
        atc = int.from_bytes(elements[0x9F36], "big")
        if not equal(BANK.cryptogram(request.pan, request.psn, atc, data), elements[0x9F26]):
            return "05", "the cryptogram is not this card's"
        if request.pin_block:
            right = VaultPinKey(pin_vault(), request.terminal_id)(_PIN, request.pan)
            if not equal(right, request.pin_block):
                return "55", "wrong PIN"
        if request.amount_fen > _BALANCE_FEN:
            return "51", "insufficient funds"
        return "00", "approved"

    def complete(self, completion: Completion) -> Acknowledgement:
        """Hear how it ended."""
        return Acknowledgement(accepted=True)

    def reverse(self, reversal: Reversal) -> Acknowledgement:
        """Hear that it did not come about."""
        return Acknowledgement(accepted=True)

    def clear(self, batch: ClearingBatch) -> ClearingResult:
        """Count a batch."""
        total = sum(item.amount_fen for item in batch.items)
        return ClearingResult(batch.batch, len(batch.items), total)
