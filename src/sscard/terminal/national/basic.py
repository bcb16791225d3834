"""What the basic functions tell of a card (ssse-lb002 8; LD/T 33)."""

from sscard.terminal.errors import KeyNotHeld
from sscard.terminal.national.session import Session
from sscard.terminal.national.texts import text_of

__all__ = ["basic_text", "terminal_number"]

_ISSUED, _EXPIRES = 0x05, 0x06


def basic_text(session: Session) -> str:
    """Read EF06 and return the eleven fields of `iReadCardBas`, each with `|` behind it.

    The name is 姓名 and 姓名扩展 together. Errors: as reading EF06.
    """
    card, holder = session.card, session.desk.holder()
    fields = (
        card.region,
        holder.number,
        card.number,
        card.code.hex().upper(),
        holder.name,
        card.historical.hex().upper(),
        card.version,
        text_of(card.value(_ISSUED)),
        text_of(card.value(_EXPIRES)),
        terminal_number(session),
        session.equipment.device,
    )
    return "".join(f"{field}|" for field in fields)


def terminal_number(session: Session) -> str:
    """Return the PSAM's terminal number, 12 digits; without one the reader's own."""
    try:
        return session.visit.source.terminal_number().hex().upper()
    except KeyNotHeld:
        return session.equipment.terminal
