"""Planted mistakes: the machine of test_ssse_access must find each of these, and nothing else."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from sscard.apps.ssse import authentication, blocking, pin, pin_management
from sscard.cos import authenticate, basic, lifecycle, records, secure
from sscard.cos.commands import Survives
from sscard.cos.domain import Domain
from sscard.cos.refusal import Refusal
from sscard.cos.rng import Drbg
from sscard.cos.store import Store
from sscard.testing.machines import SsseMachine

# --- what the machine must find --------------------------------------------------------------------


def pin_not_asked_for_one_file(patch):
    """EF06 of DF04, the off-line settlement, is read without the PIN."""
    require = Domain.require

    def careless(self, word, what, ref="cos 2.3"):
        if not (what == "reading the file" and word == 0xC184):
            require(self, word, what, ref)

    patch.setattr(Domain, "require", careless)


def challenge_used_twice(patch):
    """EXTERNAL AUTHENTICATE leaves its challenge valid."""
    taken = authenticate._challenges_for

    def keeping(domain, key):
        held = domain.session.challenges
        usable = taken(domain, key)
        domain.session.challenges = held
        return usable

    patch.setattr(authenticate, "_challenges_for", keeping)


def right_kept_after_a_wrong_pin(patch):
    """A wrong PIN does not take the PIN's right away."""
    patch.setattr(pin, "_prove", _without_revoking(pin._prove))


def right_kept_after_a_wrong_cryptogram(patch):
    """A wrong cryptogram does not take the key's right away."""
    patch.setattr(authenticate, "authenticate", _without_revoking(authenticate.authenticate))
    patch.setattr(authentication, "authenticate", _without_revoking(authentication.authenticate))


def _without_revoking(function):
    def careless(domain, *rest):
        revoke, Domain.revoke = Domain.revoke, lambda *_: None
        try:
            return function(domain, *rest)
        finally:
            Domain.revoke = revoke

    return careless


def right_kept_in_another_directory(patch):
    """SELECT of another DFxx keeps the rights of the one left."""
    select = Domain.select

    def careless(self, node):
        held = self.session.directory_mask
        select(self, node)
        if node.parent is not None:
            self.session.directory_mask = held

    patch.setattr(Domain, "select", careless)


def pin_kept_when_the_ssse_is_selected(patch):
    """SELECT of the SSSE keeps what was proved in it."""
    enter = Domain.enter

    def careless(self):
        held = self.session.environment_mask
        enter(self)
        self.session.environment_mask = held

    patch.setattr(Domain, "enter", careless)


def siblings_key_accepted(patch):
    """A key of DF01 is proved with the key of the same KID of DF02."""
    compare = authenticate._comparison

    def careless(domain, key, challenges, data):
        own = compare(domain, key, challenges, data)
        nodes = [node for node in domain.extent.tree.nodes if node.fid == 0xDF02]
        named = (key.type, key.id)
        twins = [k for n in nodes for k in domain.keys.records(n) if (k.type, k.id) == named]
        near = compare(domain, twins[0], challenges, data) if twins else lambda: False
        return lambda: own() or near()

    patch.setattr(authenticate, "_comparison", careless)


def tag_not_compared(patch):
    """UPDATE RECORD takes a record with another tag or inner length."""
    slot, read, given = basic._slot, Store.read, {}

    def noting(domain, node, command):
        found = slot(domain, node, command)
        given.clear()
        if command.ins == 0xDC:
            given[found.address] = command.data[:2]
        return found

    def careless(self, address, length):
        return (
            given.pop(address) if length == 2 and address in given else read(self, address, length)
        )

    patch.setattr(basic, "_slot", noting)
    patch.setattr(Store, "read", careless)


def mac_not_checked(patch):
    """Any MAC will do."""
    patch.setattr(secure.Protection, "mac", lambda self, protected: self._received)
    protect = secure.protected_command

    def careless(domain, command, key, **rest):
        secure.Protection._received = command.data[-4:]
        return protect(domain, command, key, **rest)

    for user in (secure, blocking, pin_management):
        patch.setattr(user, "protected_command", careless)


def block_ignored_by_reads(patch):
    """READ RECORD works in a blocked application."""
    gate = Domain.gate

    def careless(self, row):
        gate(self, row._replace(survives=Survives.BLOCKED) if row.ins == 0xB2 else row)

    patch.setattr(Domain, "gate", careless)


def try_not_spent(patch):
    """A wrong PIN or cryptogram costs nothing."""
    patch.setattr(Domain, "prove", lambda self, key, compare: compare())


def wrong_macs_not_counted(patch):
    """Wrong MACs never block."""

    def forgiving(domain, *counters):
        return Refusal(lifecycle.SW.SM_WRONG, "the MAC is wrong", "cos 6.1")

    patch.setattr(lifecycle, "_failed", forgiving)


def last_byte_lost(patch):
    """What is longer than 30 bytes is written without its last byte."""
    write = Store.write

    def careless(self, address, data):
        write(self, address, data[:-1] if len(data) > 30 else data)

    patch.setattr(Store, "write", careless)


def change_pin_proves_it(patch):
    """CHANGE PIN sets the PIN's right."""
    replace = pin.replace_pin

    def careless(domain, key, digits):
        replace(domain, key, digits)
        domain.session.environment_mask |= 1 << key.grant

    patch.setattr(pin, "replace_pin", careless)


MISTAKES = [
    pin_not_asked_for_one_file,
    challenge_used_twice,
    right_kept_after_a_wrong_pin,
    right_kept_after_a_wrong_cryptogram,
    right_kept_in_another_directory,
    pin_kept_when_the_ssse_is_selected,
    siblings_key_accepted,
    tag_not_compared,
    mac_not_checked,
    block_ignored_by_reads,
    try_not_spent,
    wrong_macs_not_counted,
    last_byte_lost,
    change_pin_proves_it,
]

# --- what it must not ------------------------------------------------------------------------------


def other_random_numbers(patch):
    """The card draws other numbers."""
    take = Drbg.take
    patch.setattr(Drbg, "take", lambda self, length: bytes(b ^ 0x5A for b in take(self, length)))


def records_looked_for_anew(patch):
    """The card parses a record file for every command."""
    patch.setattr(records, "_variable_slots", records._parse_slots)


def play(examples, steps=40):
    run_state_machine_as_test(
        type("Planted", (SsseMachine,), {}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_ssse_4_the_machine_finds(mistake, monkeypatch, record_property):
    mistake(monkeypatch)
    with pytest.raises(AssertionError, match="the card ") as found:
        play(600)
    record_property("planted", f"{mistake.__doc__} -> {str(found.value).splitlines()[0]}")


@pytest.mark.parametrize(
    "change", [other_random_numbers, records_looked_for_anew], ids=lambda c: c.__name__
)
def test_ssse_4_the_machine_is_content_with(change, monkeypatch):
    change(monkeypatch)
    play(60)
