"""A bench for conformance suites over cards in memory, for tests."""

from sscard.card import Card, Link
from sscard.perso.roots import demo_vault
from sscard.terminal import VaultSource
from sscard.testing.conformance import Bench, Outcome, Report, choose, run_suite, suites
from sscard.transport.memory import MemoryPort, PoweredSlot

PIN = bytes.fromhex("123456")
SUITE = suites()["ssse"]
GENERATION = {"v1": "v1", "v3": "v3"}
"""Of a profile; all others are v2."""


def bench(card: Card, keys: str | None = "v2", *, pin: bytes | None = PIN, link: Link = "apdu"):
    """Return a bench with a card in it, and the test keys of a profile."""
    source = None if keys is None else VaultSource(demo_vault(keys))
    return Bench(MemoryPort(PoweredSlot(card, link=link)), source, pin)


def run(profile: str, *patterns: str, on: Bench, **settings) -> Report:
    """Run a profile's suite on a bench, or the cases that fit patterns; not only safe ones."""
    generation = GENERATION.get(profile, "v2")
    settings = {"safe": False} | settings
    cases = choose(SUITE.cases(generation), patterns)
    return run_suite(SUITE, generation, on, cases=cases, **settings)


def ids(report: Report, outcome: Outcome) -> list[str]:
    """Return the ids of the cases that ended in one way."""
    return [result.case.id for result in report.results if result.outcome is outcome]
