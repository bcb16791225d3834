"""Proofs of the bank's side under card keys: cryptograms, ARPC, scripts (pse-pboc 4.4-4.8, 6.2)."""

from collections.abc import Callable, Iterator
from itertools import product

from sscard.inspect.explanation import Explanation
from sscard.inspect.trace.follow import Step
from sscard.inspect.trace.proofs.facts import Facts, Transaction, cryptogram_objects, values_of
from sscard.inspect.trace.proofs.verdict import unverified, verdict
from sscard.keys.pboc import session_seed
from sscard.keys.vault import BaseVault, CardIdentity, KeyRef

__all__ = ["BankProofs"]

_EXTERNAL, _GENERATE, _GPO = 0x82, 0xAE, 0xA8
_SCRIPTS = frozenset((0x16, 0x18, 0x1E, 0x24, 0xDA, 0xDC))
_SECURE, _MAC = 0x04, 4
_WRONG_MAC, _WRONG_ARPC = 0x6988, 0x6300
_ATC, _AC, _IAD, _SIGNED = 0x9F36, 0x9F26, 0x9F10, 0x9F4B
_PSN = 0x5F34
_COVERED = {0x9F02: 6, 0x9F03: 6, 0x9F1A: 2, 0x95: 5, 0x5F2A: 2, 0x9A: 3, 0x9C: 1, 0x9F37: 4}
_SHORT = {0x9F02: 6, 0x9F37: 4}
_FULL_VERSION, _SHORT_VERSIONS = 0x01, (0x11, 0x17)
_AMOUNTS = {0x01: 5, 0x02: 5, 0x03: 10, 0x04: 10, 0x05: 5}
"""Bytes of amounts in issuer discretionary data, by their type (4.6)."""

_Compute = Callable[[BaseVault, KeyRef, bool], bytes]
"""(vault, card key, whether session keys are EMV's) -> what the card or its bank sends."""


