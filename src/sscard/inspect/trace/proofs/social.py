"""Proofs of the social side: authentications, MACs of secure messaging.

Source: ssse-lb002 3.8, 4.5 to 4.7.
"""

from collections.abc import Callable, Iterable, Iterator

from sscard.inspect.explanation import Explanation
from sscard.inspect.trace.follow import Step
from sscard.inspect.trace.proofs.facts import Facts
from sscard.inspect.trace.proofs.verdict import unverified, verdict
from sscard.keys.hierarchy import CARD_KEYS, CardKey
from sscard.keys.vault import BaseVault, CardIdentity, KeyRef, UnknownKey, VaultError

__all__ = ["SocialProofs"]

_EXTERNAL, _INTERNAL = 0x82, 0x88
_PROVING, _LINE, _MASTER = 0x0D, 0x07, 0x00
_MASTER_KID = 0x00
"""P2 of EXTERNAL AUTHENTICATE with a master key."""
_SECURE, _LOCAL = 0x04, 0x80
_WRONG, _WRONG_MAC = 0x63C0, 0x6988
_MAC = 4
_PUK, _BK, _LK = 0x06, 0x05, ("LK", "BK")
_PIN_ORDER, _BLOCKS = 0x24, frozenset((0x16, 0x18, 0x1E))
_UNTOLD = "the trace does not tell the card's region and serial"


class SocialProofs:
    """Verifies with a vault of the social side, None when none was given."""

    def __init__(self, vault: BaseVault | None, facts: Facts) -> None:
        self._vault = vault
        self._facts = facts

    def see(self, step: Step) -> Iterator[Explanation]:
        """Yield how what a step proves turned out."""
        command, asked = step.command, step.answers
        assert command is not None, "the prover looked"
        assert asked is not None, "the prover looked"
        compared = step.done or step.sw & 0xFFF0 == _WRONG
        if command.ins == _EXTERNAL and compared and len(command.data) in (8, 16, 17):
            yield self._external(step)
        elif asked.ins == _INTERNAL and step.done and len(asked.data) == 16 and step.data:
            if not step.whole:
                yield unverified("cryptogram", "command or answer are masked")
                return
            factor, data = asked.data[:8], asked.data[8:]
            yield self._cryptogram(["IRK@SSSE"], [factor], data, step.data)
        elif command.cla & 0x0F == _SECURE and (step.done or step.sw == _WRONG_MAC):
            yield self._mac(step)

    def _external(self, step: Step) -> Explanation:
        """The session form with a key of the table; with a master key the direct one, too (3.8).

        The direct form is one enciphered block, 8 bytes or 16 with SM4: its length does not tell.
        """
        command = step.command
        assert command is not None, "see() looked"
        if not self._facts.challenges:
            return unverified("cryptogram", "the challenge is not in the trace")
        if not step.apdu.command.whole:
            return unverified("cryptogram", "the command is masked")
        master = command.p2 == _MASTER_KID
        kind = _MASTER if master else _PROVING
        names = [key.label for key in _keys(step, kind) if key.kid == command.p2]
        data = command.data[8:16]
        challenges = self._facts.challenges[::-1]
        if master:
            return self._compared(
                names,
                lambda vault, key: [
                    *(vault.direct_cryptogram(key, c) for c in challenges),
                    *(vault.cryptogram(key, c, data) + data for c in challenges if data),
                ],
                command.data[:16],
            )
        return self._cryptogram(names, challenges, data, command.data[:8])

    def _cryptogram(
        self, names: list[str], factors: list[bytes], data: bytes, seen: bytes
    ) -> Explanation:
        """Compare with what each factor gives: a card may keep several challenges."""
        return self._compared(
            names, lambda vault, key: [vault.cryptogram(key, f, data) for f in factors], seen
        )

    def _compared(
        self, names: list[str], compute: Callable[[BaseVault, KeyRef], list[bytes]], seen: bytes
    ) -> Explanation:
        """Compare under every version of a key that the vault has."""
        vault = self._vault
        if vault is None:
            return unverified("cryptogram", "no keys of the social side were given")
        if not names:
            return unverified("cryptogram", "no table of keys has this one")
        name = names[0]
        infos = [info for info in vault.list_keys() if info.name == name]
        if not infos:
            return unverified("cryptogram", f"the vault has no {name}")
        try:
            identity = CardIdentity(self._facts.region, self._facts.csn8)
            right = any(seen in compute(vault, identity.ref(info)) for info in infos)
        except VaultError as error:
            return unverified("cryptogram", str(error))
        except ValueError:
            return unverified("cryptogram", _UNTOLD)
        return verdict("cryptogram", name, right=right)

    def _mac(self, step: Step) -> Explanation:
        """Try each key that may stand for this MAC, as session key and by itself (4.6, 4.7).

        It starts from the latest challenge, whatever others a card keeps (3.8).
        """
        command, vault = step.command, self._vault
        assert command is not None, "see() looked"
        if vault is None:
            return unverified("MAC", "no keys of the social side were given")
        if not self._facts.challenges:
            return unverified("MAC", "the challenge is not in the trace")
        if not step.apdu.command.whole:
            return unverified("MAC", "the command is masked")
        raw = step.apdu.command.data
        message, seen = raw[:5] + command.data[:-_MAC], command.data[-_MAC:]
        challenge, tried = self._facts.challenges[-1], []
        for key in _line_keys(step):
            try:
                ref = self._ref(vault, key.label)
                if vault.session_mac(ref, challenge, message) == seen:
                    return verdict("MAC", f"{key.label}, session key", right=True)
                if vault.mac(ref, challenge, message) == seen:
                    return verdict("MAC", f"{key.label}, the key itself", right=True)
            except UnknownKey:
                continue
            except VaultError as error:
                return unverified("MAC", str(error))
            except ValueError:
                return unverified("MAC", _UNTOLD)
            tried.append(key.label)
        if not tried:
            return unverified("MAC", "the vault has none of the keys that protect lines")
        return verdict("MAC", " and ".join(tried), right=False)

    def _ref(self, vault: BaseVault, name: str) -> KeyRef:
        return CardIdentity(self._facts.region, self._facts.csn8).ref(vault.info(name))


def _keys(step: Step, kind: int) -> Iterator[CardKey]:
    """Yield the keys of a kind that can be named where a step was sent: here, then the SSSE's."""
    here = f"{step.before.directory or 0:04X}"
    for key in CARD_KEYS:
        local = key.kid >= _LOCAL or kind == _MASTER
        if key.kind == kind and local and key.place == here:
            yield key
    for key in CARD_KEYS:
        if key.kind == kind and key.kid < _LOCAL and key.place == "SSSE":
            yield key


def _line_keys(step: Step) -> Iterable[CardKey]:
    """The transport keys; PUK for PIN orders, LK and BK for blocks, as profiles may want (4.7)."""
    command = step.command
    assert command is not None, "see() looked"
    found = list(_keys(step, _LINE))
    for key in _keys(step, _PROVING):
        pin = command.ins == _PIN_ORDER and key.kid == _PUK
        lock = command.ins in _BLOCKS and key.label.startswith(_LK)
        if pin or lock:
            found.append(key)
    return found
