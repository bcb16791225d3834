"""The planted faults of docs/testing.md: what is wrong, what finds it, the test that shows it."""

from typing import NamedTuple

LOCKSTEP_SSSE = "SSSE and model in lockstep"
LOCKSTEP_PSE = "debit application and model in lockstep"
NI = "non-interference"
TEAR = "tear sweep"
CONFORMANCE = "conformance suite"
MONITOR = "monitor over a trace"

_SSSE = "tests/properties/test_ssse_access_planted.py::test_ssse_4_the_machine_"
_PSE = "tests/properties/test_pse_model_planted.py::test_pse_a_"
_NI = "tests/properties/test_ni_planted.py::test_cos_3_6_the_properties_"
_TEAR = "tests/tear/test_planted.py::test_the_sweeps_catch"
_TEAR_NEUTRAL = "tests/tear/test_planted.py::test_the_sweeps_are_content_with"
_MONITOR = "tests/unit/test_monitors.py::test_"
_SUITE = "tests/unit/test_conformance.py::test_planted_bugs_of_the_card_are_found"
_BANK = "tests/unit/test_conformance_pse.py::test_planted_bugs_of_the_bank_application_are_found"
_CONTACTLESS = (
    "tests/unit/test_conformance_contactless.py::test_mistakes_planted_in_the_card_are_found"
)
_BANK_NEUTRAL = (
    "tests/unit/test_conformance_pse.py::test_neutral_changes_of_the_bank_application_are_not_found"
)


class Planted(NamedTuple):
    """A change of the card, the tool that meets it, and the id of the test that plants it."""

    what: str
    tool: str
    test: str


FOUND = (
    Planted("a file is read without the PIN", LOCKSTEP_SSSE, f"{_SSSE}finds[pin_not_asked_for_one_file]"),
    Planted("a challenge can be used again", LOCKSTEP_SSSE, f"{_SSSE}finds[challenge_used_twice]"),
    Planted("a right is kept after a wrong PIN", LOCKSTEP_SSSE, f"{_SSSE}finds[right_kept_after_a_wrong_pin]"),
    Planted("a right is kept in another directory", LOCKSTEP_SSSE, f"{_SSSE}finds[right_kept_in_another_directory]"),
    Planted("the key of another DF is accepted", LOCKSTEP_SSSE, f"{_SSSE}finds[siblings_key_accepted]"),
    Planted("the MAC of a protected update is not checked", LOCKSTEP_SSSE, f"{_SSSE}finds[mac_not_checked]"),
    Planted("a wrong PIN costs no try", LOCKSTEP_SSSE, f"{_SSSE}finds[try_not_spent]"),
    Planted("the ATC is not raised", LOCKSTEP_PSE, f"{_PSE}planted_mistake_is_found[atc_not_raised]"),
    Planted("any ARPC is accepted", LOCKSTEP_PSE, f"{_PSE}planted_mistake_is_found[any_arpc_accepted]"),
    Planted("the MAC of a script is not checked", LOCKSTEP_PSE, f"{_PSE}planted_mistake_is_found[script_mac_not_checked]"),
    Planted("scripts are taken after a wrong ARPC", LOCKSTEP_PSE, f"{_PSE}planted_mistake_is_found[scripts_taken_after_a_wrong_arpc]"),
    Planted("the log is not written", LOCKSTEP_PSE, f"{_PSE}planted_mistake_is_found[log_not_written]"),
    Planted("the CMK keeps its power over an owned environment", NI, f"{_NI}find[cmk_keeps_its_power]"),
    Planted("an SFI reaches into the other environment", NI, f"{_NI}find[foreign_memory_read]"),
    Planted("the firewall's guard is off", NI, f"{_NI}find[guard_off]"),
    Planted("rights survive the selection of an environment", NI, f"{_NI}find[rights_kept_over_a_selection]"),
    Planted("recovery rolls nothing forward", TEAR, f"{_TEAR}[nothing_replayed]"),
    Planted("a command writes its pages without a transaction", TEAR, f"{_TEAR}[no_transaction]"),
    Planted("the pages of a command are committed one by one", TEAR, f"{_TEAR}[page_by_page]"),
    Planted("a try is spent after the comparison", TEAR, f"{_TEAR}[try_spent_afterwards]"),
    Planted("a hand-over happens in two steps", TEAR, f"{_TEAR}[handed_over_in_two]"),
    Planted("a replaced key stays in the journal", TEAR, f"{_TEAR}[no_scrub]"),
    Planted("a right is kept when its proof fails", CONFORMANCE, f"{_SUITE}[keeps a right when its proof fails]"),
    Planted("an application is blocked without the lock key", CONFORMANCE, f"{_SUITE}[blocks without the lock key]"),
    Planted("a blocked application is read", CONFORMANCE, f"{_SUITE}[reads what is blocked]"),
    Planted("the medical account is debited on any MAC1", CONFORMANCE, f"{_SUITE}[debits on any MAC1]"),
    Planted("the medical account's balance wants no PIN", CONFORMANCE, f"{_SUITE}[tells the balance to everybody]"),
    Planted("files are updated on any MAC", CONFORMANCE, f"{_SUITE}[updates on any MAC]"),
    Planted("the SSSE's line key protects every directory", CONFORMANCE, f"{_SUITE}[takes the line key of the environment everywhere]"),
    Planted("one right is taken for any other", CONFORMANCE, f"{_SUITE}[takes one right for any other]"),
    Planted("the ATC is not kept", CONFORMANCE, f"{_BANK}[atc_not_raised]"),
    Planted("every ARPC is right", CONFORMANCE, f"{_BANK}[any_arpc_accepted]"),
    Planted("seven bytes of an ARPC are compared", CONFORMANCE, f"{_BANK}[seven_bytes_compared]"),
    Planted("a script needs no MAC", CONFORMANCE, f"{_BANK}[script_mac_not_checked]"),
    Planted("scripts go on after a wrong MAC", CONFORMANCE, f"{_BANK}[scripts_taken_after_a_wrong_mac]"),
    Planted("there is a third cryptogram", CONFORMANCE, f"{_BANK}[third_cryptogram]"),
    Planted("an AAC may become a TC", CONFORMANCE, f"{_BANK}[tc_after_aac]"),
    Planted("the card answers more than it was asked", CONFORMANCE, f"{_BANK}[more_than_asked]"),
    Planted("a blocked application approves", CONFORMANCE, f"{_BANK}[blocked_and_yet_approving]"),
    Planted("any PIN is the right one", CONFORMANCE, f"{_BANK}[any_pin_accepted]"),
    Planted("a wrong PIN of the bank costs no try", CONFORMANCE, f"{_BANK}[try_not_spent]"),
    Planted("nothing is logged", CONFORMANCE, f"{_BANK}[log_not_written]"),
    Planted("foreign money is not counted", CONFORMANCE, f"{_BANK}[foreign_currency_not_counted]"),
    Planted("DDA signs another transaction", CONFORMANCE, f"{_BANK}[signature_of_another_transaction]"),
    Planted("qPBOC runs with a terminal that does not offer it", CONFORMANCE, f"{_CONTACTLESS}[quick_without_an_offer]"),
    Planted("qPBOC approves what must go on line", CONFORMANCE, f"{_CONTACTLESS}[approves_what_must_go_on_line]"),
    Planted("files are read without any right", MONITOR, f"{_MONITOR}planted_files_without_a_lock"),
    Planted("rights are kept after a wrong PIN", MONITOR, f"{_MONITOR}planted_rights_kept_after_a_failed_pin"),
    Planted("wrong PINs cost nothing", MONITOR, f"{_MONITOR}planted_tries_that_are_not_spent"),
    Planted("a challenge serves two proofs", MONITOR, f"{_MONITOR}planted_challenge_that_can_be_used_again"),
    Planted("the ATC does not outlive a transaction", MONITOR, f"{_MONITOR}planted_atc_that_is_not_kept"),
    Planted("SELECT does not end a transaction", MONITOR, f"{_MONITOR}planted_select_that_ends_no_transaction"),
    Planted("a transaction goes on after its second cryptogram", MONITOR, f"{_MONITOR}planted_transaction_that_never_ends"),
    Planted("a TC follows a declined first cryptogram", MONITOR, f"{_MONITOR}planted_tc_after_a_declined_first_cryptogram"),
    Planted("scripts are taken after a wrong ARPC", MONITOR, f"{_MONITOR}planted_scripts_taken_after_a_wrong_arpc"),
    Planted("the random numbers are stuck", MONITOR, f"{_MONITOR}planted_random_numbers_that_are_stuck"),
    Planted("rights survive the selection of an environment", MONITOR, f"{_MONITOR}planted_rights_kept_over_a_selection"),
)  # fmt: skip

