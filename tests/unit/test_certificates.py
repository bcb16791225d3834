"""Certificates under random keys of odd lengths, checked by a verifier that shares nothing (4.9)."""

from functools import cache
from random import Random

import oda_verifier as outside
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sscard.keys.certificates import (
    icc_certificate,
    issuer_certificate,
    open_icc_certificate,
    open_issuer_certificate,
    open_static_signature,
    pin_certificate,
    static_data,
    static_signature,
)
from sscard.keys.making import from_seed, generate
from sscard.keys.rsa import PublicKey, RsaKey, cda_answer_length

SIZES = (512, 528, 680, 688, 696, 768, 1016, 1024)
"""688 bits just fit beside the 42 other bytes of a 1024-bit certificate."""


@cache
def key(bits, exponent, number=0):
    return from_seed(bits, exponent, b"tests %d" % number)


def public(made):
    return outside.Key(made.public.n, made.public.e)


keys = st.builds(key, st.sampled_from(SIZES), st.sampled_from((3, 65537)))
signers = st.builds(key, st.sampled_from((1024, 1032)), st.sampled_from((3, 65537)))


@given(signers, keys, st.binary(min_size=10, max_size=10), st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_pse_4_9_icc_certificates_of_any_length(issuer, icc, pan, static):
    made = icc_certificate(
        issuer, icc.public, pan=pan, expiry=b"\x12\x30", serial=b"\0\1\2", static_data=static
    )
    tags = {0x9F46: made.certificate, 0x9F47: made.exponent}
    if made.remainder:
        tags[0x9F48] = made.remainder
    assert len(made.remainder) == max(0, icc.size - (issuer.size - 42))
    seen = outside.icc_key(public(issuer), tags, static)
    assert seen == (pan.hex().upper(), "1230", "000102", public(icc))
    opened = open_icc_certificate(issuer.public, made, static)
    assert opened == (pan, b"\x12\x30", b"\0\1\2", icc.public)
    with pytest.raises(outside.Wrong, match="hash"):
        outside.icc_key(public(issuer), tags, static + b"\0")
    with pytest.raises(ValueError, match="hash"):
        open_icc_certificate(issuer.public, made, static + b"\0")


@given(signers, st.data())
@settings(max_examples=40, deadline=None)
def test_pse_4_9_issuer_certificates_of_any_length(ca, data):
    issuer = data.draw(st.builds(key, st.sampled_from((512, 736, 744, 1024)), st.just(3)))
    made = issuer_certificate(
        ca, issuer.public, identifier=b"\x62\x10\x95\xff", expiry=b"\x01\x29", serial=b"abc"
    )
    tags = {0x90: made.certificate, 0x9F32: made.exponent}
    if made.remainder:
        tags[0x92] = made.remainder
    assert len(made.remainder) == max(0, issuer.size - (ca.size - 36))
    assert outside.issuer_key(public(ca), tags) == ("621095FF", "0129", "616263", public(issuer))
    assert open_issuer_certificate(ca.public, made).key == issuer.public


@given(signers, st.binary(max_size=500), st.binary(min_size=2, max_size=2))
@settings(max_examples=30, deadline=None)
def test_pse_4_9_static_signatures(issuer, static, code):
    made = static_signature(issuer, code, static)
    assert outside.data_code(public(issuer), {0x93: made}, static) == code.hex().upper()
    assert open_static_signature(issuer.public, made, static) == code
    with pytest.raises(outside.Wrong, match="hash"):
        outside.data_code(public(issuer), {0x93: made}, static + b"\0")


def test_pse_4_9_the_pin_certificate_covers_no_static_data():
    made = pin_certificate(
        key(1024, 3), key(768, 3).public, pan=bytes(10), expiry=bytes(2), serial=bytes(3)
    )
    tags = {0x9F2D: made.certificate, 0x9F2E: made.exponent, 0x9F2F: made.remainder}
    assert outside.pin_key(public(key(1024, 3)), tags).key == public(key(768, 3))


def test_pse_4_9_a_key_certifies_none_longer():
    with pytest.raises(ValueError, match="certifies none of 129"):
        issuer_certificate(
            key(1024, 3), key(1032, 3).public, identifier=bytes(4), expiry=bytes(2), serial=bytes(3)
        )
    with pytest.raises(ValueError, match="field of 3 bytes is given 2"):
        issuer_certificate(
            key(1024, 3), key(768, 3).public, identifier=bytes(4), expiry=bytes(2), serial=bytes(2)
        )


def test_pse_4_9_a_certificate_of_another_kind_or_another_key():
    ca, issuer = key(1032, 3), key(1024, 3)
    made = issuer_certificate(
        ca, issuer.public, identifier=bytes(4), expiry=bytes(2), serial=bytes(3)
    )
    with pytest.raises(ValueError, match="format 02, not 04"):
        open_icc_certificate(ca.public, made)
    with pytest.raises(ValueError, match=r"6A|hash"):
        open_issuer_certificate(key(1032, 65537).public, made)
    with pytest.raises(ValueError, match="hash"):
        open_issuer_certificate(ca.public, made._replace(remainder=made.remainder + b"\0"))


def test_pse_4_9_static_data_in_the_order_of_the_afl():
    records = {
        (2, 1): bytes.fromhex("70025A00"),
        (2, 2): bytes.fromhex("7081035F2400"),
        (1, 1): bytes.fromhex("70015A"),
        (11, 1): bytes.fromhex("7002CAFE"),
    }
    afl = bytes.fromhex("10010202 08010100 58010101")
    assert static_data(afl, records, b"\x7c\0", b"").hex() == "5a00" + "5f2400" + "7002cafe"
    assert static_data(afl, records, b"\x7c\0", b"\x82").hex().endswith("cafe7c00")
    for bad, why in (
        ({"afl": afl + b"\0"}, "4 bytes"),
        ({"afl": bytes.fromhex("10010303")}, "record 3 of SFI 02"),
        ({"tag_list": b"\x82\x82"}, "82 only"),
        ({"records": {(2, 1): b"\x71\0", (2, 2): b"", (11, 1): b""}}, "template 70"),
    ):
        parts = {"afl": afl, "records": records, "aip": b"\x7c\0", "tag_list": b"\x82", **bad}
        with pytest.raises(ValueError, match=why):
            static_data(**parts)


# ---- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [512, 520, 696, 1024])
@pytest.mark.parametrize("exponent", [3, 65537])
def test_keys_of_a_seed(bits, exponent):
    made = from_seed(bits, exponent, b"once")
    assert made == from_seed(bits, exponent, b"once")
    assert made != from_seed(bits, exponent, b"twice")
    assert made.modulus.bit_length() == bits
    assert made.public == PublicKey(made.modulus, exponent)
    block = bytes((0,)) + Random(bits).randbytes(made.size - 1)
    assert made.public.recover(made.sign(block)) == block
    n, d = made.modulus, made.private_exponent
    assert made.sign(block) == pow(int.from_bytes(block), d, n).to_bytes(made.size)
    assert RsaKey.from_exponents(n, exponent, d) == made


def test_fresh_keys():
    one, other = generate(1024), generate(1024, 65537)
    assert one.modulus.bit_length() == other.modulus.bit_length() == 1024
    assert (one.public.e, other.public.e) == (3, 65537)
    assert one != other
    for bits, exponent in ((1992, 3), (1028, 3), (504, 3), (1024, 5)):
        with pytest.raises(ValueError, match=r"bits|exponent"):
            from_seed(bits, exponent, b"")
        with pytest.raises(ValueError, match=r"bits|exponent"):
            generate(bits, exponent)
    with pytest.raises(ValueError, match="from a seed only"):
        generate(1016)


def test_pse_4_9_how_long_an_answer_with_cda_is():
    assert cda_answer_length(96, 8) == len(bytes.fromhex("7777")) + 0x77
    for size in range(64, 249):
        for iad in (8, 19, 24, 32):
            inside = 4 + 5 + 2 + (1 if size < 128 else 2) + size + 2 + 1 + iad
            header = 2 if inside < 128 else 3 if inside < 256 else 4
            assert cda_answer_length(size, iad) == header + inside


def test_gmpy2_gives_the_same_signatures(monkeypatch):
    """Whichever does the powers; the extra is `gmpy2`."""
    gmpy2 = pytest.importorskip("gmpy2")
    from sscard.keys import rsa

    for bits in (512, 768, 1024):
        made = key(bits, 3)
        block = b"\x6a" * made.size
        answers = set()
        for power in (pow, gmpy2.powmod):
            monkeypatch.setattr(rsa, "_powmod", power)
            answers.add((made.sign(block), made.public.recover(made.sign(block))))
        assert len(answers) == 1
