"""How a proof turned out, in words."""

from sscard.inspect.explanation import Explanation

__all__ = ["unverified", "verdict"]


def verdict(what: str, under: str, *, right: bool) -> Explanation:
    """Return that something was computed again, with what, and whether it is the same."""
    return Explanation(f"{what} verified", f"{'right' if right else 'WRONG'} under {under}")


def unverified(what: str, why: str) -> Explanation:
    """Return that something could not be computed, and why."""
    return Explanation(f"{what} not verified", why)
