"""What a powered card is like, as one small hashable value: for Hypothesis' `target`, for sets.

`state(activation)` leaves out what never repeats (random numbers, counters of transactions, file
contents), so that the number of different states a test has seen measures how far it came.
"""

from typing import NamedTuple

from sscard.card import Activation
from sscard.cos.domain import Domain
from sscard.cos.manager import CARD_MANAGER
from sscard.cos.tree import FileNode

__all__ = ["CardState", "DomainState", "state"]


class DomainState(NamedTuple):
    """One domain: the session in it, and what is stored that decides what it answers.

    `name` CM, SSSE, PSE or PSAM; `directory` and `file` the FIDs of the current ones (None: none);
    `rights` the masks of the directory and of the environment (cos 2.3); `challenges` how many
    are valid; `phase` of a transaction, as the class of the application's state is called, ""
    outside of one; `issuer` whether the issuer of that transaction "passed" or "failed", ""
    while it is silent; `life_cycle` DH.state (cos 3.4); `block` DH.block; `mac_left` wrong MACs
    left; `restriction` what the current directory is restricted by, "" for nothing; `tries`
    (directory, key type, key id, tries left) of every counted key, the PINs among them, in the
    order of the files.
    """

    name: str
    directory: int | None
    file: int | None
    rights: tuple[int, int]
    challenges: int
    phase: str
    issuer: str
    life_cycle: int
    block: int
    mac_left: int
    restriction: str
    tries: tuple[tuple[int, int, int, int], ...]


class CardState(NamedTuple):
    """A whole card: `current` the domain that answers ("" for none), its life cycle, its domains.

    `contactless`: it was powered by air. Source: cos 3.4 (`life_cycle`), pse-pboc 1.5.
    """

    current: str
    contactless: bool
    life_cycle: int
    domains: tuple[DomainState, ...]


def state(activation: Activation) -> CardState:
    """Return what a powered card is like now; nothing in the card changes.

    Errors: `ActivationError` when the power is gone.
    """
    kernel = activation.kernel
    current = kernel.current
    domains = kernel.domains
    return CardState(
        "" if current is None else _name(current),
        domains[0].facts.contactless,
        domains[0].facts.card_lcs(),
        tuple(_domain(domains[code]) for code in sorted(domains)),
    )


def _domain(domain: Domain) -> DomainState:
    session = domain.session
    return DomainState(
        _name(domain),
        None if session.directory is None else session.directory.fid,
        None if session.file is None else session.file.fid,
        (session.directory_mask, session.environment_mask),
        len(session.challenges),
        "" if session.app is None else type(session.app).__name__,
        _issuer(session.app),
        domain.header.state,
        domain.header.block,
        domain.header.mac_left,
        "" if session.restriction is None else session.restriction.name,
        _tries(domain),
    )


def _issuer(transaction: object) -> str:
    """What a transaction knows of its issuer; applications without one have no such state."""
    issuer = getattr(transaction, "issuer", None)
    if issuer is None:
        return ""
    return "passed" if issuer.passed else "failed" if issuer.failed else ""


def _name(domain: Domain) -> str:
    name = domain.applet.name
    return "CM" if name == CARD_MANAGER.name else name


def _tries(domain: Domain) -> tuple[tuple[int, int, int, int], ...]:
    root = domain.extent.tree.root
    if root is None:
        return ()
    directories: list[FileNode] = [root, *(n for n in root.descendants() if n.is_directory)]
    return tuple(
        (directory.fid, key.type, key.id, domain.keys.tries_left(key))
        for directory in directories
        for key in domain.keys.records(directory)
        if key.counted
    )
