"""Goes through a trace and asks whoever knows what a step may prove."""

from collections.abc import Iterable, Iterator

from sscard.inspect.explanation import Explanation
from sscard.inspect.trace.entries import Power
from sscard.inspect.trace.follow import Step
from sscard.inspect.trace.proofs.account import AccountProofs
from sscard.inspect.trace.proofs.bank import BankProofs
from sscard.inspect.trace.proofs.facts import Facts
from sscard.inspect.trace.proofs.signatures import SignatureProofs
from sscard.inspect.trace.proofs.social import SocialProofs
from sscard.keys.vault import BaseVault, Party
from sscard.spec.ca_keys import CaKey

__all__ = ["Prover"]

_SSSE, _PSE = 1, 2
_EXTERNAL, _SECURE = 0x82, 0x04
_WRONG, _WRONG_MAC = 0x63C0, 0x6988


class Prover:
    """Follows a trace step by step; `keys` are vaults of one party or both."""

    def __init__(self, *keys: BaseVault, ca_keys: Iterable[CaKey] = ()) -> None:
        vaults = {vault.party: vault for vault in keys}
        social, bank = vaults.get(Party.SOCIAL), vaults.get(Party.BANK)
        self._facts = Facts()
        self._social = SocialProofs(social, self._facts)
        self._account = AccountProofs(social, self._facts)
        self._bank = BankProofs(bank, self._facts)
        self._signatures = SignatureProofs(ca_keys, self._facts)

    def power(self, entry: Power) -> None:
        """Take an answer to reset."""
        self._facts.power(entry)

    def element(self, tag: int) -> bytes | None:
        """Return a data object that the card told: a CDOL, the PAN."""
        return self._facts.objects.get(tag)

    def dol(self) -> bytes | None:
        """Return the list that the data of the next GENERATE AC answer."""
        return self._facts.cdol()

    def see(self, step: Step) -> Iterator[Explanation]:
        """Take an exchange; yield what its proofs turned out to be."""
        command, asked = step.command, step.answers
        if command is None or asked is None:
            return
        self._facts.see(step)
        if step.before.domain == _PSE:
            yield from self._bank.see(step)
            yield from self._signatures.see(step)
        elif step.before.domain == _SSSE:
            yield from self._social.see(step)
            yield from self._account.see(step)
        proof = command.ins == _EXTERNAL or bool(command.cla & _SECURE)
        compared = step.done or step.sw & 0xFFF0 == _WRONG or step.sw == _WRONG_MAC
        self._facts.settle(step, used=proof and compared)
