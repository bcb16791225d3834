"""Mistakes planted in the debit application, and changes that alter nothing (docs/testing.md).

Each is a function of pytest's `monkeypatch`. A general tool that knows nothing of them must find
every one of `BUGS` (the conformance suite `MORE_BUGS`, too), and none of `NEUTRAL`.
"""

from dataclasses import replace
from types import SimpleNamespace

from sscard.apps.pse import authentication, generate, log, machine, scripting
from sscard.apps.pse.application import Application
from sscard.apps.pse.cvr import Ac
from sscard.apps.pse.layout import Indicator
from sscard.apps.pse.machine import Step
from sscard.apps.pse.risk import first, limits, second
from sscard.apps.pse.transaction import Finished, Online
from sscard.cos.crypto import Crypto
from sscard.cos.domain import Domain


def atc_not_raised(patch):
    """GPO counts in the transaction, and does not keep it."""
    write = Application.write_counters

    def careless(self, counters):
        held = self.counters
        if counters.atc != held.atc:
            counters = counters._replace(atc=held.atc)
        write(self, counters)

    patch.setattr(Application, "write_counters", careless)


def any_arpc_accepted(patch):
    anything = b"any"
    same = Crypto.same
    patch.setattr(authentication, "pboc", SimpleNamespace(arpc=lambda *_: anything))
    patch.setattr(
        Crypto, "same", staticmethod(lambda one, other: one is anything or same(one, other))
    )


def script_mac_not_checked(patch):
    patch.setattr(scripting, "_mac_is_right", lambda card, command, session: True)


def arqc_asked_twice(patch):
    """The second GENERATE AC takes a request for an ARQC as one for a TC."""

    def careless(card, command, tx):
        if command.p1 & 0xC0 == 0x80:
            command = command._replace(p1=0x40)
        return sound(card, command, tx)

    sound = generate.second_generate_ac
    patch.setattr(generate, "second_generate_ac", careless)


def try_not_spent(patch):
    """A wrong PIN costs nothing."""
    patch.setattr(Domain, "prove", lambda self, key, compare: compare())


def script_failure_not_cleared(patch):
    """An approval of the issuer forgets everything but the failed script."""
    patch.setattr(second, "_SETTLED", second._SETTLED & ~Indicator.SCRIPT_FAILURE)


def online_indicator_cleared_without_the_issuer(patch):
    """Y3 counts as if the issuer had answered."""
    sound = second._unable_to_go_online

    def careless(card, counters, *rest):
        verdict = sound(card, counters, *rest)
        kept = verdict.counters.marked(Indicator.ONLINE_AUTHORISATION, value=False)
        return verdict._replace(counters=kept)

    patch.setattr(second, "_unable_to_go_online", careless)


def foreign_currency_not_counted(patch):
    patch.setattr(limits, "foreign_currency", lambda card, terminal: False)


def log_not_written(patch):
    patch.setattr(log, "append", lambda card, atc, *sources: None)


def scripts_counted_before_the_second(patch):
    """Scripts of template 71 count as those of 72 do."""
    note = scripting._note

    def careless(card, *, failed=False, counted=False):
        note(card, failed=failed, counted=True)

    patch.setattr(scripting, "_note", careless)


def scripts_taken_after_a_wrong_arpc(patch):
    sound = scripting._open_session

    def careless(state, name):
        if isinstance(state, scripting.Session):
            state = replace(state, issuer=state.issuer._replace(passed=True))
        return sound(state, name)

    patch.setattr(scripting, "_open_session", careless)


def scripts_taken_after_a_wrong_mac(patch):
    sound = scripting._open_session

    def careless(state, name):
        if isinstance(state, scripting.Session):
            state = replace(state, scripts_over=False)
        return sound(state, name)

    patch.setattr(scripting, "_open_session", careless)


def tvr_of_a_failed_sda_not_kept(patch):
    patch.setattr(limits, "_TVR_SDA", 0)


def limit_reached_not_passed(patch):
    """The lower limit of transactions off line counts from one less."""
    sound = first.over
    patch.setattr(first, "over", lambda value, limit: sound(value + 1, limit))


def third_cryptogram(patch):
    """The second GENERATE AC may come again."""
    sound = generate.second_generate_ac

    def careless(card, command, tx):
        return Step(sound(card, command, tx).data, tx)

    again = {(Online, "GENERATE AC"): frozenset({Online})}
    patch.setattr(machine, "NEXT", {**machine.NEXT, **again})
    patch.setattr(generate, "second_generate_ac", careless)


def tc_after_aac(patch):
    """A first AAC leaves the transaction open for a second GENERATE AC."""
    sound = generate.first_generate_ac

    def careless(card, command, tx):
        step = sound(card, command, tx)
        if not isinstance(step.then, Finished):
            return step
        online = Online(tx.atc, tx.profile, tx.pdol_data, command.data, {}, bytes(8), tx.cvr)
        return Step(step.data, online)

    patch.setattr(generate, "first_generate_ac", careless)


def more_than_asked(patch):
    """Asked for an ARQC the card answers what it would have answered to a TC."""
    sound = generate.first_answer

    def careless(data, counters, so_far, terminal, requested):
        asked = Ac.TC if requested is Ac.ARQC else requested
        return sound(data, counters, so_far, terminal, asked)

    patch.setattr(generate, "first_answer", careless)


def blocked_and_yet_approving(patch):
    """Risk management forgets that the application is blocked."""
    patch.setattr(Application, "blocked", property(lambda self: False))


def seven_bytes_compared(patch):
    same = Crypto.same
    patch.setattr(
        Crypto, "same", staticmethod(lambda a, b: same(a[:7], b[:7]) and len(a) == len(b))
    )


def any_pin_accepted(patch):
    patch.setattr(Domain, "prove", lambda self, key, compare: True)


def signature_of_another_transaction(patch):
    """DDA signs the ATC before."""
    sound = authentication.dynamic_signature
    patch.setattr(
        authentication, "dynamic_signature", lambda card, atc, *rest: sound(card, atc - 1, *rest)
    )


MORE_BUGS = [
    third_cryptogram, tc_after_aac, more_than_asked, blocked_and_yet_approving,
    seven_bytes_compared, any_pin_accepted, signature_of_another_transaction,
]  # fmt: skip
"""Those that the model's machine is not asked about."""

BUGS = [
    atc_not_raised, any_arpc_accepted, script_mac_not_checked, arqc_asked_twice, try_not_spent,
    script_failure_not_cleared, online_indicator_cleared_without_the_issuer,
    foreign_currency_not_counted, log_not_written, scripts_counted_before_the_second,
    scripts_taken_after_a_wrong_arpc, scripts_taken_after_a_wrong_mac,
    tvr_of_a_failed_sda_not_kept, limit_reached_not_passed,
]  # fmt: skip

# --- what alters nothing ------------------------------------------------------------------------


def counters_written_twice(patch):
    """The same bytes twice in one transaction: one more operation, no other content."""
    write = Application.write_counters

    def twice(self, counters):
        write(self, counters)
        write(self, counters)

    patch.setattr(Application, "write_counters", twice)


def pin_tries_read_twice(patch):
    """A value asked for once more than is needed."""
    tries = Application.pin_tries.fget
    patch.setattr(Application, "pin_tries", property(lambda self: (tries(self), tries(self))[0]))


NEUTRAL = [counters_written_twice, pin_tries_read_twice]
