"""Planted mistakes: the non-interference properties of test_ni must find each of these."""

import importlib.util
from pathlib import Path

import pytest
from cos_bureau import PSE, SSSE
from cos_walk import CMK

from sscard.cos import authenticate, basic, volume
from sscard.cos.domain import Domain
from sscard.cos.objects import Kind
from sscard.cos.store import Store

SPEC = importlib.util.spec_from_file_location("ni", Path(__file__).with_name("test_ni.py"))
ni = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(ni)


def cmk_keeps_its_power(patch):
    """An owned environment still takes the CMK for its master key."""
    compare = authenticate._comparison

    def careless(domain, key, challenges, data):
        own = compare(domain, key, challenges, data)
        if domain.code == 0 or key.id:
            return own
        near = compare(domain, key._replace(value=CMK), challenges, data)
        return lambda: own() or near()

    patch.setattr(authenticate, "_comparison", careless)


def foreign_memory_read(patch):
    """The window is not looked at when bytes are read, and an SFI that is not here is looked for
    in the other environment."""
    made, looked = Domain.__init__, basic._by_sfi
    domains = {}

    def noting(self, **parts):
        made(self, **parts)
        domains[self.code] = self

    def careless(domain, sfi):
        if sfi in domain.directory.by_sfi:
            return looked(domain, sfi)
        for other in domains.values():
            for node in other.extent.tree.nodes if other is not domain else ():
                if node.header.sfi == sfi and node.kind != Kind.KEY:
                    domain.session.file = node
                    return node
        return looked(domain, sfi)

    patch.setattr(Domain, "__init__", noting)
    patch.setattr(basic, "_by_sfi", careless)
    patch.setattr(Store, "_require", lambda *_: None)


def guard_off(patch):
    """Neither the window of a domain nor the journal looks where a command writes."""
    patch.setattr(Store, "_require", lambda *_: None)
    patch.setattr(volume, "guard", lambda *_: lambda tag, images: [range(1280)])


def rights_kept_over_a_selection(patch):
    """SELECT of an environment keeps the proofs that were made in it."""
    enter = Domain.enter

    def careless(self):
        held = self.session.environment_mask
        enter(self)
        self.session.environment_mask = held

    patch.setattr(Domain, "enter", careless)


# --- what the properties must not mind ----------------------------------------------------------


def conditions_looked_at_twice(patch):
    """Access conditions are evaluated once more than is needed."""
    require = Domain.require

    def twice(self, *rest):
        require(self, *rest)
        require(self, *rest)

    patch.setattr(Domain, "require", twice)


def the_guard_is_tried():
    with pytest.MonkeyPatch.context() as inner:
        ni.test_ni_13_the_guard_fires(SSSE, "own window", inner)


MISTAKES = {
    cmk_keeps_its_power: ni.test_ni_8_the_cmk_has_no_power_over_an_owned_environment,
    foreign_memory_read: lambda: ni.test_ni_3_every_fid_sfi_record_and_offset(
        PSE, everything=False
    ),
    guard_off: the_guard_is_tried,
    rights_kept_over_a_selection: ni.test_ni_2_nothing_survives_a_selection,
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_cos_3_6_the_properties_find(mistake, monkeypatch):
    mistake(monkeypatch)
    with pytest.raises(AssertionError):
        MISTAKES[mistake]()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_cos_3_6_the_properties_are_content_with(mistake, monkeypatch):
    conditions_looked_at_twice(monkeypatch)
    MISTAKES[mistake]()
