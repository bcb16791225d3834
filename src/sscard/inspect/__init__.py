"""Human views of cards: schemas, explanations, image tools. The home of `construct`.

`explain` puts bytes into words; `tree`, `dump`, `diff`, `fsck` and `clone` work on card images
as bytes, without running a card, and never write to what they are given. Views are data first:
each has `lines()` of plain text and `to_json()`. Keys, PINs and personal data are left out
unless asked for.
"""

from sscard.inspect.cloning import CLONE_WARNING, clone
from sscard.inspect.consistency import fsck
from sscard.inspect.difference import Difference, diff
from sscard.inspect.explaining import KINDS, explain, explain_event
from sscard.inspect.explanation import Explanation
from sscard.inspect.finding import Finding, Severity
from sscard.inspect.pagedump import Dump, dump
from sscard.inspect.treeview import ImageView, tree

__all__ = [
    "CLONE_WARNING",
    "KINDS",
    "Difference",
    "Dump",
    "Explanation",
    "Finding",
    "ImageView",
    "Severity",
    "clone",
    "diff",
    "dump",
    "explain",
    "explain_event",
    "fsck",
    "tree",
]
