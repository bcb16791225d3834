"""A whole trace in words: every entry explained where it stands, cryptograms verified.

Data objects that a DOL asked for are named and decoded; TVR, CVR, AIP and CVM results come in
words. Secrets are left out unless they are asked for, and what a trace has masked stays so.
"""

from collections.abc import Iterable, Iterator

from sscard.inspect.explaining.answers import explain_answer
from sscard.inspect.explaining.ber import explain_object
from sscard.inspect.explaining.catalogue import place_name
from sscard.inspect.explaining.commands import explain_command
from sscard.inspect.explaining.detect import explain
from sscard.inspect.explanation import Explanation, masked
from sscard.inspect.names import domain_name
from sscard.inspect.trace.entries import (
    Apdu,
    Commit,
    Entry,
    Failure,
    Mute,
    Power,
    Random,
    Recovery,
    Trace,
    Write,
)
from sscard.inspect.trace.follow import Follower, Step
from sscard.inspect.trace.octets import Octets
from sscard.inspect.trace.proofs import Prover, values_of
from sscard.keys.vault import BaseVault
from sscard.spec.ca_keys import CaKey

__all__ = ["story"]

_GPO, _GENERATE = 0xA8, 0xAE
_PDOL = 0x9F38
_PAGES_SHOWN = 8


def story(
    trace: Trace,
    *,
    keys: Iterable[BaseVault] = (),
    ca_keys: Iterable[CaKey] = (),
    reveal: bool = False,
    details: bool = True,
) -> Iterator[Explanation]:
    """Yield an explanation for each entry of a trace, in order.

    `keys` verify cryptograms and MACs, `ca_keys` certificates and signatures. `details` False
    leaves out what only an emulated card tells of itself: writes, transactions, random values.
    """
    vaults, authorities = tuple(keys), tuple(ca_keys)
    follower, prover = Follower(), Prover(*vaults, ca_keys=authorities)
    for number, entry in enumerate(trace.entries, 1):
        step = follower.see(entry)
        if isinstance(entry, Power):
            prover.power(entry)
        if isinstance(entry, Apdu) and step is not None:
            tree = _exchange(entry, step, prover, verify=bool(vaults or authorities))
        elif isinstance(entry, Write | Commit | Random | Recovery) and not details:
            continue
        else:
            tree = _other(entry)
        named = Explanation(
            f"{number} {tree.label}", tree.value, tree.raw, tree.parts, tree.ref, tree.secret
        )
        yield named if reveal and not trace.header.masked else masked(named)


def _exchange(entry: Apdu, step: Step, prover: Prover, *, verify: bool) -> Explanation:
    dol = prover.dol()
    asked = _command(entry.command, step)
    data = _objects(step, prover.element(_PDOL), dol)
    proofs = tuple(prover.see(step))
    parts = [*asked.parts, *data, _answer(entry.response, step)]
    if verify:
        parts += proofs
    if entry.refused is not None:
        parts.append(Explanation("refused because", entry.refused.why, ref=entry.refused.ref))
    if entry.sent is not None:
        parts.append(Explanation("the relay sent instead", str(entry.sent)))
    if entry.answered is not None:
        parts.append(Explanation("the card had answered", str(entry.answered)))
    raw = b"" if entry.command.hidden else asked.raw
    return Explanation(asked.label, _where(step), raw, tuple(parts), asked.ref)


def _where(step: Step) -> str:
    place = step.before
    words = ["place not known" if place.domain is None else f"in {place_name(place.domain)}"]
    if place.directory is not None:
        words.append(f"{place.directory:04X}")
    if step.apdu.elapsed_us is not None:
        words.append(f"{step.apdu.elapsed_us} us, {step.apdu.operations} EEPROM operations")
    return ", ".join(words)


def _command(octets: Octets, step: Step) -> Explanation:
    if step.command is None:
        return Explanation("command", f"not a short command APDU, or masked: {octets}")
    place = step.before
    tree = explain_command(step.command, place.domain, place.directory)
    return _hidden(tree, octets, "data")


def _answer(octets: Octets, step: Step) -> Explanation:
    if len(octets) < 2:
        return Explanation("answer", "shorter than a status word", octets.data)
    place = step.before
    tree = explain_answer(octets.data, step.answers, place.domain, place.directory)
    return _hidden(tree, octets, "")


def _hidden(tree: Explanation, octets: Octets, part: str) -> Explanation:
    """Take away what was made of masked bytes: their zeros mean nothing."""
    if not octets.hidden or any(piece.secret for piece in _walk(tree)):
        return masked(tree) if octets.hidden else tree
    parts = [
        piece
        if piece.label in ("CLA", "INS", "P1", "P2", "P1 P2", "Lc", "Le", "SW")
        else Explanation(piece.label, "masked")
        for piece in tree.parts
    ]
    return Explanation(tree.label, tree.value, b"", tuple(parts), tree.ref)


def _walk(tree: Explanation) -> Iterator[Explanation]:
    yield tree
    for part in tree.parts:
        yield from _walk(part)


def _objects(step: Step, pdol: bytes | None, cdol: bytes | None) -> Iterator[Explanation]:
    """Name the values of GET PROCESSING OPTIONS and GENERATE AC by the list that asked."""
    command = step.command
    if command is None or command.cla != 0x80 or not step.apdu.command.whole:
        return
    data, dol = command.data, None
    if command.ins == _GPO and data[:1] == b"\x83" and pdol is not None:
        data, dol = data[2:], pdol
    elif command.ins == _GENERATE:
        dol = cdol
    values = None if dol is None else values_of(dol, data)
    for tag, value in (values or {}).items():
        yield explain_object(tag, value)


def _other(entry: Entry) -> Explanation:
    match entry:
        case Power(change="off"):
            return Explanation("power off")
        case Power():
            parts = (explain(entry.atr, kind="atr", reveal=True),) if entry.atr else ()
            return Explanation(f"power {entry.change}", entry.interface, b"", parts)
        case Write():
            shown = b"" if entry.data.hidden else entry.data.data
            words = f"{len(entry.data)} bytes at {entry.address:05X}"
            return Explanation(f"EEPROM {entry.kind}", words, shown, ref="cos 1.2", secret=True)
        case Commit():
            return Explanation("transaction", _pages(entry.domain, entry.pages), ref="cos 1.4")
        case Recovery():
            words = f"a torn one completed: {_pages(entry.domain, entry.pages)}"
            return Explanation("recovery", words, ref="cos 1.4")
        case Random():
            words = f"drawn by {domain_name(entry.domain)}"
            return Explanation("random value", words, entry.value, ref="cos 1.5")
        case Mute():
            return Explanation("the card is mute", entry.why, ref="cos 1.4")
        case Failure():
            words = f"{entry.command}: {entry.why}"
            return Explanation(f"no answer, {entry.error}", words)
        case _:
            raise AssertionError(f"{type(entry).__name__} is explained with its step")


def _pages(domain: int, pages: tuple[int, ...]) -> str:
    shown = " ".join(f"{page:04X}" for page in pages[:_PAGES_SHOWN])
    more = f" and {len(pages) - _PAGES_SHOWN} more" if len(pages) > _PAGES_SHOWN else ""
    return f"of {domain_name(domain)}, pages {shown}{more}"
