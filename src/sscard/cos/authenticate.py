"""GET CHALLENGE, EXTERNAL AUTHENTICATE and the MAC of a master key (cos 4.7, 5.1, 6.1).

The commands every domain has. Rows are in `AUTHENTICATION`; applets include them.
"""

from collections.abc import Callable

from sscard.cos.commands import CommandTable, Le, Survives
from sscard.cos.domain import Domain
from sscard.cos.objects import KeyRecord, KeyType
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode
from sscard.iso.apdu import Command
from sscard.iso.sw import SW

__all__ = ["AUTHENTICATION", "authenticate", "find_external_key", "master_mac", "message"]

AUTHENTICATION = CommandTable("authentication")

_CHALLENGES = (4, 8, 16)
_DEFAULT_CHALLENGE = 8
_HISTORY = 4
_SESSION_LENGTHS = (16, 17)
_REF = "cos 4.7"


@AUTHENTICATION.command(
    0x00,
    0x84,
    "GET CHALLENGE",
    le=Le.IGNORED,
    survives=Survives.BLOCKED | Survives.BLANK,
    ref="cos 5.1",
)
def get_challenge(domain: Domain, command: Command) -> bytes:
    """Return 4, 8 or 16 random bytes and keep them for the command that needs them.

    Le 00 means 8 where a challenge outlives other commands (ssse-lb002 3.2, pse-pboc 2.2).
    """
    length = command.le or 256
    if length == 256 and domain.applet.default_challenge:
        length = _DEFAULT_CHALLENGE
    if length not in _CHALLENGES:
        raise Refusal(SW.WRONG_LENGTH, "Le of GET CHALLENGE is 04, 08 or 10", "cos 5.1")
    challenge = domain.rng.take(length)
    held = domain.session.challenges if domain.challenge_history else ()
    domain.session.challenges = (*held, challenge)[-_HISTORY:]
    return challenge


@AUTHENTICATION.command(
    0x00,
    0x82,
    "EXTERNAL AUTHENTICATE",
    p2=None,
    lc=None,
    survives=Survives.BLOCKED | Survives.BLANK,
    ref="cos 4.7",
)
def external_authenticate(domain: Domain, command: Command) -> bytes:
    """Prove a key: P2 = 00 the master key, else the type-0D key of that id."""
    return authenticate(domain, command, command.p2)


def authenticate(domain: Domain, command: Command, identifier: int) -> bytes:
    """Execute EXTERNAL AUTHENTICATE of the key `identifier` in the form its header asks for.

    Order: 6A88, 6981, 6700, 6982, 6984, 6983, then the try is spent, then 63Cx. Source:
    cos 4.7; in the SSSE also ssse-lb002 3.8.
    """
    data = command.data
    version = data[16] if len(data) == 17 else None
    key, holder = find_external_key(domain, identifier, version)
    block = domain.crypto.block_size(key)
    lengths = _SESSION_LENGTHS if key.session_form else (block,)
    if len(data) not in lengths:
        raise Refusal(SW.WRONG_LENGTH, f"Lc of this key's form is not {len(data)}", _REF)
    domain.require(key.use, f"use of key {identifier:02X}", _REF)
    challenges = _challenges_for(domain, key)
    domain.require_tries(key, _REF)
    if not domain.prove(key, _comparison(domain, key, challenges, data)):
        domain.revoke(key, holder)
        raise Refusal(
            SW.tries_left(domain.tries_left(key)) if key.counted else SW.AUTHENTICATION_FAILED,
            f"the cryptogram of key {identifier:02X} is wrong",
            _REF,
        )
    domain.grant(key, holder)
    return b""


def find_external_key(
    domain: Domain, identifier: int, version: int | None
) -> tuple[KeyRecord, FileNode | None]:
    """Return the key and the directory that holds it; 6A88 or 6981 (cos 4.7)."""
    found: tuple[KeyRecord, FileNode | None] | None
    if identifier == 0:
        found = domain.master_key()
        if found is not None and version not in (None, found[0].version):
            found = None
    else:
        found = domain.find_key(KeyType.EXTERNAL_AUTH, identifier, version)
    if found is not None:
        return found
    here: FileNode | None = domain.session.directory
    while here is not None:
        if identifier and any(
            key.id == identifier and key.type != KeyType.EXTERNAL_AUTH
            for key in domain.keys.records(here)
        ):
            raise Refusal(
                SW.WRONG_FILE_KIND, f"key {identifier:02X} is not for authentication", _REF
            )
        here = here.parent
    raise Refusal(SW.DATA_NOT_FOUND, f"no key {identifier:02X} to authenticate with", _REF)


def _challenges_for(domain: Domain, key: KeyRecord) -> tuple[bytes, ...]:
    """Consume and return the challenges this key can work with, the latest first."""
    held = domain.session.challenges
    domain.session.challenges = ()
    if key.session_form:
        usable = [challenge for challenge in held if len(challenge) == _DEFAULT_CHALLENGE]
    else:
        block = domain.crypto.block_size(key)
        usable = [challenge for challenge in held if len(challenge) <= block]
    if not usable or (not domain.challenge_history and len(usable) != len(held)):
        raise Refusal(SW.NO_CHALLENGE, "no challenge of a length this key can use", _REF)
    return tuple(reversed(usable))


def _comparison(
    domain: Domain, key: KeyRecord, challenges: tuple[bytes, ...], data: bytes
) -> Callable[[], bool]:
    crypto = domain.crypto
    if key.session_form:
        cryptogram, chosen = data[:8], data[8:16]
        return lambda: any(
            crypto.same(crypto.session_cryptogram(key, challenge, chosen), cryptogram)
            for challenge in challenges
        )
    return lambda: any(
        crypto.same(crypto.direct_cryptogram(key, challenge), data) for challenge in challenges
    )


def message(command: Command) -> bytes:
    """Return what a MAC protects: the header with Lc, and the data without the MAC (cos 6.1)."""
    data = command.data
    return bytes((*command[:4], len(data))) + data[:-4]


def master_mac(domain: Domain, command: Command, key: KeyRecord) -> None:
    """Check the MAC at the end of the data under a master key (cos 6.1, T2).

    Order: 6984 no usable challenge, 6983 no try left, 6988 wrong. The key's own counter is
    spent before the comparison.
    """
    challenge = domain.take_challenge("cos 6.1")
    if len(challenge) > domain.crypto.block_size(key):
        raise Refusal(SW.NO_CHALLENGE, "the challenge is longer than the cipher block", "cos 4.7")
    domain.require_tries(key, "cos 4.3")
    mac = command.data[-4:]
    protected = message(command)
    if not domain.prove(
        key, lambda: domain.crypto.same(domain.crypto.line_mac(key, challenge, protected), mac)
    ):
        raise Refusal(SW.SM_WRONG, "the MAC under the master key is wrong", "cos 6.1")


def require_master(domain: Domain) -> KeyRecord:
    """Return the master key that acts in the current directory; 6A88 when there is none."""
    found = domain.master_key()
    if found is None:
        raise Refusal(SW.DATA_NOT_FOUND, "no master key acts here", "cos 4.3")
    return found[0]
