"""A key vault in a PKCS#11 token: roots are sensitive, cannot be extracted and stay inside.

A key below a root is derived in the token (CKM_DES3_ECB_ENCRYPT_DATA of F || ~F) and lives
there as a session object while it works. What comes out: results, check values, and by
`derive`, `export`, `purchase_tac` and the PIN services the diversified value asked for. In a
token without that mechanism the first diversified value below a root comes out and this process
goes on from it; a root never does. 3DES only: PKCS#11 has no SM4. Needs the extra `pkcs11`.
"""

import ctypes
import struct
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Self

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.attributes import AttributeMapper
from pkcs11.constants import DEFAULT

from sscard.keys.block import Algorithm
from sscard.keys.diversify import chain
from sscard.keys.hierarchy import KeyValue
from sscard.keys.padding import pad80
from sscard.keys.vault import (
    BaseVault,
    KeyInfo,
    Party,
    Root,
    UnsupportedMechanism,
    VaultError,
    VaultLocked,
)
from sscard.keys.vault.memory import ValueKey
from sscard.keys.vault.operations import WorkingKey, factor_block

__all__ = ["Pkcs11Vault"]

_ENCRYPT = Mechanism.DES3_ECB
_CHAIN = Mechanism.DES3_CBC
_DERIVE = Mechanism.DES3_ECB_ENCRYPT_DATA
_BLOCK = 8

# CKA_ID of our objects: a mark with a format number, then version, levels, part, test key.
_MARK = b"sscard\x01"
_WHOLE, _LEFT = 0, 1

_INSIDE: dict[Attribute, Any] = {
    Attribute.CLASS: ObjectClass.SECRET_KEY,
    Attribute.KEY_TYPE: KeyType.DES2,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.ENCRYPT: True,
    Attribute.DERIVE: True,
    Attribute.DECRYPT: False,
    Attribute.SIGN: False,
    Attribute.VERIFY: False,
    Attribute.WRAP: False,
    Attribute.UNWRAP: False,
}
_STORED: dict[Attribute, Any] = _INSIDE | {Attribute.TOKEN: True, Attribute.MODIFIABLE: False}
_DERIVED: dict[Attribute, Any] = _INSIDE | {
    Attribute.TOKEN: False,
    Attribute.VALUE_LEN: DEFAULT,  # a DES2 key has but one length, and tokens refuse to be told
}
_WORD = struct.calcsize("@L")


class TokenKey:
    """A `WorkingKey` inside the token: the key, and its left half twice for retail MACs.

    3DES with two equal halves is single DES, so a token needs no DES of its own.
    """

    __slots__ = ("_left", "_whole")

    def __init__(self, whole: Any, left: Any) -> None:
        self._whole = whole
        self._left = left

    @property
    def block(self) -> int:
        """Block length in bytes: 8."""
        return _BLOCK

    def encrypt(self, data: bytes) -> bytes:
        """Encipher whole blocks in ECB."""
        return _encrypt(self._whole, data)

    def mac(self, message: bytes, iv: bytes) -> bytes:
        """Return the retail MAC: CBC under the left half, the last block under the key."""
        if self._left is None:
            raise UnsupportedMechanism("a token makes no retail MAC with a root")
        padded = pad80(message, _BLOCK)
        state = iv
        if body := padded[:-_BLOCK]:
            with _asking():
                state = self._left.encrypt(body, mechanism=_CHAIN, mechanism_param=iv)[-_BLOCK:]
        last = int.from_bytes(state, "big") ^ int.from_bytes(padded[-_BLOCK:], "big")
        return self.encrypt(last.to_bytes(_BLOCK, "big"))

    @contextmanager
    def session(self, factor: bytes) -> Iterator["TokenKey"]:
        """Yield the session key, a single-DES key: both halves are E(key, factor)."""
        with _derived(self._whole, factor + factor) as key:
            yield TokenKey(key, key)

    @contextmanager
    def seeded(self, seed: bytes) -> Iterator["TokenKey"]:
        """Yield the key E(this key, seed), and its left half twice. Source: pse-pboc 4.2."""
        left_seed = seed[:_BLOCK] * 2
        with _derived(self._whole, seed) as whole, _derived(self._whole, left_seed) as left:
            yield TokenKey(whole, left)


