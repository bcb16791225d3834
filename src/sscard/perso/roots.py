"""The fictional roots a profile derives its cards from, as keys of a vault (cos 4.6, 8.2).

A profile names a key where it stands; a vault names it KEY@PLACE: the master keys are
CMK@MF, EMK-S@SSSE, EMK-P@PSE and AMK@DF01, an issuer master key is MDK-AC@PSE.DF01, others
keep their name (UK@SSSE). The first master key of an environment is an older version of the
owner's. Only for shipped and test profiles: real roots never stand in a profile.
"""

from collections.abc import Iterator, Mapping

from sscard.errors import ProfileError
from sscard.keys.block import Algorithm
from sscard.keys.vault import CardIdentity, MemoryVault, Party, Root
from sscard.perso import sources
from sscard.perso.profile import Profile
from sscard.perso.psam import PsamProfile
from sscard.perso.psam_vault import MASTER_NAMES
from sscard.perso.table import Table
from sscard.spec.codes import ALGORITHMS

__all__ = ["card_identity", "demo_vault", "psam_roots", "roots"]

_PATH = ("province", "city", "card")
_MASTERS = {"MF": "CMK", "SSSE": "EMK-S", "PSE": "EMK-P"}


def demo_vault(
    profile: str = "sample",
    party: Party = Party.SOCIAL,
    overrides: Mapping[str, object] | None = None,
) -> MemoryVault:
    """Return a vault of test keys: one party's roots of a profile, by default the sample card's.

    Errors: ProfileError.
    """
    return MemoryVault(party, roots(profile, party, overrides), test=True)


def roots(
    profile: str, party: Party, overrides: Mapping[str, object] | None = None
) -> tuple[Root, ...]:
    """Return one party's keys of a profile; those it gives by value have no levels.

    Keys of SSF33 are left out: no vault can work with them.

    Errors: ProfileError, also when a key's factors are not the last of province, city, card.
    """
    top = _top(profile, overrides)
    found: list[Root] = []
    for section, place in (("cm", "MF"), ("ssse", "SSSE"), ("pse", "PSE")):
        found += _directory(top.table(section), place, "3des") if section in top else ()
    return tuple(
        root
        for root in found
        if Party.of(root.name) is party and root.algorithm is not Algorithm.SSF33
    )


def psam_roots(
    profile: str = "psam", overrides: Mapping[str, object] | None = None
) -> tuple[Root, ...]:
    """Return the master keys of a PSAM profile: what a vault protects its key load with.

    Errors: ProfileError.
    """
    masters = PsamProfile.load(profile, overrides).masters
    return tuple(
        Root(name, key.value, 1, Algorithm(key.algorithm), levels=0)
        for name, key in zip(MASTER_NAMES, masters, strict=True)
    )


def card_identity(profile: str, overrides: Mapping[str, object] | None = None) -> CardIdentity:
    """Return what the keys of a profile's card depend on; the PAN is the first one it gives.

    Errors: ProfileError.
    """
    loaded = Profile.load(profile, overrides)
    top = _top(profile, overrides)
    tables = [top.table("pse"), *top.table("pse").tables("df").values()]
    owner = next((table for table in tables if "pan" in table), Table({}))
    return CardIdentity(
        loaded.region, loaded.card_factor, owner.text("pan", ""), owner.text("psn", "00")
    )


def _top(profile: str, overrides: Mapping[str, object] | None) -> Table:
    return Table(sources.with_settings(sources.read(profile), overrides or {}))


def _directory(table: Table, place: str, algorithm: str) -> Iterator[Root]:
    """Yield the keys of a directory and those below it; `algorithm` is for keys that say none."""
    algorithm = table.text("algorithm", algorithm)
    for word in ("transport", "master"):
        inner = table.table(word)
        if word in table and inner.flag("present", True):
            yield _root(inner, f"{_MASTERS.get(place, 'AMK')}@{place}", algorithm)
    for name, inner in table.tables("key").items():
        issuer = "MDK-" if "mdk" in inner else ""
        yield _root(inner, f"{issuer}{name}@{place}", algorithm)
    for name, inner in table.tables("df").items():
        below = f"PSE.{name}" if place.startswith("PSE") else name
        yield from _directory(inner, below, algorithm)


def _root(table: Table, name: str, inherited: str) -> Root:
    algorithm = Algorithm(table.choice("algorithm", ALGORITHMS, inherited))
    version = table.number("version", 1, 255, 1)
    if "mdk" in table:
        return Root(name, table.secret("mdk", 16), version, algorithm, levels=1)
    if "value" in table:
        value = table.secret("value", algorithm.key_length)
        return Root(name, value, version, algorithm, levels=0)
    words = table.texts("factors", _PATH)
    if words != _PATH[len(_PATH) - len(words) :]:
        raise ProfileError(
            f"{table.where('factors')}: a vault leads a key through the last of {', '.join(_PATH)}"
        )
    return Root(name, table.secret("root", 16), version, algorithm, levels=len(words))
