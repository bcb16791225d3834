"""One full online debit, terminal and issuer included: from SELECT to the TC, all verified."""

from sscard.card import Activation
from sscard.keys import pboc

__all__ = ["OfflineDebit", "OnlineDebit"]

_MDK_AC = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
_SELECT = bytes.fromhex("00A4040008A00000033301010100")
_GPO = bytes.fromhex("80A8000002830000")
_RECORDS = [
    bytes((0x00, 0xB2, record, sfi << 3 | 4, 0x00))
    for sfi, last in ((1, 1), (2, 2), (3, 3))
    for record in range(1, last + 1)
]
_TERMINAL = bytes.fromhex(
    "00000001234500000000000001560000008000015626070100A1B2C3D4103045"
    "54455354204D45524348414E5420303030303031"
)
_FIRST = bytes((0x80, 0xAE, 0x80, 0x00, len(_TERMINAL))) + _TERMINAL + b"\x00"
_DDA = bytes.fromhex("0088000004A1B2C3D400")
_APPROVED = b"00"
_SECOND = bytes((0x80, 0xAE, 0x40, 0x00, 2 + len(_TERMINAL))) + _APPROVED + _TERMINAL + b"\x00"
_AIP = b"\x7c\x00"
_AC_FIELDS = slice(0, 29)
"""The items of CDOL1 that enter the cryptogram: the first 29 bytes (pse-pboc 4.4)."""


class OnlineDebit:
    """Terminal and issuer of the sample card's bank (pse-pboc 11)."""

    def __init__(self, card: Activation) -> None:
        self._card = card
        self._udk = pboc.udk(_MDK_AC, "6210950000000000017", "00")

    def run(self) -> None:
        """Do one transaction; AssertionError when anything is not as it must be."""
        send = self._send
        send(_SELECT)
        assert send(_GPO)[2:4] == _AIP
        for command in _RECORDS:
            send(command)
        kind, atc, arqc, cvr = self._cryptogram(send(_FIRST))
        session_key = pboc.session_key(self._udk, atc)
        assert kind == 0x80
        assert arqc == self._expected(session_key, atc, cvr)
        arpc = pboc.arpc(session_key, arqc, _APPROVED)
        send(bytes((0x00, 0x82, 0x00, 0x00, 0x0A)) + arpc + _APPROVED)
        kind, _, tc, cvr = self._cryptogram(send(_SECOND))
        assert kind == 0x40
        assert tc == self._expected(session_key, atc, cvr)

    def _send(self, apdu: bytes) -> bytes:
        answer = self._card.transmit(apdu)
        assert answer[-2:] == b"\x90\x00", (apdu.hex(), answer.hex())
        return answer[:-2]

    @staticmethod
    def _cryptogram(answer: bytes) -> tuple[int, int, bytes, bytes]:
        """Return CID, ATC, AC and CVR of a format 1 answer."""
        return answer[2], int.from_bytes(answer[3:5], "big"), answer[5:13], answer[16:20]

    @staticmethod
    def _expected(session_key: bytes, atc: int, cvr: bytes) -> bytes:
        data = _TERMINAL[_AC_FIELDS] + _AIP + atc.to_bytes(2, "big") + cvr
        return pboc.cryptogram(session_key, data)


class OfflineDebit:
    """A transaction that ends with the first cryptogram, signed: DDA before it, or CDA with it."""

    def __init__(self, card: Activation, *, combined: bool) -> None:
        self._card = card
        self._combined = combined

    def run(self) -> None:
        """Do one transaction; AssertionError unless it ends in a signed TC."""
        send = self._send
        send(_SELECT)
        send(_GPO)
        for command in _RECORDS:
            send(command)
        if self._combined:
            answer = send(_FIRST[:2] + b"\x50" + _FIRST[3:])
            assert answer[0] == 0x77
            assert b"\x9f\x27\x01\x40" in answer[:8], answer.hex()
        else:
            assert send(_DDA)[0] == 0x80
            assert send(_FIRST[:2] + b"\x40" + _FIRST[3:])[2] == 0x40

    def _send(self, apdu: bytes) -> bytes:
        answer = self._card.transmit(apdu)
        assert answer[-2:] == b"\x90\x00", (apdu.hex(), answer.hex())
        return answer[:-2]