class BankProofs:
    """Verifies with a vault of the bank, None when none was given."""

    def __init__(self, vault: BaseVault | None, facts: Facts) -> None:
        self._vault = vault
        self._facts = facts

    def see(self, step: Step) -> Iterator[Explanation]:
        """Yield how what a step proves turned out."""
        command, asked = step.command, step.answers
        assert command is not None, "the prover looked"
        assert asked is not None, "the prover looked"
        begun = self._facts.transaction
        if asked.ins == _GENERATE and step.done and step.data:
            yield from self._generated(step, begun)
        elif asked.ins == _GPO and step.done and step.data[:1] == b"\x77":
            held = cryptogram_objects(step.data) if step.whole else {}
            if _AC in held:  # qPBOC: the whole transaction in one answer
                yield from self._cryptogram(held, begun, begun.pdol)
        elif _is_arpc(step) and begun.ac1:
            if step.apdu.command.whole:
                yield self._arpc(command.data, begun)
            else:
                yield unverified("ARPC", "the command is masked")
        elif _is_script(step):
            yield self._script(step, begun)

    # --- cryptograms ----------------------------------------------------------------------------

    def _generated(self, step: Step, begun: Transaction) -> Iterator[Explanation]:
        asked, dol = step.answers, self._facts.cdol()
        assert asked is not None, "see() looked"
        values = None if dol is None else values_of(dol, asked.data)
        begun.count += 1
        begun.values = values or {}
        begun.sent.append(asked.data)
        if not step.whole:
            begun.masked = begun.masked or not step.asked_whole
            yield unverified("cryptogram", "command or answer are masked")
            return
        held = cryptogram_objects(step.data)
        if _AC not in held and _SIGNED in held:
            yield unverified("cryptogram", "it is inside the signature (CDA)")
        elif values is None:
            self._remember(held, begun)
            yield unverified("cryptogram", "its CDOL is not in the trace")
            yield from self._discretionary(held)
        else:
            yield from self._cryptogram(held, begun, values)

    @staticmethod
    def _remember(held: dict[int, bytes], begun: Transaction) -> None:
        if not begun.ac1 and len(held.get(_AC, b"")) == 8 and _ATC in held:
            begun.ac1, begun.atc = held[_AC], int.from_bytes(held[_ATC])

    def _cryptogram(
        self, held: dict[int, bytes], begun: Transaction, values: dict[int, bytes]
    ) -> Iterator[Explanation]:
        self._remember(held, begun)
        if any(tag not in held for tag in (_AC, _ATC, _IAD)):
            yield unverified("cryptogram", "the answer has none")
            return
        message = _covered(held, begun.aip, values)
        atc = int.from_bytes(held[_ATC])
        if isinstance(message, str):
            yield unverified("cryptogram", message)
        else:
            yield self._check(
                "cryptogram",
                "AC",
                held[_AC],
                lambda vault, key, common: vault.transaction_mac(
                    key, session_seed(atc, common=common), message
                ),
            )
        yield from self._discretionary(held)

    def _discretionary(self, held: dict[int, bytes]) -> Iterator[Explanation]:
        """The MAC over amounts in issuer discretionary data; other types have none."""
        iad, atc = held.get(_IAD, b""), int.from_bytes(held.get(_ATC, b""))
        head = iad[0] + 1 if iad else 0
        inside = iad[head + 1 :]
        size = _AMOUNTS.get(inside[0]) if inside else None
        if size is None or len(inside) != 1 + size + _MAC:
            return
        message = atc.to_bytes(2) + inside[1 : 1 + size]
        message += bytes(-len(message) % 8)
        for padded in (True, False):
            found = self._check(
                "MAC of the issuer discretionary data",
                "MAC",
                inside[1 + size :],
                lambda vault, key, common, padded=padded: vault.transaction_mac(  # type: ignore[misc]
                    key, session_seed(atc, common=common), message, padded=padded
                )[:_MAC],
            )
            if "WRONG" not in found.value:
                break
        yield found

    # --- the issuer -----------------------------------------------------------------------------

    def _arpc(self, data: bytes, begun: Transaction) -> Explanation:
        atc, arc = begun.atc or 0, data[8:]
        block = bytes(a ^ b for a, b in zip(begun.ac1, arc + bytes(6), strict=True))
        return self._check(
            "ARPC",
            "AC",
            data[:8],
            lambda vault, key, common: vault.transaction_encrypt(
                key, session_seed(atc, common=common), block
            ),
        )

    def _script(self, step: Step, begun: Transaction) -> Explanation:
        command, atc = step.command, begun.atc
        assert command is not None, "see() looked"
        if not begun.ac1 or atc is None:
            return unverified("script MAC", "the first cryptogram is not in the trace")
        if not step.apdu.command.whole:
            return unverified("script MAC", "the command is masked")
        raw, data = step.apdu.command.data, command.data
        message = raw[:5] + atc.to_bytes(2) + begun.ac1 + data[:-_MAC]
        for vis in (False, True):
            found = self._check(
                "script MAC",
                "MAC",
                data[-_MAC:],
                lambda vault, key, common, vis=vis: vault.transaction_mac(  # type: ignore[misc]
                    key, session_seed(atc, common=common and not vis), message, masked=vis
                )[:_MAC],
            )
            if "WRONG" not in found.value:
                break
        return found

    def _check(self, what: str, which: str, seen: bytes, compute: _Compute) -> Explanation:
        """Compare under every issuer key of a kind, with session keys of PBOC and of EMV (4.2)."""
        vault, pan = self._vault, self._facts.pan
        if vault is None:
            return unverified(what, "no keys of the bank were given")
        if not pan:
            return unverified(what, "the PAN is not in the trace, or masked")
        identity = CardIdentity("", b"", pan, self._facts.objects.get(_PSN, b"\0").hex())
        infos = [info for info in vault.list_keys() if info.name.startswith(f"MDK-{which}@")]
        if not infos:
            return unverified(what, f"the vault has no MDK-{which}")
        for info, common in product(infos, (False, True)):
            if compute(vault, identity.ref(info), common) == seen:
                return verdict(what, info.name, right=True)
        return verdict(what, infos[-1].name, right=False)


def _is_arpc(step: Step) -> bool:
    command = step.command
    assert command is not None, "the prover looked"
    compared = step.done or step.sw == _WRONG_ARPC
    return command.ins == _EXTERNAL and len(command.data) == 10 and compared


def _is_script(step: Step) -> bool:
    command = step.command
    assert command is not None, "the prover looked"
    compared = step.done or step.sw == _WRONG_MAC
    protected = command.cla & 0x0F == _SECURE and command.ins in _SCRIPTS
    return protected and compared and len(command.data) >= _MAC


def _covered(held: dict[int, bytes], aip: bytes, values: dict[int, bytes]) -> bytes | str:
    """Return the bytes a cryptogram is made over, or why they are not known.

    What the list did not ask for counts as zeros. Source: pse-pboc 4.4.
    """
    iad, atc = held[_IAD], held[_ATC]
    if len(iad) < 7:
        return "its issuer application data are too short"
    version, verification = iad[2], iad[3:7]
    short = version in _SHORT_VERSIONS
    if not short and version != _FULL_VERSION:
        return f"cryptogram version {version:02X} is not known here"
    if not short and not aip:
        return "the trace does not tell 82"
    items = _SHORT if short else _COVERED
    told = b"".join(values.get(tag, b"").rjust(size, b"\0") for tag, size in items.items())
    return told + (atc + verification[1:2] if short else aip + atc + verification)
