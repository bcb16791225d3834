"""Secure messaging as one more layer of the stack (ssse-lb002 4.6, 4.7).

The layer fetches a challenge, sets the class bit, enciphers the data if asked to, and puts the
MAC behind them. Who sends through it need not know; the key stays with the crypto source.
"""

from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys.hierarchy import CardKey
from sscard.keys.vault import CardIdentity
from sscard.terminal.crypto_source import CryptoSource, Flavour
from sscard.terminal.errors import refusal
from sscard.terminal.stack import Layer, Reply

__all__ = ["SecureMessaging"]

_SECURE = 0x04
_MAC = 4


class SecureMessaging:
    """Protects every command that passes, under one key of one card.

    `encipher` also enciphers the data of a command that has some. A challenge is fetched for
    each command, through the layer below; MAC and enciphering come from `source`. Errors:
    `KeyNotHeld`, `ApduError` when the card gives no challenge. Source: ssse-lb002 4.7.
    """

    def __init__(
        self,
        below: Layer,
        source: CryptoSource,
        key: CardKey,
        card: CardIdentity,
        *,
        flavour: Flavour = Flavour.SESSION,
        encipher: bool = False,
    ) -> None:
        self._below = below
        self._source = source
        self._key = key
        self._card = card
        self._flavour = flavour
        self._encipher = encipher

    def send(self, command: Command) -> Reply:
        """Send the command with a MAC, its data enciphered if this layer does that."""
        ask = Command(0x00, 0x84, 0x00, 0x00, le=8)
        reply = self._below.send(ask)
        if reply.sw != SW.OK:
            raise refusal(reply.sw, ask)
        return self._below.send(self._protected(command, reply.data))

    def _protected(self, command: Command, challenge: bytes) -> Command:
        data = command.data
        if self._encipher and data:
            data = self._source.encrypt(self._key, self._card, challenge, data, self._flavour)
        cla = command.cla | _SECURE
        message = bytes((cla, command.ins, command.p1, command.p2, len(data) + _MAC)) + data
        mac = self._source.mac(self._key, self._card, challenge, message, self._flavour)
        return command._replace(cla=cla, data=data + mac)
