"""Cards that answer nonsense: whoever looks at them ends with an outcome or an error of ours."""

import random
from contextlib import suppress

import pytest
from conformance_desk import bank_bench

from sscard.errors import SscardError
from sscard.inspect.trace import RecordedPort, Recorder, dumps, loads, masked_trace, story
from sscard.keys.vault import Party
from sscard.perso.roots import demo_vault
from sscard.perso.rsa_files import rsa_file
from sscard.sample import new_card
from sscard.testing.capture import capture, to_toml
from sscard.testing.compare import Twins, compare
from sscard.testing.conformance import run_suite, suites, to_html, to_json, to_junit, to_text
from sscard.testing.monitors import monitors, watch
from sscard.transport import MemoryPort, PoweredSlot

PROFILES = ("sample", "pboc", "pboc-ec", "v3", "v1", "v2-social-only", "pboc-16")
STATUS = ("6F00", "6982", "6A82", "6105", "6C03", "9000", "63C2", "6283")
KEYS = (demo_vault(), demo_vault("pboc", Party.BANK))


class Garbled:
    """A port whose answers are now and then cut, longer, altered, or something else."""

    def __init__(self, port, seed):
        self.port, self.dice = port, random.Random(seed)
        self.often = self.dice.choice((0.02, 0.1, 0.5))

    def transmit(self, apdu):
        answer = bytearray(self.port.transmit(apdu))
        if self.dice.random() < self.often:
            self.dice.choice((self._bit, self._cut, self._noise, self._status, self._more))(answer)
        return bytes(answer)

    def reset(self):
        atr = bytearray(self.port.reset())
        if self.dice.random() < 0.2:
            self._bit(atr)
        return bytes(atr)

    def close(self):
        self.port.close()

    def _bit(self, answer):
        answer[self.dice.randrange(len(answer))] ^= 1 << self.dice.randrange(8)

    def _cut(self, answer):
        del answer[self.dice.randrange(len(answer) - 1) : -2]

    def _noise(self, answer):
        answer[:] = self.dice.randbytes(self.dice.randrange(40)) + b"\x90\x00"

    def _status(self, answer):
        answer[-2:] = bytes.fromhex(self.dice.choice(STATUS))

    def _more(self, answer):
        answer[-2:-2] = self.dice.randbytes(3)


def garbled(seed):
    profile = PROFILES[seed % len(PROFILES)]
    return profile, Garbled(MemoryPort(PoweredSlot(new_card(profile))), seed)


@pytest.mark.parametrize("seed", range(35))
def test_a_capture_is_a_profile_or_says_why_not(tmp_path, seed):
    _, port = garbled(seed)
    path = tmp_path / "seen.toml"
    with suppress(SscardError):
        path.write_text(to_toml(capture(port, transaction=seed % 2 == 0)), encoding="utf-8")
        new_card(str(path))


@pytest.mark.parametrize("seed", range(7))
def test_a_comparison_finds_differences(seed):
    profile, port = garbled(seed)
    twins = Twins(MemoryPort(PoweredSlot(new_card(profile))), port)
    with suppress(SscardError):
        compare(twins, conformance=False, transactions=True)
    assert twins.sent


@pytest.mark.parametrize("seed", range(28))
def test_cases_end_and_their_traffic_is_explained(seed):
    _, port = garbled(seed)
    recorder = Recorder("port", show_secrets=True)
    bench = bank_bench(new_card("blank"), "sample", social=True)
    bench.port = RecordedPort(port, recorder)
    for suite in suites().values():
        with suppress(SscardError):
            generation = suite.generation_of(bench)
            chosen = [case for n, case in enumerate(suite.cases(generation)) if n % 25 == seed % 25]
            report = run_suite(suite, generation, bench, cases=chosen, safe=False)
            for render in (to_text, to_json, to_junit, to_html):
                assert render(report)
    for trace in (recorder.trace, masked_trace(recorder.trace)):
        assert list(story(trace, keys=KEYS, ca_keys=(rsa_file("ca-80").ca,)))
        watch(loads(dumps(trace)), monitors())
