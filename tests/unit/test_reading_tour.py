"""What `compare` reads of two cards, what it lets them decide, and what it tells."""

import pytest
from bank_till import AT, Bank, till

from sscard.cli.conformance_profile import bank_keys
from sscard.iso.tlv import find
from sscard.keys.vault import BankVault, Party
from sscard.perso.profile import Profile
from sscard.perso.roots import demo_vault
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


class Heard(MemoryPort):
    """A port that keeps what went by."""

    def __init__(self, card):
        super().__init__(PoweredSlot(card))
        self.log = []

    def transmit(self, apdu):
        answer = super().transmit(apdu)
        self.log.append((apdu.hex().upper(), answer.hex().upper()))
        return answer


@pytest.mark.parametrize("profile", ["pboc", "pboc-ec", "sample"])
def test_an_issuer_approves_either_card_by_its_own_cryptogram(profile):
    """Two cards of one bank with PANs of their own: other keys, and the same decisions."""
    pse = Profile.load(profile).pse
    held = dict(pse.directories[0].dgis)
    other = {
        f"pse.df.DF01.dgi.{dgi:04X}": held[dgi].hex().replace("621095", "621094")
        for dgi in (0x0101, 0x0201)  # track 2 and PAN
    }
    pan = find(held[0x0201], 0x5A).hex().rstrip("f")
    other["pse.df.DF01.pan"] = pan.replace("621095", "621094")
    ports = Heard(new_card(profile)), Heard(new_card(profile, other))
    both = Twins(*ports)
    compare(both, conformance=False, transactions=True, issuer=bank_keys(profile, {}))
    arpcs = []
    for port in ports:
        [(proof, answer)] = [entry for entry in port.log if entry[0].startswith("00820000")]
        assert answer == "9000"
        arpcs.append(proof)
        second = port.log[port.log.index((proof, answer)) + 1]
        assert second[0].startswith("80AE4000")
        assert second[1][4:6] == "40"
        assert second[1].endswith("9000")
    assert arpcs[0] != arpcs[1]
    assert not [found for found in both.differences if found.command.startswith(("80AE", "0082"))]


def test_a_card_that_takes_any_arpc_is_found():
    """Keys of another bank: our card refuses the ARPC, one without a check approves."""

    class Credulous(Heard):
        def transmit(self, apdu):
            answer = super().transmit(apdu)
            return b"\x90\x00" if apdu.startswith(b"\x00\x82\x00\x00") else answer

    own = demo_vault("pboc", Party.BANK)
    both = Twins(Heard(new_card("pboc", {"pse.df.DF01.key.AC.mdk": "11" * 16})),
                 Credulous(new_card("pboc", {"pse.df.DF01.key.AC.mdk": "11" * 16})))  # fmt: skip
    found = compare(both, conformance=False, transactions=True, issuer=BankVault(own))
    assert [difference.seen for difference in found] == ["9000"]
    assert found[0].command.startswith("00820000")


def test_a_second_cryptogram_is_asked_for_with_cdol2():
    """CDOL2 is longer than CDOL1: with the length of the other both cards only said 6700."""
    port = Heard(new_card("pboc"))
    compare(Twins(port, Heard(new_card("pboc"))), conformance=False, transactions=True)
    asked = [answer for sent, answer in port.log if sent.startswith("80AE")]
    assert [answer[-4:] for answer in asked].count("6700") == 0
    online = next(at for at, (sent, _) in enumerate(port.log) if sent.startswith("80AE80"))
    assert port.log[online + 1][0].startswith("80AE0000")
    assert port.log[online + 1][1].endswith("9000")


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
