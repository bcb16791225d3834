"""The holder and the card before the reader: who gives a PIN to whom (ssse-lb002 8, 3.7).

No PIN is asked for a card that has not proved itself. With a PSAM it proves itself in every
call. Without one it does in `iReadCardBas_HSM`, and the reader remembers that card.
"""

from sscard.spec.online import Proof
from sscard.terminal.errors import KeyNotHeld
from sscard.terminal.national.codes import Code
from sscard.terminal.national.equipment import Equipment
from sscard.terminal.national.failures import NationalError
from sscard.terminal.national.pad import Prompt
from sscard.terminal.national.session import Session

__all__ = ["Trust", "ask", "ask_new"]

_LENGTHS = (4, 6, 8, 10, 12, 14, 16)


class Trust:
    """What a reader remembers of the last card that proved itself.

    Interpretation: a reader without a PSAM could otherwise never ask for a PIN, for
    `iVerifyPIN` and `iChangePIN` have no HSM form. It forgets at the sight of another card.
    """

    def __init__(self) -> None:
        self._card: tuple[bytes, bytes] | None = None
        self._proof: Proof | None = None

    def remember(self, session: Session, proof: Proof) -> None:
        """Note that this card has proved itself."""
        self._card, self._proof = session.fingerprint, proof

    def meet(self, equipment: Equipment, i_type: int) -> Session:
        """Open a session; forget the card that was here before if it is not this one.

        Errors: as `Session`, after which no card is remembered either.
        """
        card, proof = self._card, self._proof
        self.forget()
        session = Session(equipment, i_type)
        if card == session.fingerprint:
            self._card, self._proof = card, proof
        return session

    def forget(self) -> None:
        """No card has proved itself."""
        self._card = self._proof = None

    def require(self, session: Session) -> None:
        """Have the card prove itself to the PSAM, or take its proof to an HSM.

        Errors: `NationalError` -21, -2201, -2202; `KeyNotHeld`.
        """
        try:
            session.compute()
            self.remember(session, session.prove_genuine())
        except (NationalError, KeyNotHeld) as error:
            nobody = isinstance(error, KeyNotHeld) or error.code in (
                Code.NO_PSAM,
                Code.PSAM_ALGORITHM,
            )
            if not nobody or self._proof is None or self._card != session.fingerprint:
                raise
            session.visit.proof = self._proof


def ask(equipment: Equipment, prompt: Prompt = Prompt.PIN) -> str:
    """Ask the holder for a PIN. Errors: -31, -32; -33 for other than 4 to 16 digits in pairs."""
    digits = equipment.pad.enter(prompt)
    if len(digits) not in _LENGTHS or not (digits.isascii() and digits.isdecimal()):
        raise NationalError(Code.PIN_LENGTH)
    return digits


def ask_new(equipment: Equipment) -> str:
    """Ask the holder for a new PIN, twice. Errors: as `ask`; -34 when they differ."""
    new = ask(equipment, Prompt.NEW)
    if ask(equipment, Prompt.AGAIN) != new:
        raise NationalError(Code.PIN_MISMATCH)
    return new
