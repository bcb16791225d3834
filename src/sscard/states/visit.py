"""A terminal and its issuer at a card of a known profile, as far as states need them.

SELECT, GPO, an online transaction whose ARPC and scripts come from the card's own keys. The
terminal's data are zeros: no risk management looks at them here. Source: pse-pboc 3, 4.7, 4.8.
"""

from collections.abc import Callable, Mapping

from sscard.errors import ProfileError
from sscard.iso import tlv
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import pboc
from sscard.spec.codes import KEY_TYPES
from sscard.spec.dgis import FCI
from sscard.states.debit import Debit

__all__ = ["Visit"]

_ARC = 0x8A
_APPROVED = b"00"
_ARQC, _TC = 0x80, 0x40
_CDOL1, _CDOL2, _PDOL = 0x8C, 0x8D, 0x9F38
_DERIVATIONS = {
    "pboc": pboc.session_key,
    "emv_csk": pboc.emv_common_session_key,
    "vis": pboc.vis_session_key,
}
"""By the values of `pse_session_keys` and `pse_script_keys`."""


class Visit:
    """One transaction; the commands succeed unless they are told otherwise."""

    def __init__(self, debit: Debit, transmit: Callable[[bytes], bytes]) -> None:
        self._debit = debit
        self._transmit = transmit
        self._atc = 0
        self._ac1 = b""

    def send(self, command: Command, expected: int = SW.OK) -> bytes:
        """Send a command; return its data. Errors: ProfileError for another status word."""
        answer = self._transmit(command.build())
        if SW.of(answer) != expected:
            name = self._debit.profile.name
            raise ProfileError(
                f"{name}: the card answers {command.header.hex().upper()} with {SW.of(answer)}:"
                " it cannot be brought into this state"
            )
        return answer[:-2]

    def begin(self, expected: int = SW.OK) -> None:
        """SELECT the application and open a transaction."""
        pdol = _dol(tlv.find(self._debit.dgis[FCI], _PDOL) or b"", {})
        self.send(Command(0x00, 0xA4, 0x04, 0x00, self._debit.directory.df_name))
        self.send(Command(0x80, 0xA8, 0x00, 0x00, bytes((0x83, len(pdol))) + pdol), expected)

    def ask_online(self) -> None:
        """First GENERATE AC, which must answer an ARQC."""
        data = _dol(self._debit.find(_CDOL1), {})
        answer = self._generate(_ARQC, data)
        cid, atc, self._ac1 = answer[:1], answer[1:3], answer[3:11]
        if cid[0] & 0xC0 != _ARQC:
            raise ProfileError(f"{self._debit.profile.name}: the card does not go online")
        self._atc = int.from_bytes(atc, "big")

    def settle(self) -> None:
        """The issuer approves: EXTERNAL AUTHENTICATE, then the second GENERATE AC for a TC."""
        key = self._key("ac", self._debit.profile.option("pse_session_keys"))
        arpc = pboc.arpc(key, self._ac1, _APPROVED)
        self.send(Command(0x00, 0x82, 0x00, 0x00, arpc + _APPROVED))
        self._generate(_TC, _dol(self._debit.find(_CDOL2), {_ARC: _APPROVED}))

    def script(self, command: Command, *, wrong: bool = False) -> None:
        """Send a script with its MAC; `wrong`: with another one, which the card refuses."""
        profile = self._debit.profile
        vis = profile.option("pse_script_keys") == "vis"
        key = self._key("mac", "vis" if vis else profile.option("pse_session_keys"))
        header = command.header + bytes((len(command.data) + 4,))
        mac = pboc.script_mac(key, header, self._atc, self._ac1, command.data)
        if wrong:
            mac = bytes(byte ^ 0xFF for byte in mac)
        signed = command._replace(data=command.data + mac)
        self.send(signed, SW.SM_WRONG if wrong else SW.OK)

    def _generate(self, p1: int, data: bytes) -> bytes:
        """Return CID, ATC, AC and what follows, of either format of the answer (2.6)."""
        ((template, value),) = tlv.parse(self.send(Command(0x80, 0xAE, p1, 0x00, data)))
        if template == 0x80:
            return value
        held = dict(tlv.parse(value))
        return held[0x9F27] + held[0x9F36] + held[0x9F26]

    def _key(self, word: str, derivation: str) -> bytes:
        for key in self._debit.directory.keys:
            if key.type == KEY_TYPES[word]:
                return _DERIVATIONS[derivation](key.value, self._atc)
        raise ProfileError(f"{self._debit.profile.name}: the application has no {word} key")


def _dol(entries: bytes, values: Mapping[int, bytes]) -> bytes:
    """Return the data a list asks for: `values`, and zeros for the rest."""
    return b"".join(values.get(tag, bytes(length)) for tag, length in tlv.parse_dol(entries))
