"""Access conditions: two bytes that say which proofs an operation needs (cos 2.3).

Pure functions of an AC2 word and two masks. Bit g of a mask is set when a key or PIN with
grant g was proved; bit 15 is the master key of that level.
"""

__all__ = ["ALWAYS", "MASTER_BIT", "NEVER", "of_environment", "satisfied", "single", "valid"]

ALWAYS = 0x0000
NEVER = 0xFFFF
MASTER_BIT = 1 << 15

_OPERAND = 0x80
_ENVIRONMENT = 0x40
_OR = 0x20


def valid(word: int) -> bool:
    """Whether an AC2 word has a defined form; CREATE FILE refuses others with 6A80."""
    if word in (ALWAYS, NEVER):
        return True
    first, second = word >> 8, word & 0xFF
    if first & 0xB0 != _OPERAND:
        return False
    return second == 0 or second & 0x90 == _OPERAND


def single(word: int) -> tuple[bool, int] | None:
    """Return (is of the environment, grant) of a condition with one operand, else None."""
    if word in (ALWAYS, NEVER) or word & 0xFF:
        return None
    return bool(word >> 8 & _ENVIRONMENT), word >> 8 & 0x0F


def of_environment(grant: int) -> int:
    """Return the condition that a key of the environment was proved; FF, no grant: never."""
    return NEVER if grant > 0x0F else (_OPERAND | _ENVIRONMENT | grant) << 8


def satisfied(word: int, directory_mask: int, environment_mask: int) -> bool:
    """Whether the proofs in the two masks satisfy an AC2 word.

    Shapes: `word` 16 bits as stored; masks 16 bits. Source: cos 2.3.
    """
    if word == ALWAYS:
        return True
    if word == NEVER:
        return False
    first, second = word >> 8, word & 0xFF
    mask = environment_mask if first & _ENVIRONMENT else directory_mask
    held = mask >> (first & 0x0F) & 1
    if not second:
        return bool(held)
    mask = environment_mask if second & _ENVIRONMENT else directory_mask
    other = mask >> (second & 0x0F) & 1
    return bool(held | other if second & _OR else held & other)
