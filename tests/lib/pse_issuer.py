"""The issuer's end of a transaction for tests: keys of pse-pboc 11.1, ARPCs and scripts as hex.

Session keys are those of the card's options, so that switches can be tried from outside.
"""

from pse_desk import Desk, cryptogram

from sscard.keys import pboc

PAN = "6210950000000000017"
UDK_AC, UDK_MAC, UDK_ENC = (
    pboc.udk(bytes.fromhex(mdk), PAN)
    for mdk in (
        "0123456789ABCDEFFEDCBA9876543210",
        "11223344556677888877665544332211",
        "A1B2C3D4E5F60718293A4B5C6D7E8F90",
    )
)


class Issuer:
    """What the issuer knows after the first cryptogram: ATC and AC1 of the answer."""

    def __init__(self, answer: str, *, derive=pboc.session_key, script_derive=None) -> None:
        at = 8 if answer.startswith("80") else None
        self.atc = (
            int(answer[6:10], 16) if at else int(answer[answer.index("9F3602") + 6 :][:4], 16)
        )
        ac = cryptogram(answer) if at else answer[answer.index("9F2608") + 6 :][:16]
        self.ac1 = bytes.fromhex(ac)
        self._derive = derive
        self._script_derive = script_derive or derive

    def arpc(self, arc: str = "3030") -> str:
        """EXTERNAL AUTHENTICATE with the right ARPC."""
        key = self._derive(UDK_AC, self.atc)
        proof = pboc.arpc(key, self.ac1, bytes.fromhex(arc))
        return f"008200000A{proof.hex().upper()}{arc}"

    def script(self, header: str, data: bytes = b"", *, wrong: bool = False) -> str:
        """A script of CLA INS P1 P2 and its data, with the MAC."""
        start = bytes.fromhex(header) + bytes((len(data) + 4,))
        key = self._script_derive(UDK_MAC, self.atc)
        mac = pboc.script_mac(key, start, self.atc, self.ac1, data)
        mac = bytes(byte ^ 0xFF for byte in mac) if wrong else mac
        return (start + data + mac).hex().upper()

    def pin_change(
        self, new: str, current: str | None = None, *, p2: str = "", mask=UDK_ENC
    ) -> str:
        """PIN CHANGE, with P2 as the form wants unless it is given."""
        block = pboc.pin_change_block(mask, new, current)
        key = self._script_derive(UDK_ENC, self.atc)
        enciphered = pboc.script_block_encrypt(key, block)
        return self.script("842400" + (p2 or ("01" if current else "02")), enciphered)


def online(desk: Desk, **options) -> Issuer:
    """A transaction up to an ARQC without PIN and DDA; what the issuer then knows."""
    desk.begin()
    return Issuer(desk.ac(0x80), **options)
