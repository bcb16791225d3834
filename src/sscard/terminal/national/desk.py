"""The other end of the HSM flows: a vault that answers step 1 and step 2 (ssse-lb002 5.3, 6).

In the field an HSM at a centre computes; here a `Vault` does, so that the flows can be tried and
tested. It reads what a reader gave out and returns what the next step plays.
"""

from collections.abc import Callable

from sscard.iso.text import bcd
from sscard.keys.hierarchy import CardKey
from sscard.keys.purse import Transaction
from sscard.keys.vault import CardIdentity, Vault
from sscard.terminal.crypto_source import Flavour, PurchaseRequest, VaultSource, named_key
from sscard.terminal.errors import TerminalError
from sscard.terminal.national.key_address import key_at

__all__ = ["HsmDesk"]

_MAC = 4


class HsmDesk:
    """A vault at work for readers without a PSAM.

    `next_number` gives the terminal transaction numbers of debits, each once; `flavour` is the
    cards' secure messaging. Methods take the text of a step. Errors: `TerminalError` for text
    that is not of the step, `KeyNotHeld` for a key the vault lacks.
    """

    def __init__(
        self,
        vault: Vault,
        *,
        next_number: Callable[[], int] | None = None,
        flavour: Flavour = Flavour.SESSION,
    ) -> None:
        self._source = VaultSource(vault, next_number=next_number)
        self._flavour = flavour

    @staticmethod
    def card_of(basic: str) -> CardIdentity:
        """Return whose keys are meant: from the result of a basic read, or from its step 1."""
        parts = basic.split("|")
        eleven = 12  # fields of the result, with what stands behind the last `|`
        historical = parts[5] if len(parts) == eleven else parts[1]
        return CardIdentity(parts[0], bytes.fromhex(historical)[-8:])

    def basic(self, step_1: str) -> str:
        """Answer `iReadCardBas_HSM_Step1`: one string, two when it came with R3 and R4."""
        card, parts = self.card_of(step_1), _parts(step_1, 8)
        strings = [self._string(named_key("IRK@SSSE"), card, *parts[4:6])]
        if parts[6]:
            strings.append(self._string(named_key("RK@SSSE"), card, *parts[6:8]))
        return "".join(f"{string}|" for string in strings)

    def authenticate(self, card: CardIdentity, step_1: str) -> str:
        """Answer step 1 of reading, writing, reloading, unblocking: one string."""
        _, address, first, second, *_ = _parts(step_1, 4)
        return f"{self._string(key_at(address), card, first, second)}|"

    def command(self, card: CardIdentity, step_2: str) -> str:
        """Answer step 2 of reloading and unblocking: the whole command, in hex."""
        _, address, factor_text, header_text, digits, *_ = _parts(step_2, 5)
        key, factor, header = (
            key_at(address),
            bytes.fromhex(factor_text),
            bytes.fromhex(header_text),
        )
        data = b""
        if digits:
            data = self._source.encrypt(key, card, factor, bcd(digits), self._flavour)
        if header[4] != len(data) + _MAC:
            raise TerminalError(f"{header_text} leaves no room for {len(data)} bytes and a MAC")
        mac = self._source.mac(key, card, factor, header + data, self._flavour)
        return (header + data + mac).hex().upper()

    def mac1(self, card: CardIdentity, step_1: str) -> str:
        """Answer `iDoDebit_HSM_Step1`: `terminal transaction number|moment|MAC1|`."""
        parts = _parts(step_1, 8)
        random, sequence, amount, kind, terminal, moment = (
            bytes.fromhex(part) for part in parts[2:8]
        )
        debit = Transaction(int.from_bytes(amount, "big"), kind[0], terminal, moment)
        number = int.from_bytes(sequence, "big")
        made = self._source.purchase(card, PurchaseRequest(debit, random, number, 1, 0))
        return f"{made.number:08X}|{parts[7]}|{made.mac.hex().upper()}|"

    def settle(self, result: str) -> None:
        """Check the MAC2 in the result of `iDoDebit_HSM_Step2`. Errors: `SettlementFailed`."""
        self._source.settle(bytes.fromhex(_parts(result, 9)[8]))

    def _string(self, key: CardKey, card: CardIdentity, factor: str, data: str) -> str:
        made = self._source.cryptogram(key, card, bytes.fromhex(factor), bytes.fromhex(data))
        return made.hex().upper() + data


def _parts(text: str, least: int) -> list[str]:
    parts = text.split("|")
    if len(parts) <= least - 1:
        raise TerminalError(f"{least} fields are needed, not {len(parts)}")
    return parts
