"""pse-pboc 1 to 5: a debit card and its independent model in lockstep over random transactions."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from sscard.testing.pse_machine import PseMachine

CARDS = {
    "default": {},
    "answers": {
        "pse_ac_format": "77",
        "pse_next_name": "6A82",
        "pse_failed_select": "keep",
        "pse_empty_get_response": "6D00",
        "pse_record_zero": "6A86",
        "pse_read_before_gpo": "6985",
        "pse_cda_unsupported": "ignore",
        "pse_put_data_limit": "6985",
        "pse_long_record": "6A83",
    },
    "tables": {
        "pse_approving_arcs": "strict",
        "pse_declined_counts": "no",
        "pse_conversion": "rounded",
        "pse_log_declined": "on",
        "pse_pin_blocks": "6985",
        "pse_open_without_pin": "no",
        "pse_arpc_unsupported": "6985",
    },
    "pin": {
        "verify_state": "any",
        "pin_malformed": "6A80",
        "pin_decipherment": "wrong",
        "pse_pin_change_roles": "swapped",
    },
}


def machine(name):
    return type(f"Pse_{name}", (PseMachine,), {"settings": CARDS[name]})


def play(subject, examples, steps=25):
    run_state_machine_as_test(
        subject,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            deadline=None,
        ),
    )


@pytest.mark.parametrize("name", CARDS)
def test_pse_3_5_card_and_model_agree(name):
    play(machine(name), 25)


@pytest.mark.soak
@pytest.mark.parametrize("name", CARDS)
def test_pse_3_5_card_and_model_agree_for_long(name):
    play(machine(name), 3_000, steps=60)