class Pkcs11Vault(BaseVault):
    """The keys of one party in one token. Made by `open`; not for several threads at once."""

    def __init__(self, session: Any, party: Party, *, test: bool, derives: bool) -> None:
        super().__init__(party, test=test)
        self._session = session
        self._derives = derives
        self._infos: dict[tuple[str, int], KeyInfo] = {}
        self._objects: dict[tuple[str, int, int], Any] = {}

    @classmethod
    def open(
        cls,
        module: str,
        token: str,
        pin: str,
        party: Party = Party.SOCIAL,
        *,
        test: bool | None = None,
        writable: bool = False,
    ) -> Self:
        """Open the token with label `token` through the library `module`.

        `test` None: as the keys in it are marked; an empty token is not one of test keys.
        `writable`: keys can be installed. Errors: VaultLocked for a wrong PIN or a token that
        is open in this process already; VaultError when there is no such module or token, or
        its keys are of the other party, of both kinds, or could be read out.
        """
        mapper = AttributeMapper()
        mapper.register_handler(Attribute.ALLOWED_MECHANISMS, _pack_words, _unpack_words)
        with _asking():
            found = pkcs11.lib(module).get_token(token_label=token)
            mechanisms = found.slot.get_mechanisms()
            if _ENCRYPT not in mechanisms:
                raise UnsupportedMechanism(f"the token {token} has no 3DES")
            session = found.open(rw=writable, user_pin=pin, attribute_mapper=mapper)
        try:
            return cls._of_session(session, party, test=test, derives=_DERIVE in mechanisms)
        except VaultError:
            session.close()
            raise

    @classmethod
    def _of_session(cls, session: Any, party: Party, *, test: bool | None, derives: bool) -> Self:
        with _asking():
            stored = session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY})
            size = len(_MARK) + 4
            ours = [key for key in stored if key.id.startswith(_MARK) and len(key.id) == size]
            marked = {bool(key.id[-1]) for key in ours}
        if len(marked | ({test} - {None})) > 1:
            raise VaultError("test keys and others share no vault: use a token for each")
        made = cls(session, party, test=bool(test) or marked == {True}, derives=derives)
        for key in ours:
            made._take(key)
        return made

    def generate(self, name: str, *, version: int = 1, levels: int) -> KeyInfo:
        """Have the token make a 3DES root, whose value nobody ever sees.

        `levels` 1 to 3: a key that works as it is needs its left half beside it, which only
        `install` can give. Errors: VaultError.
        """
        template = Root(name, bytes(16), version, Algorithm.TDES, levels).info
        self._require_open()
        self._require_party(name)
        self._require_new(name, version)
        if not levels:
            raise VaultError(f"{name}: only keys that are diversified are made in a token")
        attributes = self._attributes(template, _WHOLE)
        del attributes[Attribute.CLASS], attributes[Attribute.KEY_TYPE]
        with _asking():
            key = self._session.generate_key(KeyType.DES2, template=attributes)
        return self._take(key)

    def close(self) -> None:
        """Close the session; what was derived in it is gone."""
        if not self._closed:
            super().close()
            self._infos, self._objects = {}, {}
            with _asking():
                self._session.close()

    @property
    def _index(self) -> Mapping[tuple[str, int], KeyInfo]:
        return self._infos

    @contextmanager
    def _opened(self, info: KeyInfo, factors: tuple[bytes, ...]) -> Iterator[WorkingKey]:
        root = self._objects[info.name, info.version, _WHOLE]
        if not factors:
            yield TokenKey(root, self._objects.get((info.name, info.version, _LEFT)))
            return
        if not self._derives:
            first = _encrypt(root, factor_block(factors[0]))
            value = chain(info.algorithm, first, factors[1:])
            yield ValueKey(KeyValue(value, info.algorithm))
            return
        with ExitStack() as stack:
            parent = root
            for factor in factors[:-1]:
                parent = stack.enter_context(_derived(parent, factor_block(factor)))
            last = factors[-1]
            whole = stack.enter_context(_derived(parent, factor_block(last)))
            left = stack.enter_context(_derived(parent, last + last))
            yield TokenKey(whole, left)

    def _install(self, info: KeyInfo, value: bytes) -> None:
        if info.algorithm in (Algorithm.SM4, Algorithm.SSF33):
            raise UnsupportedMechanism(
                f"{info.name}: PKCS#11 tokens have no {info.algorithm.label}, only 3DES:"
                " keep it in a vault file"
            )
        parts = {_WHOLE: value if len(value) == 16 else value * 2}
        if not info.levels:
            parts[_LEFT] = value[:8] * 2
        with _asking():
            made = [
                self._session.create_object(
                    self._attributes(info, part) | {Attribute.VALUE: part_value}
                )
                for part, part_value in parts.items()
            ]
        for key in made:
            self._take(key)

    def _attributes(self, info: KeyInfo, part: int) -> dict[Attribute, Any]:
        """Return what a stored key is and may be used for: nothing that reveals it."""
        ours = bytes((info.version, info.levels, part, int(self.test)))
        allowed = [_ENCRYPT, _DERIVE] if info.levels else [_ENCRYPT, _CHAIN, _DERIVE]
        return _STORED | {
            Attribute.LABEL: info.name,
            Attribute.ID: _MARK + ours,
            Attribute.ALLOWED_MECHANISMS: allowed,
        }

    def _take(self, key: Any) -> KeyInfo:
        """Enter a key object of the token in the index."""
        with _asking():
            name = key.label
            if not key[Attribute.SENSITIVE] or key[Attribute.EXTRACTABLE]:
                raise VaultError(f"{name}: this key could be read out of the token")
            kcv = _encrypt(key, bytes(_BLOCK))[:3]
            version, levels, part, _ = key.id[len(_MARK) :]
        self._require_party(name)
        info = KeyInfo(name, version, Algorithm.TDES, levels, kcv)
        self._objects[name, version, part] = key
        if part == _WHOLE:
            self._infos[name, version] = info
        return info


