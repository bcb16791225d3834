"""Access conditions as text and as the two bytes AC2 (ssse-lb002 4.4; cos 2.3). Pure, both ways.

The same text means different bytes in different places: keys 02 to 0E belong to the
environment, 81 to 8E to the current directory, and in a directory that *is* the environment
(a DDF, the MF) both masks are one and the reference writes the directory's.
"""

import re

from sscard.spec.codes import (
    ACCESS_ENVIRONMENT,
    ACCESS_FREE,
    ACCESS_NEVER,
    ACCESS_OPERAND,
    ACCESS_OR,
    MASTER_GRANT,
    PIN_GRANT,
)

__all__ = ["access_text", "access_word"]

_WORDS = {
    "F": ACCESS_FREE,
    "FREE": ACCESS_FREE,
    "-": ACCESS_FREE,
    "N": ACCESS_NEVER,
    "NEVER": ACCESS_NEVER,
    "FF": ACCESS_NEVER,
}
_OPERAND = re.compile(r"PIN|MK|EMK|K(?P<kid>[0-9A-F]{2})|(?P<level>DIR|ENV):(?P<grant>[0-9A-F])")
_FORMS = (
    "F (free), N (never), PIN, MK, EMK, Kxx with a KID of 02..0E or 81..8E, DIR:g or ENV:g, "
    "or two of them joined by | (or) or & (and)"
)


def access_word(text: str, *, environment: bool) -> int:
    """Return the AC2 word of `text` for an object whose directory is, or is not, an environment.

    Shapes: `text` as in `PIN|K88`, `K04`, `F`, `N`; MK is the master key of the directory, EMK
    that of its environment; the word is 16 bits. `environment` is True for objects directly in
    the MF or a DDF. Errors: ValueError that lists the forms. Source: ssse-lb002 4.4.
    """
    plain = text.replace(" ", "").upper()
    word = _WORDS.get(plain)
    if word is not None:
        return word
    first, joint, second = re.fullmatch(r"([^|&]*)([|&]?)(.*)", plain).groups()  # type: ignore[union-attr]
    word = _operand(first, text, environment=environment) << 8
    if joint:
        word |= _operand(second, text, environment=environment)
        word |= ACCESS_OR if joint == "|" else 0
    return word


def _operand(operand: str, text: str, *, environment: bool) -> int:
    match = _OPERAND.fullmatch(operand)
    if match is None:
        raise ValueError(f"{text!r} is not an access condition: {_FORMS}")
    local = ACCESS_OPERAND
    outer = ACCESS_OPERAND | ACCESS_ENVIRONMENT
    if match["level"] is not None:
        return (local if match["level"] == "DIR" else outer) | int(match["grant"], 16)
    if match["kid"] is None:
        named = {"PIN": outer | PIN_GRANT, "MK": local | MASTER_GRANT, "EMK": outer | MASTER_GRANT}
        return named[operand]
    kid = int(match["kid"], 16)
    if 0x02 <= kid <= 0x0E:
        return (local if environment else outer) | kid
    if 0x81 <= kid <= 0x8E and not environment:
        return local | kid & 0x0F
    where = "in an environment KIDs are 02..0E" if environment else "KIDs are 02..0E or 81..8E"
    raise ValueError(f"{text!r} is not an access condition here: {where}")


def access_text(word: int, *, environment: bool) -> str:
    """Return the text of an AC2 word, the mirror of `access_word`.

    Words the usual names do not cover come out in the plain form `DIR:g` and `ENV:g`, so that
    `access_word(access_text(w)) == w` for every valid word. Errors: ValueError for a word of
    no defined form (cos 2.3).
    """
    if word == ACCESS_FREE:
        return "F"
    if word == ACCESS_NEVER:
        return "N"
    first, second = word >> 8, word & 0xFF
    text = _name(first, word, environment=environment)
    if second:
        joint = "|" if second & ACCESS_OR else "&"
        text += joint + _name(second & ~ACCESS_OR, word, environment=environment)
    return text


def _name(operand: int, word: int, *, environment: bool) -> str:
    if operand & 0xB0 != ACCESS_OPERAND or word >> 16:
        raise ValueError(f"{word:04X} is not an access condition (cos 2.3)")
    grant = operand & 0x0F
    outer = bool(operand & ACCESS_ENVIRONMENT)
    for name in ("PIN", "MK", "EMK", f"K{grant:02X}", f"K{grant | 0x80:02X}"):
        try:
            if _operand(name, name, environment=environment) == operand:
                return name
        except ValueError:
            continue  # a KID that cannot stand here
    return f"{'ENV' if outer else 'DIR'}:{grant:X}"
