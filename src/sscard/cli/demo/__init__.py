"""`sscard demo`: a blank chip becomes a dual-application card, and the card is put to use.

`making` is what the card maker and the two owners do, `social` and `debit` what terminals and
the bank do with the finished card. They know the card only by the APDUs of a `client`, and compute
their side with `world`, which holds keys and no card. `report` is what happened, as data;
`show` puts it on a screen, `story` tells it from the beginning to the end.
"""

from sscard.cli.demo.story import tell

__all__ = ["tell"]
