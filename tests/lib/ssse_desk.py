"""A card of the SSSE on a desk: APDUs as hex text, proofs and MACs made beside the card.

What a terminal with a PSAM would do, for tests. Keys are given by the caller; challenges are
the card's own, or forced through the environment.
"""

from sscard.card import Card, Link
from sscard.keys import session
from sscard.keys.line import line_mac

SSSE = "00A404000F 7378312E73682EC9E7BBE1B1A3D5CF"
TDES, SM4 = 0, 4


class Desk:
    """One powered card; `link` as in `Card.power_on`."""

    def __init__(self, card: Card, *, link: Link = "apdu", algorithm: int = TDES) -> None:
        self.card = card
        self.power = card.power_on(link)
        self.algorithm = algorithm

    def __call__(self, apdu: str) -> str:
        """Send a command; return data and status word in hex, capitals, no spaces."""
        return self.power.transmit(bytes.fromhex(apdu)).hex().upper()

    def sw(self, apdu: str) -> str:
        """Send a command; return the status word alone."""
        return self(apdu)[-4:]

    def data(self, apdu: str) -> str:
        """Send a command that must succeed; return its data."""
        answer = self(apdu)
        assert answer.endswith("9000"), f"{apdu} -> {answer}"
        return answer[:-4]

    def ok(self, *apdus: str) -> None:
        """Send commands that must succeed and answer as they like."""
        for apdu in apdus:
            self.data(apdu)

    def reset(self) -> None:
        """Reset the card."""
        self.power.reset()

    def ssse(self, fid: str = "") -> "Desk":
        """Select the SSSE and, if named, the file or directory `fid` in it."""
        self.ok(SSSE)
        if fid:
            self.ok(f"00A4000002{fid}")
        return self

    def pin(self, digits: str = "123456") -> str:
        """VERIFY; return the status word."""
        return self.sw(f"00200000{len(digits) // 2:02X}{digits}")

    def challenge(self, value: str = "", length: int = 8) -> bytes:
        """GET CHALLENGE; `value` is forced upon the card's generator."""
        if value:
            self.card.env.force_random(bytes.fromhex(value))
        return bytes.fromhex(self.data(f"00840000{length:02X}"))

    def authentication(self, kid: int, key: bytes, challenge: bytes, version: str = "") -> str:
        """Return the EXTERNAL AUTHENTICATE of a session-form key over `challenge`."""
        cryptogram = session.cryptogram(self.algorithm, key, challenge, challenge)
        data = cryptogram.hex() + challenge.hex() + version
        return f"008200{kid:02X}{len(data) // 2:02X}{data}"

    def prove(self, kid: int, key: bytes, *, version: str = "") -> str:
        """GET CHALLENGE and EXTERNAL AUTHENTICATE; return the status word."""
        return self.sw(self.authentication(kid, key, self.challenge(), version))

    def prove_master(self, key: bytes) -> str:
        """GET CHALLENGE and EXTERNAL AUTHENTICATE of a 3DES master key, direct form."""
        cryptogram = session.direct_cryptogram(TDES, key, self.challenge())
        return self.sw(f"0082000008{cryptogram.hex()}")

    def protected(self, header: str, key: bytes, challenge: bytes, data: str = "") -> str:
        """Return a command with its MAC under a session key (ssse-lb002 4.6, flavour A)."""
        message = _message(header, data)
        key = session.session_key(self.algorithm, key, challenge)
        return (message + session.sm_mac(self.algorithm, key, message)).hex()

    def protected_directly(self, header: str, key: bytes, challenge: bytes, data: str = "") -> str:
        """Return a command with its MAC under the key itself, IV = challenge (cos 6.1)."""
        message = _message(header, data)
        return (message + line_mac(self.algorithm, key, challenge, message)).hex()


def _message(header: str, data: str) -> bytes:
    plain = bytes.fromhex(data)
    return bytes.fromhex(header) + bytes((len(plain) + 4,)) + plain
