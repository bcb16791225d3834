"""Machines around a card: what fails is shrunk and told as a script that `sscard run` takes."""

import pytest
from cli_bench import Cli
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from sscard.apps.pse import scripting
from sscard.cos.domain import Domain
from sscard.errors import TransportError
from sscard.sample import new_card, sample_card
from sscard.testing.faults import faulty, removed
from sscard.testing.machines import CardMachine, PseMachine, SsseMachine
from sscard.testing.strategies import apdus
from sscard.transport.memory import MemoryPort, PoweredSlot

SELECT_SSSE = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
SELECT_DF01, EF05 = "00A4000002DF01", "00B2012C00"
CARD = new_card("v2").snapshot()
COUNTS = settings(
    max_examples=60,
    stateful_step_count=15,
    suppress_health_check=list(HealthCheck),
    deadline=None,
    database=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=[Phase.generate, Phase.shrink],
)


LONGER = settings(COUNTS, max_examples=200, stateful_step_count=25)
"""For mistakes that want a whole transaction; it ends with the first failure."""


class Anything(CardMachine):
    """Commands of the tables, nearly right ones and noise; no model, the monitors alone."""

    profile = "v2"

    @rule()
    def enter(self):
        self.send(SELECT_SSSE, "SELECT SSSE")

    @rule()
    def read_df01(self):
        self.send(SELECT_DF01, "SELECT")
        self.send(EF05, "READ RECORD")

    @rule(apdu=apdus(domain="SSSE"))
    def anything(self, apdu):
        self.send(apdu)


def failure_of(machine, effort=COUNTS):
    """The script a failing machine tells, from its first line, and why it failed."""
    with pytest.raises(AssertionError) as found:
        run_state_machine_as_test(machine, settings=effort)
    why, _, script = str(found.value).partition("\n\n")
    return why, script.partition("\n\n")[0] + "\n"


def steps(script):
    return [
        line
        for line in script.splitlines()
        if line and not line.startswith(("card ", "random ", "#"))
    ]


# ---- without a model ------------------------------------------------------------------------------


def test_monitors_are_content_with_a_sound_card():
    run_state_machine_as_test(Anything, settings=COUNTS)


def test_a_card_without_locks_is_found_by_a_monitor(monkeypatch, tmp_path):
    """The script says what was seen: it passes on the card it came from, and not on a sound one."""
    path = tmp_path / "failure.apdu"
    with monkeypatch.context() as patch:
        patch.setattr(Domain, "require", lambda *_, **__: None)
        why, script = failure_of(Anything)
        path.write_text(script, encoding="utf-8")
        Cli()("run", path)
    assert why == "DF01/EF05 was read, which wants PIN|K88 (read-rights)"
    assert [line.split()[0] for line in steps(script)] == ["SELECT", "SELECT", "READ"]
    assert script.startswith("card v2\n")
    Cli()("run", path, code=1)


def test_a_card_of_somebody_else_is_watched_through_its_port(monkeypatch):
    monkeypatch.setattr(Domain, "require", lambda *_, **__: None)

    class InTheReader(Anything):
        def prepare(self):
            self.insert(MemoryPort(PoweredSlot(CARD.fork())))

    why, script = failure_of(InTheReader)
    assert "read-rights" in why
    assert script.startswith("# the card that was in the reader\n")


# ---- with a model: shrunk, readable, replayed -------------------------------------------------------


def _right_is_kept(patch):
    patch.setattr(Domain, "revoke", lambda *_: None)


def _macs_are_not_looked_at(patch):
    patch.setattr(scripting, "_mac_is_right", lambda card, command, session: True)


