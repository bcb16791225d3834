"""What `compare` reads of two cards, what it lets them decide, and what it tells."""

from bank_till import AT, Bank, till

from sscard.sample import new_card
from sscard.states import card_in_state
from sscard.testing.compare import Twins, compare
from sscard.transport import MemoryPort, PoweredSlot


def twins(*cards):
    return Twins(*(MemoryPort(PoweredSlot(card)) for card in cards))


def test_every_item_of_a_file_is_compared():
    """The card number is the seventh record of EF05."""
    both = twins(new_card("v2"), new_card("v2", {"ssse.ef.EF05.values.07": "ZZ7777777"}))
    assert [found.command for found in compare(both, conformance=False)] == ["00B2072C00"]


def test_rows_are_compared_to_the_last_one_either_card_has():
    read = {"ssse.df.DF02.ef.EF07.read": "F"}
    row = ["1234567", "20240101", "20250101", "某单位"]
    rows = {"ssse.df.DF02.ef.EF07.rows": [row] * 4}
    for cards in ((read, read | rows), (read | rows, read)):
        both = twins(*(new_card("v2", settings) for settings in cards))
        found = compare(both, conformance=False)
        assert [difference.command for difference in found] == [
            f"00B20{number}3C00" for number in range(1, 5)
        ]


def test_records_of_the_bank_beyond_sfi_10_are_compared():
    """EF 14 is one of those that only the issuer uses, outside a terminal's SFI 1 to 10."""
    place = "pse.df.DF01.ef.EF14"
    file = {f"{place}.{key}": value for key, value in {
        "kind": "variable", "record_max": 4, "records": 5, "read": "F", "update": "N",
        "content": ["01", "02", "03", "04", "0507"],
    }.items()}  # fmt: skip
    both = twins(new_card("pboc", file), new_card("pboc", file | {
        f"{place}.content": ["01", "02", "03", "04", "0508"]
    }))  # fmt: skip
    assert [found.command for found in compare(both, conformance=False)] == ["00B205A400"]


def test_the_decision_on_an_accepted_transaction_is_compared():
    """A card that has been on line accepts; one that never was wants to go there first."""
    known = new_card("pboc")
    assert till(known, host=Bank()).pay(100, AT).approved
    both = twins(known, new_card("pboc"))
    read = len(compare(both, conformance=False))
    found = compare(both, conformance=False, transactions=True)[read:]
    [tc] = [difference for difference in found if difference.command.startswith("80AE40")]
    assert (tc.expected[4:6], tc.seen[4:6]) == ("40", "80")


def test_what_follows_from_a_failed_select_is_counted_not_told():
    both = twins(new_card("sample"), new_card("blank"))
    found = compare(both)
    assert len(found) < 20
    assert [difference.command[:8] for difference in found[1:3]] == ["00A40400", "00A40400"]
    assert sum(both.following.values()) > 200
    assert both.following.keys() <= set(range(len(found)))


def test_a_blocked_application_is_one_difference():
    """The answer to SELECT differs, what is refused behind it follows."""
    both = twins(new_card("sample"), card_in_state("app-blocked-temporary"))
    [found] = compare(both, conformance=False)
    assert (found.expected[-4:], found.seen[-4:]) == ("9000", "6283")
    assert both.following[0] > 100


def test_a_directory_of_its_own_trouble_hides_nothing_else():
    changed = {"ssse.df.DF02.present": False, "ssse.df.DF03.ef.EF05.read": "N"}
    reading = {"ssse.df.DF03.ef.EF05.read": "F"}
    both = twins(new_card("v2", reading), new_card("v2", changed))
    found = compare(both, conformance=False)
    assert found[0].command.startswith("00A4000002DF02")
    assert {difference.command[6:] for difference in found[1:]} == {"2C00"}
