"""Session forms of the social security application (ssse-lb002 4.5-4.7; cos 4.7).

A session key is made of a card key and an 8-byte factor (a challenge); cryptograms and
"flavour A" secure messaging work under it with IV 0. Pure; both sides of the wire use it.
"""

from sscard.keys.block import Algorithm, engine
from sscard.keys.line import unwrap, wrap
from sscard.keys.mac import des_mac, fold4, fold16, retail_mac, sm4_mac
from sscard.keys.padding import zero_pad

__all__ = [
    "card_id_mac",
    "cryptogram",
    "direct_cryptogram",
    "session_algorithm",
    "session_cryptogram",
    "session_key",
    "sm_decrypt",
    "sm_encrypt",
    "sm_mac",
]


def session_key(algorithm: int, key: bytes, factor: bytes) -> bytes:
    """SK = E(K, factor), the factor of 8 bytes right-padded with 00 to the block.

    3DES and DES: 8 bytes, a single-DES key; SM4: 16 bytes, an SM4 key. Source: ssse-lb002 4.5.
    """
    return _one_block(algorithm, key, factor)


def cryptogram(algorithm: int, key: bytes, factor: bytes, data: bytes) -> bytes:
    """cg(K, F, D): authentication cryptogram of 8-byte `data` under SK(K, factor); 8 bytes.

    SM4 folds its block: left XOR right half. Source: ssse-lb002 4.5; cos 4.7 session form.
    """
    return session_cryptogram(algorithm, session_key(algorithm, key, factor), data)


def session_cryptogram(algorithm: int, session_key: bytes, data: bytes) -> bytes:
    """Return the second half of `cryptogram`, under a session key already made; 8 bytes."""
    block = _one_block(session_algorithm(algorithm), session_key, data)
    return fold16(block) if len(block) == 16 else block


def direct_cryptogram(algorithm: int, key: bytes, challenge: bytes) -> bytes:
    """C = E(K, R), R right-padded with 00 to one block; 8 bytes, SM4 16.

    ValueError when R is longer than the block (the card answers 6984). Source: cos 4.7.
    """
    cipher = engine(algorithm, key)
    return cipher.encrypt(zero_pad(challenge, cipher.block))


def session_algorithm(algorithm: int) -> Algorithm:
    """Return the algorithm of a session key: SM4 under SM4, else single DES."""
    return Algorithm.SM4 if algorithm == Algorithm.SM4 else Algorithm.DES


def sm_mac(algorithm: int, session_key: bytes, message: bytes) -> bytes:
    """Flavour A: CBC-MAC under the session key, IV 0, 4 bytes (SM4: fold of the four words).

    `algorithm` is that of the card key; `message` is CLA INS P1 P2 Lc and the data as sent.
    Source: ssse-lb002 4.6 rows A and SM4-A.
    """
    if session_algorithm(algorithm) is Algorithm.SM4:
        return fold4(sm4_mac(session_key, message))
    return des_mac(session_key, message)[:4]


def sm_encrypt(algorithm: int, session_key: bytes, data: bytes) -> bytes:
    """Flavour A: E(SK, LD || data || 80 00..), ECB, padded only if needed. ssse-lb002 4.7."""
    return wrap(session_algorithm(algorithm), session_key, data)


def sm_decrypt(algorithm: int, session_key: bytes, data: bytes) -> bytes:
    """Undo `sm_encrypt`. ValueError on a wrong length byte or padding."""
    return unwrap(session_algorithm(algorithm), session_key, data)


def card_id_mac(algorithm: int, irk: bytes, card_id: bytes) -> bytes:
    """Flavour C: the MAC in the card identification code, over its first 12 bytes; 4 bytes.

    The card's IRK used directly, IV 0: retail MAC, or SM4 CBC-MAC folded.
    Source: ssse-lb002 1.2, 4.6 row C.
    """
    if len(card_id) != 12:
        raise ValueError(f"region, RID and serial are 12 bytes, not {len(card_id)}")
    if algorithm == Algorithm.SM4:
        return fold4(sm4_mac(irk, card_id))
    return retail_mac(irk, card_id)[:4]


def _one_block(algorithm: int, key: bytes, data: bytes) -> bytes:
    if len(data) != 8:
        raise ValueError(f"the session form takes 8 bytes, not {len(data)}")
    cipher = engine(algorithm, key)
    return cipher.encrypt(data if cipher.block == 8 else data + bytes(8))
