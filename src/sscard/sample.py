"""Finished cards: a profile brought onto a blank chip through the card's own commands.

`sample_card()` is the shipped one: the citizen of ssse-lb002 10 with the bank data of
pse-pboc 11, deterministic to the last byte.
"""

from collections.abc import Mapping
from functools import lru_cache

from sscard.builder import chip_of
from sscard.card import Card, Snapshot
from sscard.env import Env
from sscard.perso.profile import Profile
from sscard.perso.psam import PsamProfile
from sscard.perso.psam_script import psam_script
from sscard.perso.script import Perso, carry_out, personalise

__all__ = ["blank_card", "new_card", "new_psam", "sample_card", "sample_psam"]


def sample_card(env: Env | None = None) -> Card:
    """Return the finished sample card: both environments OPERATIONAL, holder PIN 123456."""
    card = _finished("sample").fork()
    if env is not None:
        card.env = card.eeprom.env = env
    return card


def sample_psam(env: Env | None = None) -> Card:
    """Return the finished PSAM of the sample card's province: its keys prove themselves to it."""
    card = _finished_psam("psam").fork()
    if env is not None:
        card.env = card.eeprom.env = env
    return card


def new_card(
    profile: str | Profile = "sample",
    overrides: Mapping[str, object] | None = None,
    *,
    env: Env | None = None,
    perso: Perso = "native",
) -> Card:
    """Return a card personalised from a profile, by APDUs.

    `overrides` change the profile first, as `Profile.load` takes them; `perso` "cps" brings the
    bank's data through the secure channel of EMV CPS. Raises ProfileError, or
    PersonalisationError naming the step a card refused.
    """
    loaded = profile if isinstance(profile, Profile) else Profile.load(profile, overrides or {})
    card = blank_card(loaded, env=env)
    activation = card.power_on()
    personalise(loaded, activation.transmit, perso)
    activation.power_off()
    return card


def new_psam(
    profile: str | PsamProfile = "psam",
    overrides: Mapping[str, object] | None = None,
    *,
    env: Env | None = None,
) -> Card:
    """Return a PSAM personalised from a PSAM profile, by APDUs. Arguments as in `new_card`."""
    loaded = profile
    if not isinstance(loaded, PsamProfile):
        loaded = PsamProfile.load(loaded, overrides or {})
    card = blank_card(loaded, env=env)
    activation = card.power_on()
    carry_out(psam_script(loaded), activation.transmit)
    activation.power_off()
    return card


def blank_card(profile: Profile | PsamProfile, *, env: Env | None = None) -> Card:
    """Return the blank chip a profile begins with."""
    return Card.blank(chip_of(profile), env=env)


@lru_cache(maxsize=8)
def _finished(name: str) -> Snapshot:
    """Personalise once a process; every caller gets a fork of the same snapshot."""
    return new_card(name).snapshot()


@lru_cache(maxsize=4)
def _finished_psam(name: str) -> Snapshot:
    return new_psam(name).snapshot()