@contextmanager
def _derived(parent: Any, seed: bytes) -> Iterator[Any]:
    """Yield the key E(parent, `seed` of 16 bytes), a session object that dies with the block."""
    data = ctypes.create_string_buffer(seed, len(seed))
    parameter = struct.pack(
        "@PL", ctypes.addressof(data), len(seed)
    )  # CK_KEY_DERIVATION_STRING_DATA
    with _asking():
        key = parent.derive_key(
            KeyType.DES2,
            128,
            mechanism=_DERIVE,
            mechanism_param=parameter,
            template=_DERIVED,
        )
    try:
        yield key
    finally:
        with _asking():
            key.destroy()


def _encrypt(key: Any, data: bytes) -> bytes:
    if len(data) % _BLOCK:
        raise ValueError(f"{len(data)} bytes are not whole blocks of {_BLOCK}")
    with _asking():
        return bytes(key.encrypt(data, mechanism=_ENCRYPT))


@contextmanager
def _asking() -> Iterator[None]:
    """Say in our errors what the token answers."""
    try:
        yield
    except (pkcs11.PinIncorrect, pkcs11.PinLocked, pkcs11.PinLenRange, pkcs11.PinInvalid) as error:
        raise VaultLocked(f"the PIN does not open the token: {type(error).__name__}") from None
    except (pkcs11.UserAlreadyLoggedIn, pkcs11.UserNotLoggedIn) as error:
        raise VaultLocked(
            f"the token is open in this process already, or not at all: {type(error).__name__}"
        ) from None
    except pkcs11.MechanismInvalid:
        raise UnsupportedMechanism("the token lacks a mechanism of 3DES") from None
    except pkcs11.PKCS11Error as error:
        raise VaultError(f"the token: {type(error).__name__} {error}".rstrip()) from None


def _pack_words(values: list[Mechanism]) -> bytes:
    return struct.pack(f"@{len(values)}L", *values)


def _unpack_words(data: bytes) -> list[int]:
    return list(struct.unpack(f"@{len(data) // _WORD}L", data))
