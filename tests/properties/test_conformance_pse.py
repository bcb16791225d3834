"""No card that keeps to the reference fails the bank's conformance suite, whatever its data."""

import pytest
from conformance_desk import bank_bench, run_bank
from hypothesis import HealthCheck, Phase, given, settings

from sscard.sample import new_card
from sscard.testing.pse_machine import PSE_VARIANTS


def hold(examples):
    """Run the suite over cards of random limits, ADA, AIP, issuer data, log format and PDOL."""

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(dgis=PSE_VARIANTS)
    def holds(dgis):
        card = new_card("pboc", {f"pse.df.DF01.dgi.{dgi}": value for dgi, value in dgis.items()})
        report = run_bank(bank_bench(card))
        assert not [(result.case.id, result.reason) for result in report.failures]

    holds()


def test_pse_5_cards_of_any_data_pass():
    hold(4)


@pytest.mark.soak
def test_pse_5_cards_of_any_data_pass_for_long():
    hold(400)
