"""Compare: the same commands to an emulated card and to another one, differences in words.

`Twins` is a port to both; whoever sends through it (a reading tour, a conformance suite) hears
the emulated card, and every answer of the other is held against it.
"""

from sscard.keys.vault import BankVault
from sscard.testing.compare.tour import reading_tour
from sscard.testing.compare.transactions import transactions as _transactions
from sscard.testing.compare.twins import Twins
from sscard.testing.conformance import Bench, run_suite, suites
from sscard.testing.replay import Difference

__all__ = ["Twins", "compare", "reading_tour"]


def compare(
    twins: Twins,
    *,
    conformance: bool = True,
    transactions: bool = False,
    issuer: BankVault | None = None,
) -> list[Difference]:
    """Read both cards, run the safe conformance cases on both, and return what differed.

    Nothing is sent that changes data or burns a try on a card that behaves, unless
    `transactions`: then both bank applications decide on three transactions of amount 0, and with
    an `issuer` that has the keys of both on a fourth that it approves. Errors: `TransportError`
    when a card is gone, `VaultError` when the issuer lacks a key; what was found until then is in
    `twins`.
    """
    reading_tour(twins)
    if transactions:
        _transactions(twins, issuer)
    if conformance:
        bench = Bench(twins)
        for suite in suites().values():
            if not suite.absent(bench):
                run_suite(suite, suite.generation_of(bench), bench, safe=True)
    return twins.differences