UNFOUND = (
    Planted("other random numbers are drawn", LOCKSTEP_SSSE, f"{_SSSE}is_content_with[other_random_numbers]"),
    Planted("record files are parsed anew for every command", LOCKSTEP_SSSE, f"{_SSSE}is_content_with[records_looked_for_anew]"),
    Planted("the same counters are written twice in one transaction", LOCKSTEP_PSE, f"{_PSE}neutral_change_is_not_found[counters_written_twice]"),
    Planted("the tries of the PIN are read twice", LOCKSTEP_PSE, f"{_PSE}neutral_change_is_not_found[pin_tries_read_twice]"),
    Planted("counters are written twice", CONFORMANCE, f"{_BANK_NEUTRAL}[counters_written_twice]"),
    Planted("PIN tries are read twice", CONFORMANCE, f"{_BANK_NEUTRAL}[pin_tries_read_twice]"),
    Planted("access conditions are looked at twice", NI, f"{_NI}are_content_with[cmk_keeps_its_power]"),
    Planted("the tries of a key are written twice", MONITOR, f"{_MONITOR}neutral_tries_written_twice"),
    Planted("the condition of a file is asked for twice", MONITOR, f"{_MONITOR}neutral_file_conditions_asked_twice"),
    Planted("every page goes home twice", TEAR, f"{_TEAR_NEUTRAL}[home_twice]"),
    Planted("the last page of a transaction goes home first", TEAR, f"{_TEAR_NEUTRAL}[home_in_reverse]"),
)  # fmt: skip


def lines(rows):
    """The table of docs/testing.md for these rows."""
    head = ["| change of the card | met by | test |", "|---|---|---|"]
    return [*head, *(f"| {row.what} | {row.tool} | {_place(row.test)} |" for row in rows)]


def _place(test):
    path, name = test.split("::")
    case = name[name.index("[") + 1 : -1] if "[" in name else name.removeprefix("test_")
    return f"`{path.removeprefix('tests/')}` {case.replace('_', ' ')}"
