"""A failure of PseMachine is told as a script that `sscard run` replays."""

import pytest
from cli_bench import Cli
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from sscard.apps.pse import scripting
from sscard.testing.machines import PseMachine

QUIET = settings(
    max_examples=200,
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
)


def test_pse_4_8_a_failure_replays_with_sscard_run(monkeypatch, tmp_path):
    """Script MACs unchecked: the script fails on that card, and passes on a sound one."""
    with monkeypatch.context() as patch:
        patch.setattr(scripting, "_mac_is_right", lambda card, command, session: True)
        with pytest.raises(AssertionError, match="the card answered") as found:
            run_state_machine_as_test(PseMachine, settings=QUIET)
        text = str(found.value).split("\nassert ")[0]  # pytest's own explanation
        script = tmp_path / "failure.apdu"
        script.write_text(text[text.index("card pboc") :], encoding="utf-8")
        Cli()("run", script, code=1)
    Cli()("run", script)
