"""What a file asks for before it is read or written, as a plan for the terminal (ssse-lb002 4.4).

A rule of the file tables (`F`, `N`, `PIN`, `K04`, `PIN|K88`, `PIN&K84`) becomes alternatives,
each a set of proofs; the terminal takes the first it can fulfil.
"""

import re
from typing import NamedTuple

__all__ = ["Proofs", "alternatives"]

_OPERAND = re.compile(r"PIN|K([0-9A-F]{2})")


class Proofs(NamedTuple):
    """What must be proved together: the holder's PIN, and keys by KID."""

    pin: bool = False
    kids: tuple[int, ...] = ()


def alternatives(rule: str) -> tuple[Proofs, ...]:
    """Return the ways to fulfil a rule; none at all for `N`.

    The PIN comes first in the reference's rules, and so it does here. Errors: ValueError for
    text that is no rule. Source: ssse-lb002 4.4.
    """
    if rule == "F":
        return (Proofs(),)
    if rule == "N":
        return ()
    if "|" in rule:
        return tuple(_joint(part) for part in rule.split("|"))
    return (_joint(rule),)


def _joint(rule: str) -> Proofs:
    pin, kids = False, []
    for operand in rule.split("&"):
        match = _OPERAND.fullmatch(operand)
        if match is None:
            raise ValueError(f"{rule!r} is no access rule of the file tables")
        if match[1] is None:
            pin = True
        else:
            kids.append(int(match[1], 16))
    return Proofs(pin, tuple(kids))
