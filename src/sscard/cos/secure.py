"""Line protection of file commands: a layer around the handler (cos 2.3 sm byte, 6.1).

Two flavours: `pboc`, the MAC under the key itself with the challenge as IV (cos 6.1); and
`session`, the SSSE's own, under a session key made from the challenge (ssse-lb002 4.6 A).
"""

from collections.abc import Callable

from sscard.cos.authenticate import message
from sscard.cos.domain import Domain
from sscard.cos.lifecycle import mac_failed, mac_succeeded
from sscard.cos.objects import KeyRecord, KeyType
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.apdu import Command
from sscard.iso.sw import SW
from sscard.keys import session as session_form

__all__ = ["Protection", "plain_data", "protected_command", "transport_key_of"]

_REF = "cos 6.1"
_COMMAND_MAC, _ENCIPHER, _RESPONSE_MAC = 0x80, 0x40, 0x20
_SECURE_CLA = 0x04
_LD_MOST = 255


class Protection:
    """A command's verified protection: its key and challenge, for the response."""

    __slots__ = ("_challenge", "_domain", "_key", "_session")

    def __init__(self, domain: Domain, key: KeyRecord, challenge: bytes, *, session: bool) -> None:
        self._domain = domain
        self._key = key
        self._challenge = challenge
        self._session = domain.crypto.session_key(key, challenge) if session else None

    def mac(self, protected: bytes) -> bytes:
        """Return the 4-byte MAC of a message, padding not included."""
        if self._session is None:
            return self._domain.crypto.line_mac(self._key, self._challenge, protected)
        self._domain.crypto.charge(self._key.algorithm, len(protected))
        return session_form.sm_mac(self._key.algorithm, self._session, protected)

    def encipher(self, answer: bytes) -> bytes:
        """Return LD || answer || padding under the key; 6700 when LD cannot count it."""
        if len(answer) > _LD_MOST:
            raise Refusal(SW.WRONG_LENGTH, "enciphered answers have at most 255 bytes", _REF)
        if self._session is None:
            return self._domain.crypto.wrap(self._key, answer)
        self._domain.crypto.charge(self._key.algorithm, len(answer))
        return session_form.sm_encrypt(self._key.algorithm, self._session, answer)

    def decipher(self, data: bytes) -> bytes:
        """Return the plain data of LD || data || padding; 6A80 when it is not that."""
        try:
            if self._session is None:
                return self._domain.crypto.unwrap(self._key, data)
            self._domain.crypto.charge(self._key.algorithm, len(data))
            return session_form.sm_decrypt(self._key.algorithm, self._session, data)
        except ValueError as error:
            raise Refusal(SW.WRONG_DATA, f"enciphered data: {error}", _REF) from None


def plain_data(
    domain: Domain, command: Command, sm: int
) -> tuple[Callable[[], bytes], Callable[[bytes], bytes]]:
    """Check a command's protection; return what gives its plain data, and what protects the answer.

    What the data say is looked at after the rights (cos 5.3), so that whoever has none learns
    nothing of them: the first raises 6A80 for a block that was not enciphered as it should be.

    Shapes: `sm` is the sm byte of the object for this operation (cos 2.3). Refuses: 6987 (in
    the SSSE 6982) when protection is required and missing, 6882 when the object has none to
    offer, then 6A88, 6984, 6983, 6988, 9303.
    """
    if not command.cla & _SECURE_CLA:
        if sm & (_COMMAND_MAC | _ENCIPHER):
            raise Refusal(domain.applet.sm_missing, "the object needs secure messaging", "cos 2.3")
        return lambda: command.data, _unprotected
    if not sm & (_COMMAND_MAC | _ENCIPHER | _RESPONSE_MAC):
        raise Refusal(SW.SM_NOT_SUPPORTED, "the object has no secure messaging", "cos 2.3")
    key = transport_key_of(domain, sm & 0x0F)
    protection = protected_command(domain, command, key, session=domain.session_messaging())
    data = command.data[:-4]

    def plain() -> bytes:
        return protection.decipher(data) if sm & _ENCIPHER and data else data

    def protect(answer: bytes) -> bytes:
        if sm & _ENCIPHER:
            answer = protection.encipher(answer)
        return answer + protection.mac(answer) if sm & _RESPONSE_MAC else answer

    return plain, protect


def transport_key_of(domain: Domain, nibble: int) -> KeyRecord:
    """Return the line protection key (type 07) whose id ends in `nibble` (cos 2.3, sm byte)."""
    here: FileNode | None = domain.session.directory
    while here is not None:
        for key in domain.keys.records(here):
            if key.type == KeyType.STK and key.id & 0x0F == nibble:
                return key
        here = here.parent
    raise Refusal(SW.DATA_NOT_FOUND, f"no line protection key {nibble:X}", "cos 2.3")


def protected_command(
    domain: Domain,
    command: Command,
    key: KeyRecord,
    *,
    session: bool,
    failed: Callable[[Domain], Refusal] = mac_failed,
) -> Protection:
    """Check the MAC at the end of a command's data under `key` and return its protection.

    `failed` counts a wrong one and gives the refusal. Source: cos 6.1; ssse-lb002 4.6.
    """
    if len(command.data) < 4:
        raise Refusal(SW.SM_MISSING, "the data end in no MAC", _REF)
    block = domain.crypto.block_size(key)
    challenge = domain.take_challenge(_REF)
    limit = 8 if session else block
    if len(challenge) > limit or (session and len(challenge) != limit):
        raise Refusal(SW.NO_CHALLENGE, "the challenge has no usable length", _REF)
    domain.require_tries(key, _REF)
    protection = Protection(domain, key, challenge, session=session)
    received, protected = command.data[-4:], message(command)
    if not domain.prove(key, lambda: domain.crypto.same(protection.mac(protected), received)):
        raise failed(domain)
    mac_succeeded(domain)
    return protection


def _unprotected(answer: bytes) -> bytes:
    return answer