@pytest.mark.parametrize(
    ("machine", "plant", "most"),
    [
        pytest.param(SsseMachine, _right_is_kept, 9, id="ssse"),
        pytest.param(PseMachine, _macs_are_not_looked_at, 12, id="pse"),
    ],
)
def test_a_failure_shrinks_to_a_short_script(monkeypatch, tmp_path, machine, plant, most):
    """It fails on the card with the fault, and passes on a sound one."""
    path = tmp_path / "failure.apdu"
    with monkeypatch.context() as patch:
        plant(patch)
        why, script = failure_of(machine, LONGER)
        path.write_text(script, encoding="utf-8")
        Cli()("run", path, code=1)
    assert why.startswith("the card answered")
    assert len(steps(script)) <= most, script
    Cli()("run", path)


# ---- a terminal of one's own -------------------------------------------------------------------------


class Counter:
    """The terminal under test; `patient` asks for the PIN again and again."""

    def __init__(self, *, patient):
        self.patient = patient

    def verify(self, at, entered):
        at.transmit(bytes.fromhex(SELECT_SSSE))
        while True:
            answer = at.transmit(bytes((0, 0x20, 0, 0, len(entered))) + entered)
            if answer == b"\x90\x00" or not self.patient:
                return answer == b"\x90\x00"
            if answer == b"\x69\x83":
                raise RuntimeError("the terminal blocked the card")


class Desk(CardMachine):
    terminal = Counter(patient=False)

    @rule(entered=st.sampled_from([bytes.fromhex("123456"), bytes.fromhex("999999")]))
    def come(self, entered):
        right = self.terminal.verify(self.port, entered)
        assert right == (entered == bytes.fromhex("123456")) or self.tries_left() == 0

    def tries_left(self):
        told = self.send("0020000000")
        return told[1] & 0x0F if told[0] == 0x63 else 0


def test_a_good_terminal_passes():
    run_state_machine_as_test(Desk, settings=COUNTS)


def test_what_a_bad_terminal_sent_is_told_with_its_failure():
    class BadDesk(Desk):
        terminal = Counter(patient=True)

    with pytest.raises(RuntimeError, match="blocked the card") as found:
        run_state_machine_as_test(BadDesk, settings=COUNTS)
    told = "\n".join(found.value.__notes__)
    assert told.count("0020000003 999999") == 7
    assert "-> 6983" in told


def test_a_card_that_is_pulled_out_is_in_the_script():
    class Pulled(Anything):
        def prepare(self):
            self.insert(MemoryPort(faulty(sample_card(), removed(when=2))))

    machine = Pulled()
    machine.enter()
    with pytest.raises(TransportError):
        machine.read_df01()
    assert "not answered" in machine.script


def test_a_reset_is_followed_by_model_monitors_and_script():
    machine = SsseMachine()
    machine.begin()
    machine.verify("")
    machine.restart()
    assert machine.model.session.place not in machine.model.lasting
    assert machine.script.rstrip().endswith("reset")


# ---- the end of a sequence --------------------------------------------------------------------------


def test_a_port_is_closed_at_the_end_of_each_sequence_whatever_happened():
    """An exclusive reader would be busy for the next one otherwise."""
    opened, most = [], []

    class Exclusive(CardMachine):
        def prepare(self):
            self.mine = MemoryPort(PoweredSlot(CARD.fork()))
            opened.append(self.mine)
            most.append(len(opened))
            close = self.mine.close
            self.mine.close = lambda: (close(), opened.remove(self.mine))
            self.insert(self.mine)

        @rule(breaks=st.booleans())
        def anything(self, breaks):
            self.send("0084000008")
            assert not breaks

        def finish(self):
            self.send("0084000008")

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Exclusive, settings=COUNTS)
    assert len(most) > 3
    assert set(most) == {1}
    assert not opened


def test_what_is_read_back_at_the_end_hides_no_failure():
    finished = []

    class Stumbles(Anything):
        stumbled = False

        @rule()
        def stumble(self):
            self.stumbled = True
            raise AssertionError("stumbled")

        def finish(self):
            assert not self.stumbled, "read back"
            finished.append(self.script)

    with pytest.raises(AssertionError, match="stumbled"):
        run_state_machine_as_test(Stumbles, settings=COUNTS)
    assert finished
