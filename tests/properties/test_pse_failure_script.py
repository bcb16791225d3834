"""A failure of PseMachine is told as a script that `sscard run` replays."""

import pytest
from cli_bench import Cli
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from sscard.apps.pse import scripting
from sscard.testing.machines import PseMachine

QUIET = settings(
    max_examples=60,
    stateful_step_count=12,
    suppress_health_check=list(HealthCheck),
    deadline=None,
    database=None,
    derandomize=True,
)


def test_pse_4_8_the_shortest_failure_replays_with_sscard_run(monkeypatch, tmp_path):
    """Script MACs unchecked: the script fails on that card, and passes on a sound one."""
    with monkeypatch.context() as patch:
        patch.setattr(scripting, "_mac_is_right", lambda card, command, session: True)
        with pytest.raises(AssertionError, match="the card answered") as found:
            run_state_machine_as_test(PseMachine, settings=QUIET)
        text = str(found.value)
        script = tmp_path / "failure.apdu"
        script.write_text(text[text.index("card pboc") :], encoding="utf-8")
        Cli()("run", script, code=1)
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 25
    Cli()("run", script)
