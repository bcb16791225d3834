"""INIT_SAM_FOR_PURCHASE, CREDIT_SAM_FOR_PURCHASE: status words, counters, states (cos 7.3)."""

import pytest
from sam_desk import CITY, CSN8, SELECT, SamDesk, psam_of

from sscard.keys import purse
from sscard.keys.diversify import chain

KEY = "A61133D3CB9D4CB31671F280F851C361"
KEYS = {
    "v1": ("42", "01", KEY),
    "v2": ("22", "02", KEY),
    "v3": ("02", "03", KEY),
    "v1 of a city": ("22", "01", KEY),
    "mac": ("48", "01", KEY),
}
TERMINAL = "990100000001"


def init(version="01", algorithm="00", factors=(CSN8, CITY)):
    data = f"A1B2C3D400050000 03E806 20240315103000 {version} {algorithm} {''.join(factors)}"
    return f"80700000{len(data.replace(' ', '')) // 2:02X} {data}"


def mac2(answer, factors=(CSN8, CITY)):
    """Return the CREDIT that answers an INIT."""
    outermost = [bytes.fromhex(factor) for factor in reversed(factors)]
    dpk = chain(0, bytes.fromhex(KEY), outermost)
    key = purse.purchase_key(dpk, bytes.fromhex("A1B2C3D4"), 5, int(answer[:8], 16))
    return f"8072000004 {purse.purchase_mac2(key, 1000).hex()}"


def expected(number, factors=(CSN8, CITY)):
    dpk = chain(0, bytes.fromhex(KEY), [bytes.fromhex(f) for f in reversed(factors)])
    key = purse.purchase_key(dpk, bytes.fromhex("A1B2C3D4"), 5, number)
    moment = bytes.fromhex("20240315103000")
    debit = purse.Transaction(1000, 6, bytes.fromhex(TERMINAL), moment)
    return f"{number:08X}" + purse.purchase_mac1(key, debit).hex().upper()


@pytest.fixture(scope="module")
def snapshot():
    return psam_of(KEYS, card__terminal=TERMINAL).snapshot()


@pytest.fixture(params=["apdu", "t0"])
def sam(request, snapshot):
    return SamDesk(snapshot.fork(), link=request.param)


WRONG = "8072000004 00000000"


def test_cos_7_3_numbers_rise_from_one(sam):
    for number in (1, 2, 3):
        answer = sam.ok(init())
        assert answer == expected(number)
        assert sam(mac2(answer)) == "9000"
        assert sam.number() == number


@pytest.mark.parametrize(
    ("version", "factors"),
    [("01", (CSN8, CITY)), ("01", (CSN8,)), ("02", (CSN8,)), ("03", ())],
)
def test_cos_7_3_levels(sam, version, factors):
    answer = sam.ok(init(version, factors=factors))
    assert answer == expected(1, factors)
    assert sam(mac2(answer, factors)) == "9000"


@pytest.mark.parametrize(
    ("apdu", "sw"),
    [
        (init("04"), "9403"),
        (init("01", "04"), "9403"),
        (init("01", "01"), "9403"),
        (init("01", factors=()), "6700"),
        (init("02"), "6700"),
        (init("03", factors=(CSN8,)), "6700"),
        (init("01", factors=(CSN8, CITY, CSN8)), "6700"),
        (init("01", factors=(CSN8, CITY, CSN8, CITY)), "6700"),
        (init("01", factors=(CSN8, CITY[2:])), "6700"),
        ("8070000004 A1B2C3D4", "6700"),
        (init().replace("80700000", "80700100"), "6A86"),
        (init().replace("8070", "0070"), "6E00"),
    ],
)
def test_cos_7_3_init_refuses_and_counts_nothing(sam, apdu, sw):
    assert sam.sw(apdu) == sw
    assert sam.number() == 0
    assert sam.sw(WRONG) == "6985"


@pytest.mark.parametrize("link", ["apdu", "t0"])
def test_cos_7_3_other_algorithms_make_no_purchases(link):
    sam = SamDesk(psam_of({"v1": ("42", "01", KEY)}, "sm4"), link=link)
    assert sam.sw(init("01", "04")) == "9403"
    assert sam.sw(init("01", "00")) == "9403"


def test_cos_7_3_credit_needs_init(sam):
    assert sam.sw(WRONG) == "6985"
    answer = sam.ok(init())
    assert sam.sw("8072000003 000000") == "6700"
    assert sam.sw("8072000104 00000000") == "6A86"
    assert sam(mac2(answer)) == "9000"
    assert sam.sw(mac2(answer)) == "6985", "a transaction is credited once"


def test_cos_7_3_a_purchase_is_no_temporary_key(sam):
    sam.ok(init())
    assert sam.sw("80FA000008 1122334455667788") == "6985"
    sam.ok(f"801A480110 {CSN8} {CITY}")
    assert sam.sw(WRONG) == "6985", "INIT of another kind ends the purchase"


@pytest.mark.parametrize("ending", [SELECT, "00A40200020019", f"801A480208 {CSN8}", init("09")])
def test_cos_7_3_a_purchase_ends(sam, ending):
    answer = sam.ok(init())
    sam(ending)
    sam(SELECT) if ending != SELECT else None
    assert sam.sw(mac2(answer)) == "6985"


def test_cos_7_3_a_new_init_replaces_the_purchase(sam):
    first = sam.ok(init())
    second = sam.ok(init())
    assert sam.sw(mac2(first)) == "9302"
    second = sam.ok(init())
    assert sam(mac2(second)) == "9000"


def test_cos_7_3_wrong_mac2_counts_to_ten(sam):
    for _ in range(10):
        sam.ok(init())
        assert sam.sw(WRONG) == "9302"
        assert sam.sw(WRONG) == "6985", "one try a transaction"
    assert sam.sw(init()) == "6983"
    assert sam.number() == 10, "a blocked key spends no number"
    assert sam.sw(init("02", factors=(CSN8,))) == "9000", "another key is not concerned"


def test_cos_7_3_the_last_try_can_still_succeed(sam):
    for _ in range(9):
        sam.ok(init())
        assert sam.sw(WRONG) == "9302"
    assert sam(mac2(sam.ok(init()))) == "9000"
    for _ in range(9):
        sam.ok(init())
        assert sam.sw(WRONG) == "9302"
    assert sam(mac2(sam.ok(init()))) == "9000"


def test_cos_7_3_the_number_ends():
    card = psam_of(KEYS, application__transaction_number=0xFFFFFFFE)
    sam = SamDesk(card)
    assert sam.ok(init())[:8] == "FFFFFFFF"
    assert sam.sw(init()) == "9402"
    assert sam.number() == 0xFFFFFFFF


def test_cos_7_1_the_counter_may_be_0018():
    sam = SamDesk(psam_of(KEYS, application__counter="0018"))
    assert sam.ok(init())[:8] == "00000001"
    assert sam.ok("00B0980004") == "00000001"


def test_cos_7_1_number_and_terminal_are_never_written(sam):
    assert sam.sw("00D6990004 00000000") == "6982"
    sam.ok("00A40000023F00")
    assert sam.sw("00D6960006 000000000000") == "6982"


def test_cos_7_3_the_number_is_in_the_image_when_mac1_leaves(sam):
    answer = sam.ok(init())
    again = SamDesk(type(sam.card)(sam.card.image))
    assert again.number() == int(answer[:8], 16)
