"""Properties of the cryptographic constructions: inverses, equivalences, refusals, secrecy."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.errors import SscardError
from sscard.keys import Algorithm, Engine, UnsupportedAlgorithm, engine, equal
from sscard.keys.cps import card_keys
from sscard.keys.diversify import chain, city_factor, diversify, province_factor
from sscard.keys.hierarchy import CARD_KEYS, BankKeys, KeySet, KeyValue, Origin, Tier
from sscard.keys.line import line_mac, unwrap, wrap
from sscard.keys.mac import des_mac, fold4, fold16, retail_mac, sm4_mac
from sscard.keys.padding import pad80, pad80_if_needed, strip80, zero_pad
from sscard.keys.pboc import (
    pin_block,
    pin_change_block,
    pin_change_digits,
    pin_digits,
    udk,
    vis_session_key,
)
from sscard.keys.purse import Transaction, load_key, load_mac1, load_mac2, load_tac
from sscard.keys.rsa import RsaKey, message_block, open_message_block, recover
from sscard.keys.session import (
    card_id_mac,
    cryptogram,
    direct_cryptogram,
    session_algorithm,
    session_key,
    sm_decrypt,
    sm_encrypt,
)

TDES, DES, SSF33, SM4 = Algorithm.TDES, Algorithm.DES, Algorithm.SSF33, Algorithm.SM4
h = bytes.fromhex

KEY8 = st.binary(min_size=8, max_size=8)
KEY16 = st.binary(min_size=16, max_size=16)
KEYED = st.one_of(
    st.tuples(st.sampled_from([TDES, SM4]), KEY16),
    st.tuples(st.just(DES), KEY8),
)
BLOCKS = st.sampled_from([8, 16])
PIN = st.text("0123456789", min_size=4, max_size=12)


# ---- padding ---------------------------------------------------------------------------------


@given(st.binary(max_size=70), BLOCKS)
def test_cos_6_1_padding_is_taken_off_again(data, block):
    padded = pad80(data, block)
    assert len(padded) % block == 0
    assert 1 <= len(padded) - len(data) <= block
    assert strip80(padded) == data
    assert pad80_if_needed(data, block) == (padded if len(data) % block else data)


@pytest.mark.parametrize("data", [b"", bytes(8), b"\x81", b"\x80\x01"])
def test_cos_6_1_missing_padding(data):
    with pytest.raises(ValueError, match="padding"):
        strip80(data)


def test_cos_6_1_iv_is_right_padded_and_never_cut():
    assert zero_pad(h("E1E2E3E4"), 8) == h("E1E2E3E400000000")
    with pytest.raises(ValueError, match="do not fit"):
        zero_pad(bytes(9), 8)


# ---- engines ---------------------------------------------------------------------------------


@given(KEYED, st.binary(max_size=15), st.integers(0, 12))
def test_engines_have_inverses_and_cbc_is_cbc(keyed, seed, blocks):
    cipher = engine(*keyed)
    data = (seed + b"\x5a") * 16
    data = data[: blocks * cipher.block]
    assert cipher.decrypt(cipher.encrypt(data)) == data
    iv = bytes(range(cipher.block))
    expected, state = b"", iv
    for at in range(0, len(data), cipher.block):
        mixed = bytes(a ^ b for a, b in zip(state, data[at : at + cipher.block], strict=True))
        state = cipher.encrypt(mixed)
        expected += state
    assert cipher.cbc(iv, data) == expected
    assert cipher.chain(iv, data) == state


@given(KEYED)
def test_an_engine_shows_its_algorithm_and_no_key(keyed):
    algorithm, key = keyed
    assert repr(engine(algorithm, key)) == f"<Engine {algorithm.label}>"


@pytest.mark.parametrize("method", ["encrypt", "decrypt"])
def test_a_part_of_a_block_never_reaches_the_shared_context(method):
    cipher = engine(TDES, bytes(range(16)))
    before = cipher.encrypt(bytes(8))
    with pytest.raises(ValueError, match="whole blocks"):
        getattr(cipher, method)(bytes(5))
    with pytest.raises(ValueError, match="blocks"):
        cipher.chain(bytes(8), bytes(12))
    with pytest.raises(ValueError, match="blocks"):
        cipher.cbc(bytes(8), bytes(12))
    assert cipher.encrypt(bytes(8)) == before


def test_threads_may_share_an_engine():
    """Long data make a context give way to other threads, which must not meet it then."""
    cipher = engine(TDES, bytes(range(16)))
    plain = bytes(1 << 16)
    expected = cipher.encrypt(plain)

    def work(_):
        return [cipher.encrypt(plain), cipher.decrypt(expected), cipher.encrypt(bytes(8))]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(work, range(40)))
    assert all(answer == [expected, plain, expected[:8]] for answer in answers)


def test_equal_halves_are_single_des():
    key = h("0123456789ABCDEF")
    assert engine(TDES, key * 2).encrypt(bytes(8)) == engine(DES, key).encrypt(bytes(8))


@pytest.mark.parametrize("algorithm", [SSF33, 3, 5, 255, -1])
def test_cos_4_4_algorithms_without_an_implementation(algorithm):
    with pytest.raises(UnsupportedAlgorithm):
        engine(algorithm, bytes(16))
    assert issubclass(UnsupportedAlgorithm, SscardError)


@pytest.mark.parametrize(("algorithm", "length"), [(TDES, 8), (TDES, 24), (DES, 16), (SM4, 8)])
def test_keys_of_a_wrong_length(algorithm, length):
    with pytest.raises(ValueError, match="key has"):
        engine(algorithm, bytes(length))


def test_the_engine_cache_is_bounded():
    for number in range(2 * engine.cache_info().maxsize):
        engine(DES, number.to_bytes(8, "big"))
    assert engine.cache_info().currsize <= engine.cache_info().maxsize


def test_comparison():
    assert equal(b"\1\2", b"\1\2")
    assert not equal(b"\1\2", b"\1\3")
    assert not equal(b"\1\2", b"\1")


# ---- MACs ------------------------------------------------------------------------------------


@given(KEY16, st.binary(max_size=120), KEY8)
def test_cos_6_1_retail_mac_is_cbc_with_two_more_steps(key, data, iv):
    left, right = engine(DES, key[:8]), engine(DES, key[8:])
    last = left.cbc(iv, pad80(data, 8))[-8:]
    assert retail_mac(key, data, iv) == left.encrypt(right.decrypt(last))
    assert retail_mac(key[:8], data, iv) == last == des_mac(key[:8], data, iv)


@given(KEY16, st.binary(max_size=120))
def test_cos_6_1_retail_mac_of_equal_halves_is_the_des_mac(key, data):
    assert retail_mac(key[:8] * 2, data) == des_mac(key[:8], data)


@given(KEY16)
def test_ssse_4_6_folds(block):
    words = [int.from_bytes(block[at : at + 4], "big") for at in (0, 4, 8, 12)]
    assert int.from_bytes(fold4(block), "big") == words[0] ^ words[1] ^ words[2] ^ words[3]
    assert fold16(block) == bytes(a ^ b for a, b in zip(block[:8], block[8:], strict=True))


@given(KEYED, st.binary(max_size=40), st.sampled_from([4, 8, 16]))
def test_cos_6_1_iv_of_every_challenge_length(keyed, message, length):
    algorithm, key = keyed
    challenge = bytes(range(0xE1, 0xE1 + length))
    if length > algorithm.block:
        with pytest.raises(ValueError, match="do not fit"):
            line_mac(algorithm, key, challenge, message)
        return
    iv = challenge.ljust(algorithm.block, b"\0")
    mac = sm4_mac(key, message, iv) if algorithm is SM4 else retail_mac(key, message, iv)
    assert line_mac(algorithm, key, challenge, message) == mac[:4]


# ---- enciphered data -------------------------------------------------------------------------


@given(KEYED, st.binary(max_size=255))
def test_cos_6_1_wrap_round_trip(keyed, data):
    wrapped = wrap(*keyed, data)
    assert unwrap(*keyed, wrapped) == data
    block = keyed[0].block
    assert len(wrapped) == (len(data) // block + 1) * block


@given(KEYED, st.binary(max_size=48))
def test_cos_6_1_unwrap_accepts_only_what_wrap_makes(keyed, noise):
    algorithm, key = keyed
    plain = noise[: len(noise) // algorithm.block * algorithm.block]
    cipher = engine(algorithm, key).encrypt(plain)
    try:
        data = unwrap(algorithm, key, cipher)
    except ValueError:
        return
    assert wrap(algorithm, key, data) == cipher


@pytest.mark.parametrize(
    "plain",
    [
        "0801020304050607",  # LD beyond the data
        "0501020304050000",  # no 80
        "0501020304058001",  # something after the 80
        "07010203040506078000000000000000",  # padded where none was needed
        "FF01020304050607",
    ],
)
def test_cos_6_1_unwrap_refuses(plain):
    key = bytes(range(8))
    with pytest.raises(ValueError, match="length byte or padding"):
        unwrap(DES, key, engine(DES, key).encrypt(h(plain)))


def test_cos_6_1_unwrap_refuses_nothing_and_parts_of_blocks():
    for cipher in (b"", bytes(7)):
        with pytest.raises(ValueError, match=r"length byte|whole blocks"):
            unwrap(DES, bytes(8), cipher)
    with pytest.raises(ValueError, match="LD is one byte"):
        wrap(DES, bytes(8), bytes(256))


@given(st.sampled_from([TDES, SM4]), KEY16, KEY8, st.binary(max_size=60))
def test_ssse_4_7_session_encryption_round_trip(algorithm, key, challenge, data):
    session = session_key(algorithm, key, challenge)
    assert len(session) == session_algorithm(algorithm).key_length
    cipher = sm_encrypt(algorithm, session, data)
    assert sm_decrypt(algorithm, session, cipher) == data


def test_ssse_4_5_session_form_wants_eight_bytes():
    for wrong in (bytes(4), bytes(16)):
        with pytest.raises(ValueError, match="8 bytes"):
            session_key(TDES, bytes(16), wrong)
        with pytest.raises(ValueError, match="8 bytes"):
            cryptogram(SM4, bytes(16), bytes(8), wrong)
    with pytest.raises(ValueError, match="12 bytes"):
        card_id_mac(TDES, bytes(16), bytes(16))


def test_cos_4_7_direct_form_pads_short_challenges():
    key = bytes(range(16))
    short, padded = h("01020304"), h("0102030400000000")
    assert direct_cryptogram(TDES, key, short) == direct_cryptogram(TDES, key, padded)
    with pytest.raises(ValueError, match="do not fit"):
        direct_cryptogram(TDES, key, bytes(16))


# ---- diversification and the hierarchy -------------------------------------------------------


@given(st.sampled_from([TDES, SM4]), KEY16, KEY8, KEY8)
def test_cos_4_6_a_chain_is_one_step_after_another(algorithm, key, first, second):
    steps = diversify(algorithm, diversify(algorithm, key, first), second)
    assert chain(algorithm, key, (first, second)) == steps
    assert chain(algorithm, key, ()) == key


@pytest.mark.parametrize("region", ["", "99990", "9999011", "99990A", "９９９９０１"])
def test_ssse_5_2_region_codes(region):
    for factor in (province_factor, city_factor):
        with pytest.raises(ValueError, match="6 decimal digits"):
            factor(region)


def test_cos_4_6_factor_length():
    with pytest.raises(ValueError, match="8 bytes"):
        diversify(TDES, bytes(16), bytes(7))


def test_ssse_4_1_key_table():
    labels = [key.label for key in CARD_KEYS]
    assert len(labels) == len(set(labels))
    references = [(key.place, key.kind, key.kid) for key in CARD_KEYS]
    assert len(references) == len(set(references))
    entries = [entry for key in CARD_KEYS for entry in key.psam]
    assert len(entries) == len(set(entries))
    by_label = {key.label: key for key in CARD_KEYS}
    assert by_label["IRK@SSSE"].tier is Tier.MINISTRY
    assert by_label["UK@SSSE"].psam == ((0x48, 0x12), (0x28, 0x12))
    assert by_label["UK@SSSE"].tier is Tier.PROVINCE
    assert by_label["UKB@DF01"] == ("UKB", "DF01", 0x8E, 0x0D, ((0x47, 0x34),))
    assert by_label["CMK@MF"].tier is None


def test_ssse_4_4_external_keys_of_a_directory_share_no_grant():
    for place in {key.place for key in CARD_KEYS}:
        grants = [key.kid & 0x0F for key in CARD_KEYS if (key.place, key.kind) == (place, 0x0D)]
        assert len(grants) == len(set(grants))


@given(st.sampled_from([TDES, SM4]), KEY16, KEY8)
def test_ssse_6_whoever_starts_lower_arrives_at_the_same_card_key(algorithm, root, csn8):
    top = Origin(KeyValue(root, algorithm))
    ladder = top.ladder("320100", csn8)
    assert list(ladder) == [Tier.MINISTRY, Tier.PROVINCE, Tier.CITY, Tier.CARD]
    for tier, key in ladder.items():
        assert Origin(key, tier).at(Tier.CARD, "320100", csn8) == ladder[Tier.CARD]
        assert top.at(tier, "320100", csn8) == key


def test_ssse_6_nobody_knows_keys_above_his_own():
    with pytest.raises(ValueError, match="upwards"):
        Origin(KeyValue(bytes(16)), Tier.CITY).at(Tier.PROVINCE, "320100")


def test_secrets_show_in_no_repr():
    secret = bytes(range(0x40, 0x50))
    value = KeyValue(secret)
    rsa = RsaKey.from_primes(61, 53, 17)
    shown = [
        repr(value),
        repr(Origin(value)),
        repr(KeySet({"UK@SSSE": value})),
        repr(BankKeys(value, value, value)),
        repr(card_keys(secret, bytes(10))),
        repr(Engine(TDES, secret)),
        repr(rsa),
    ]
    text = " ".join(shown).lower()
    assert "404142" not in text
    assert "61" not in repr(rsa)
    assert "53" not in repr(rsa)
    assert repr(value).startswith("<KeyValue 3DES KCV ")


# ---- the bank side ---------------------------------------------------------------------------


@given(PIN)
def test_pse_2_4_pin_block_round_trip(digits):
    assert pin_digits(pin_block(digits)) == digits


@pytest.mark.parametrize(
    "block",
    [
        "",
        "26123456FFFFFF",
        "36123456FFFFFFFF",
        "23123FFFFFFFFFFF",
        "2D1234567890123F",
        "2612345AFFFFFFFF",
        "26123456FFFFFFF0",
    ],
)
def test_pse_2_4_malformed_pin_blocks(block):
    with pytest.raises(ValueError, match="PIN"):
        pin_digits(h(block))


@given(KEY16, PIN, st.none() | PIN)
def test_pse_4_8_pin_change_round_trip(key, new, current):
    block = pin_change_block(key, new, current)
    assert len(block) == 16
    assert pin_change_digits(key, block, current) == new


@given(st.binary(max_size=20))
def test_pse_4_8_pin_change_refuses_other_blocks(block):
    with pytest.raises(ValueError, match="PIN"):
        pin_change_digits(bytes(16), block)


@pytest.mark.parametrize("pin", ["", "123", "1234567890123", "12a4", "１２３４"])
def test_pse_4_8_pins_are_four_to_twelve_digits(pin):
    with pytest.raises(ValueError, match="4 to 12"):
        pin_block(pin)


def test_pse_4_1_short_and_long_account_numbers():
    mdk = bytes(range(16))
    assert udk(mdk, "12345", "01") == udk(mdk, "0" * 11 + "12345", "01")[:16]
    assert udk(mdk, "9991234567890123456", "01") == udk(mdk, "34567890123456", "01")
    for pan, psn in (("", "00"), ("12F", "00"), ("123", "1"), ("123", "0A")):
        with pytest.raises(ValueError, match="PAN"):
            udk(mdk, pan, psn)


def test_pse_4_2_vis_session_key():
    key = bytes(16)
    assert vis_session_key(key, 0x0102) == h("0000000000000102 000000000000FEFD")


def test_pse_8_load():
    """Each MAC is the DES MAC of its printed list of fields."""
    dlk, dtk = bytes(range(16)), bytes(range(16, 32))
    load = Transaction(0x64, 0x02, h("112233445566"), h("20240120093000"))
    session = load_key(dlk, h("A1B2C3D4"), 9)
    assert session == engine(TDES, dlk).encrypt(h("A1B2C3D4 0009 8000"))
    fields = h("00000064 02 112233445566")
    assert load_mac1(session, 5, load) == des_mac(session, h("00000005") + fields)[:4]
    assert load_mac2(session, load) == des_mac(session, fields + load.moment)[:4]
    tac_key = bytes(a ^ b for a, b in zip(dtk[:8], dtk[8:], strict=True))
    message = h("00000069 0009") + fields + load.moment
    assert load_tac(dtk, 0x69, 9, load) == des_mac(tac_key, message)[:4]


# ---- RSA -------------------------------------------------------------------------------------


@st.composite
def blocks(draw, key):
    number = draw(st.integers(0, key.modulus - 1))
    return number.to_bytes(key.size, "big")


PRIMES = (2**521 - 1, 2**607 - 1)  # Mersenne primes: a fictional key anyone can write down
SIGNER = RsaKey.from_primes(*PRIMES, 65537)
PRIVATE = pow(65537, -1, (PRIMES[0] - 1) * (PRIMES[1] - 1))


@given(blocks(SIGNER))
def test_pse_4_9_crt_signature_is_the_private_power(block):
    n, size = SIGNER.modulus, SIGNER.size
    signature = SIGNER.sign(block)
    number = int.from_bytes(block, "big")
    assert signature == pow(number, PRIVATE, n).to_bytes(size, "big")
    assert recover(n, 65537, signature) == block
    assert SIGNER.decrypt(recover(n, 65537, block)) == block


def test_pse_4_9_crt_parts_round_trip():
    assert RsaKey.from_crt(*SIGNER.crt_parts()) == SIGNER
    assert RsaKey.from_exponents(SIGNER.modulus, 65537, PRIVATE) == SIGNER


def test_pse_4_9_blocks_that_do_not_fit_the_modulus():
    for wrong in (b"", bytes(SIGNER.size - 1), b"\xff" * SIGNER.size):
        with pytest.raises(ValueError, match="RSA block"):
            SIGNER.sign(wrong)
        with pytest.raises(ValueError, match="RSA block"):
            recover(SIGNER.modulus, 3, wrong)


def test_pse_4_9_parts_that_belong_to_no_key():
    qinv, dq, dp, q, p = SIGNER.crt_parts()
    with pytest.raises(ValueError, match="CRT key"):
        RsaKey.from_crt(dq, qinv, dp, q, p)
    with pytest.raises(ValueError, match="CRT key"):
        RsaKey.from_crt(qinv, dq, dp, p, q)


@given(st.binary(max_size=74), st.binary(max_size=30))
def test_pse_4_9_message_block_round_trip(fields, appended):
    block = message_block(fields, 96, appended)
    assert len(block) == 96
    assert open_message_block(block, appended) == fields.ljust(74, b"\xbb")


def test_pse_4_9_fields_that_do_not_fit():
    with pytest.raises(ValueError, match="do not fit"):
        message_block(bytes(75), 96)
