"""Check characters of the card number and of the identity number (ssse-lb002 1.3, 1.4).

Both are codecs, not keys; pure, imported by whoever makes or verifies card data.
"""

__all__ = ["card_number_check", "id_number_check", "is_card_number", "is_id_number"]

CARD_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def card_number_check(body: str) -> str:
    """Return the check character of a card number's 8 body characters (0-9, A-Z).

    r = 11 - weighted sum mod 11; 10 is X, 11 is 0. ValueError for another body.
    Source: ssse-lb002 1.3.
    """
    if len(body) != 8 or any(character not in ALPHABET for character in body):
        raise ValueError(f"a card number's body is 8 characters of 0-9 and A-Z, not {body!r}")
    total = sum(ALPHABET.index(c) * w for c, w in zip(body, CARD_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11]


def is_card_number(number: str) -> bool:
    """Whether `number` is 8 body characters and the right check character."""
    body = number[:8]
    well_formed = len(number) == 9 and all(character in ALPHABET for character in body)
    return well_formed and number[8] == card_number_check(body)


def id_number_check(body: str) -> str:
    """Return the check digit of an identity number's first 17 digits.

    The weighted sum mod 11 indexes 10X98765432. Source: ssse-lb002 1.4 (GB 11643).
    """
    if len(body) != 17 or not (body.isascii() and body.isdigit()):
        raise ValueError(f"an identity number's body is 17 digits, not {body!r}")
    total = sum(int(digit) * w for digit, w in zip(body, ID_WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def is_id_number(number: str) -> bool:
    """Whether `number` is 17 digits and the right check digit (form only, not the dates)."""
    body = number[:17]
    well_formed = len(number) == 18 and body.isascii() and body.isdigit()
    return well_formed and number[17] == id_number_check(body)
