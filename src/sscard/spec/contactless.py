"""Bit fields of the contactless interface in words (pse-pboc 6.2)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["CTQ_BITS", "PROCESSES_BITS", "TTQ_BITS"]

TTQ_BITS: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (1, 8): "MSD supported",
        (1, 7): "contactless PBOC supported",
        (1, 6): "qPBOC supported",
        (1, 5): "contact PBOC supported",
        (1, 4): "offline only",
        (1, 3): "online PIN supported",
        (1, 2): "signature supported",
        (2, 8): "online cryptogram required",
        (2, 7): "cardholder verification required",
        (4, 8): "fDDA version 01 supported",
    }
)
"""(byte, bit) of tag 9F66, terminal transaction qualifiers."""

CTQ_BITS: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (1, 8): "online PIN required",
        (1, 7): "signature required",
        (1, 6): "go online if offline data authentication fails",
        (1, 5): "switch the interface if offline data authentication fails",
        (1, 4): "go online if the application is expired",
        (2, 8): "cardholder verified on the consumer's device",
        (2, 7): "issuer scripts supported",
    }
)
"""(byte, bit) of tag 9F6C, card transaction qualifiers."""

PROCESSES_BITS: Final[Mapping[tuple[int, int], str]] = MappingProxyType(
    {
        (1, 8): "low-value check",
        (1, 7): "low-value and cumulative amount check",
        (1, 6): "low-value or cumulative amount check",
        (1, 5): "new-card check",
        (1, 4): "PIN-try check",
        (1, 3): "another currency may go offline",
        (1, 2): "prefers contacts when online",
        (1, 1): "returns the available offline amount",
        (2, 8): "prepaid",
        (2, 7): "refuses another currency",
        (2, 6): "new card at an offline-only terminal: decline",
        (2, 5): "logs offline approvals",
        (3, 8): "online PIN in the card's currency",
        (3, 7): "online PIN in another currency",
        (3, 6): "cardholder verification in another currency",
        (3, 5): "signature supported",
    }
)
"""(byte, bit) of tag 9F68, card additional processes."""
