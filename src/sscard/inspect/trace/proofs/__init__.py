"""What proves something in a trace, computed again with keys and compared.

Cryptograms, MACs, signatures and certificates of both sides. Everything that depends on the card
is taken from the trace itself (`facts`); what the trace does not show, or shows masked, is not
verified, and the result says so.
"""

from sscard.inspect.trace.proofs.facts import Facts, values_of
from sscard.inspect.trace.proofs.prover import Prover

__all__ = ["Facts", "Prover", "values_of"]
