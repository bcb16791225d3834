"""A bench for conformance suites over cards in memory, for tests."""

from itertools import count

from sscard.card import Card, Link
from sscard.keys.vault import BankVault, CardForms, Party, Root
from sscard.perso.roots import demo_vault
from sscard.perso.rsa_files import rsa_file
from sscard.terminal import VaultSource
from sscard.testing.conformance import Bench, Outcome, Report, choose, run_suite, suites
from sscard.transport.memory import MemoryPort, PoweredSlot

PIN = bytes.fromhex("123456")
SUITE = suites()["ssse"]
BANK_SUITE = suites()["pse"]
GENERATION = {"v1": "v1", "v3": "v3"}
"""Of a profile; all others are v2."""


class Wrapped:
    """A port that lets a test look at, and change, what passes."""

    def __init__(self, port, change=lambda apdu, answer: answer):
        self.port, self.change, self.sent = port, change, []

    def transmit(self, apdu):
        answer = self.change(apdu, self.port.transmit(apdu))
        self.sent.append((apdu, answer))
        return answer

    def reset(self):
        return self.port.reset()

    def close(self):
        self.port.close()


def bench(card: Card, keys: str | None = "v2", *, pin: bytes | None = PIN, link: Link = "apdu"):
    """Return a bench with a card in it, and the test keys of a profile."""
    source = None
    if keys is not None:
        source = VaultSource(demo_vault(keys), next_number=count(1).__next__)
    return Bench(MemoryPort(PoweredSlot(card, link=link)), source, pin)


def bank_bench(
    card: Card,
    keys: str | None = "pboc",
    *,
    pin: str = "123456",
    link: Link = "apdu",
    switches: dict[str, str] | None = None,
    social: bool = False,
) -> Bench:
    """Return a bench for the bank's suite: a profile's bank keys, CA key and PIN.

    `switches` are what the bench, and the bank, are told of the card; `social` adds the keys and
    the PIN of the other application.
    """
    on = bench(card, keys if social else None, pin=PIN if social else None, link=link)
    on.switches, on.bank_pin, on.ca_keys = switches or {}, pin, (rsa_file("ca-80").ca,)
    if keys is not None:
        vault = demo_vault(keys, Party.BANK)
        vault.install(Root("PVK@PSE", b"FICTIONAL PVK 01", levels=1))
        on.issuer = BankVault(vault, forms=CardForms.of(on.switches))
    return on


EVERYTHING = {"safe": False, "destroy": True}
"""Cards of tests are there to be spoilt."""


def run_bank(on: Bench, *patterns: str, **settings) -> Report:
    """Run the bank's suite, or the cases that fit patterns; not only safe ones."""
    cases = choose(BANK_SUITE.cases("2010"), patterns)
    return run_suite(BANK_SUITE, "2010", on, cases=cases, **(EVERYTHING | settings))


def run(profile: str, *patterns: str, on: Bench, **settings) -> Report:
    """Run a profile's suite on a bench, or the cases that fit patterns; not only safe ones."""
    generation = GENERATION.get(profile, "v2")
    settings = EVERYTHING | settings
    cases = choose(SUITE.cases(generation), patterns)
    return run_suite(SUITE, generation, on, cases=cases, **settings)


def ids(report: Report, outcome: Outcome) -> list[str]:
    """Return the ids of the cases that ended in one way."""
    return [result.case.id for result in report.results if result.outcome is outcome]
