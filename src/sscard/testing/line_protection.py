"""Line protection as a sender makes it: enciphered data and MACs, in either form of `sm_mode`.

For those who play with the keys of a card in hand; a terminal's are in its crypto source.
Source: ssse-lb002 4.6, 4.7; cos 6.1.
"""

from typing import NamedTuple

from sscard.keys import line, session

__all__ = ["LineProtection"]


class LineProtection(NamedTuple):
    """What protects one command: the STK and its algorithm, and the card's challenge.

    `direct` (sm_mode=pboc_iv) uses the key itself, with the challenge as IV; otherwise there
    is a session key.
    """

    algorithm: int
    key: bytes
    challenge: bytes
    direct: bool = False

    @property
    def _session_key(self) -> bytes:
        return session.session_key(self.algorithm, self.key, self.challenge)

    def encipher(self, data: bytes) -> bytes:
        """Return LD, data and padding, enciphered; no data are left alone."""
        if not data:
            return data
        if self.direct:
            return line.wrap(self.algorithm, self.key, data)
        return session.sm_encrypt(self.algorithm, self._session_key, data)

    def message(self, header: bytes, data: bytes) -> bytes:
        """Return CLA INS P1 P2 with the Lc it will have behind a MAC, and data."""
        return header + bytes((len(data) + 4,)) + data

    def mac(self, message: bytes) -> bytes:
        """Return the 4-byte MAC of `message`."""
        if self.direct:
            return line.line_mac(self.algorithm, self.key, self.challenge, message)
        return session.sm_mac(self.algorithm, self._session_key, message)
