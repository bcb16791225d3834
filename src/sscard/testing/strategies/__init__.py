"""Hypothesis strategies for cards, terminals and whatever parses what they say.

`apdus` draws commands, `sessions` whole sequences that hold the keys of their card and come past
authentication, `tlvs` and `dols` what stands in data fields, `profiles` and `images` cards,
sound and damaged, `tears` where the power fails. All arguments are keyword-only, and a wrong one
raises ValueError (ProfileError for profiles and states) when the strategy is made. What fails
shrinks to something short.

    @given(apdu=apdus(domain="SSSE"))
    def test_my_parser_takes_it(apdu): ...

This package and the machines, and they alone, import `hypothesis`: install `sscard[test-kit]`.
How to use them: docs/fuzzing.md.
"""

from sscard.testing.strategies.cards import Image, Made, images, profiles, tears
from sscard.testing.strategies.commands import apdus
from sscard.testing.strategies.objects import dols, tlvs
from sscard.testing.strategies.sessions import Exchanged, Order, Session, sessions

__all__ = [
    "Exchanged",
    "Image",
    "Made",
    "Order",
    "Session",
    "apdus",
    "dols",
    "images",
    "profiles",
    "sessions",
    "tears",
    "tlvs",
]
