"""Comparison of secrets in time that does not depend on where they differ (cos 4.7)."""

from hmac import compare_digest

__all__ = ["equal"]


def equal(expected: bytes, received: bytes) -> bool:
    """Whether two MACs, cryptograms or PINs are the same bytes (lengths may show)."""
    return compare_digest(expected, received)
