"""Cases of the contactless interface: run there, not run with the reason on contacts, and able to fail."""

from types import SimpleNamespace

import pytest
from cli_bench import Cli
from conformance_desk import Wrapped, bank_bench, ids, run_bank

from sscard.apps.pse import quick
from sscard.apps.pse.risk import Ttq
from sscard.sample import new_card
from sscard.testing.conformance import Outcome
from sscard.transport import MemoryPort, PoweredSlot

CASES = [
    "CONTACTLESS/directory",
    "CONTACTLESS/pdol",
    "CONTACTLESS/online",
    "CONTACTLESS/not-offered",
]


def contactless_bench(change=lambda apdu, answer: answer, settings=None):
    card = new_card("pboc-contactless", settings)
    on = bank_bench(card, "pboc-contactless")
    source = SimpleNamespace(power_on=lambda link: card.power_on(link, interface="contactless"))
    on.port = Wrapped(MemoryPort(PoweredSlot(source)), change)
    return on


def test_on_the_contactless_interface_they_pass_and_those_of_the_contacts_are_not_run():
    report = run_bank(contactless_bench())
    assert not report.failures, [(r.case.id, r.reason) for r in report.failures]
    passed = ids(report, Outcome.PASSED)
    assert set(CASES) <= set(passed)
    reasons = {r.case.id: r.reason for r in report.results}
    assert "contactless interface" in reasons["FIRST_AC/input/9F02"]


@pytest.mark.parametrize("profile", ["pboc", "pboc-contactless"])
def test_on_contacts_they_are_not_run_and_say_why(profile):
    report = run_bank(bank_bench(new_card(profile), profile), "CONTACTLESS/*")
    assert ids(report, Outcome.NOT_RUN) == CASES
    assert {r.reason for r in report.results} == {
        "the card is on its contacts: its PDOL does not ask for 9F66"
    }


@pytest.mark.parametrize("told", ["5F340101", ""], ids=["in the answer", "in a record alone"])
def test_a_second_card_of_a_pan_whose_records_wait_for_gpo_has_its_own_keys(told):
    """The sequence number leads to them; before GPO this card does not tell it."""
    live = new_card("pboc-contactless").power_on()
    live.transmit(bytes.fromhex("00A4040008A000000333010101"))
    personal = live.transmit(bytes.fromhex("00B2011400"))[:-2]
    assert b"\x5f\x34\x01\x00" in personal
    settings = {
        "options.pse_read_before_gpo": "6985",
        "pse.df.DF01.psn": "01",
        "pse.df.DF01.dgi.0201": personal.hex().replace("5f340100", "5f340101"),
        "pse.df.DF01.dgi.0E01": f"9F510201569F520282409F5601809F570201569F360200009F13020000{told}",
    }
    report = run_bank(contactless_bench(settings=settings), "CONTACTLESS/*")
    assert ids(report, Outcome.PASSED) == CASES


def edit(command, old, new):
    """Change bytes in the answers to one command."""
    return lambda apdu, answer: answer.replace(old, new) if apdu[1] == command else answer


def another_cryptogram(apdu, answer):
    """Alter the last byte of 9F26."""
    at = answer.find(b"\x9f\x26\x08") + 10
    if apdu[1] != 0xA8 or at < 10:
        return answer
    return answer[:at] + bytes((answer[at] ^ 1,)) + answer[at + 1 :]


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("online", another_cryptogram),
        ("directory", edit(0xA4, b"\xbf\x0c", b"\xbf\x0d")),
        ("pdol", edit(0xA4, b"\x9f\x37\x04", b"\x9f\x37\x02")),
        ("online", edit(0xA8, b"\x9f\x26\x08", b"\x9f\x27\x08")),
        ("online", edit(0xCA, b"\x9f\x36\x02\x00\x01", b"\x9f\x36\x02\x00\x00")),
        ("not-offered", edit(0xA8, b"\x69\x85", b"\x90\x00")),
    ],
    ids=[
        "other cryptogram",
        "no list",
        "short number",
        "no cryptogram",
        "ATC not kept",
        "taken all the same",
    ],
)
def test_planted_mistakes_are_found(case, change):
    report = run_bank(contactless_bench(change), f"CONTACTLESS/{case}")
    assert [result.case.id for result in report.failures] == [f"CONTACTLESS/{case}"]


def quick_without_an_offer(patch):
    """The card goes on with a terminal that does not offer qPBOC."""
    patch.setattr(quick, "require_offered", lambda card, terms: None)


def approves_what_must_go_on_line(patch):
    """The card does not look at `online cryptogram required`."""
    sound = quick.quick_answer

    def careless(data, counters, so_far, terminal, ttq):
        return sound(data, counters, so_far, terminal, ttq & ~Ttq.ONLINE_CRYPTOGRAM)

    patch.setattr(quick, "quick_answer", careless)


PLANTED = {
    quick_without_an_offer: "CONTACTLESS/not-offered",
    approves_what_must_go_on_line: "CONTACTLESS/online",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_mistakes_planted_in_the_card_are_found(plant, monkeypatch):
    plant(monkeypatch)
    report = run_bank(contactless_bench(), "CONTACTLESS/*")
    assert [result.case.id for result in report.failures] == [PLANTED[plant]]


def test_at_the_command_line(tmp_path):
    cli, image = Cli(), tmp_path / "card.img"
    cli("new", image, "--profile", "pboc-contactless")
    words = ("conformance", "--image", image, "--profile", "pboc-contactless", "--all",
             "--case", "CONTACTLESS/*")  # fmt: skip
    assert "4 not run" in cli(*words)
    assert "4 passed" in cli(*words, "--interface", "contactless")
    cli(*words, "--interface", "nfc", code=2)
    cli("new", image, "--profile", "pboc", "--force")
    cli("conformance", "--image", image, "--interface", "contactless", code=3)
    assert "no contactless interface" in cli.errors
    cli("conformance", "--reader", "X", "--interface", "contactless", code=2)
    assert "for image files" in cli.errors
