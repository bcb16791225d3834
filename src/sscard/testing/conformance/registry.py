"""The suites there are, by name. A new suite is one line here (docs/conformance.md)."""

from collections.abc import Mapping
from types import MappingProxyType

from sscard.testing.conformance.model import Suite
from sscard.testing.conformance.pse import PSE_SUITE
from sscard.testing.conformance.ssse import SSSE_SUITE

__all__ = ["suites"]


def suites() -> Mapping[str, Suite]:
    """Return all suites by name."""
    return MappingProxyType({suite.name: suite for suite in (SSSE_SUITE, PSE_SUITE)})
