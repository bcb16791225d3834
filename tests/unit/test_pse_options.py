"""Every switch of the PSE in `sscard.spec.options`, both ways: a card that differs in nothing else.

As `test_options` for the rest of the card: `PROBES` has for each option what to try, and what
must come of it with each value. The switches of VERIFY and of personalisation (40 to 46) stand
in `test_pse_verify` and `test_pse_channel`.
"""

import pytest
from cash_desk import CASH, DEBIT, FULL, CashDesk
from pse_desk import (
    AAC,
    ARQC,
    CDA,
    DDA,
    GPO,
    PIN_BAD,
    PIN_OK,
    PSE,
    TC,
    Desk,
    cid,
    cryptogram,
    risk,
)
from pse_issuer import UDK_AC, UDK_ENC, UDK_MAC, Issuer, online

from sscard.builder import build
from sscard.card import Card
from sscard.errors import ActivationError
from sscard.keys import pboc
from sscard.perso.profile import Profile
from sscard.spec.options import BY_NAME, OPTIONS

ELSEWHERE = frozenset(range(40, 47))


def desk_with(option, value, link="apdu", **dgis):
    settings = {f"pse.df.DF01.{key.replace('_', '.')}": v for key, v in dgis.items()}
    profile = Profile.load("pboc", {**settings, option: value})
    return Desk(Card.from_image(build(profile)), link=link)


def pse_next_name(value):
    """P2 = 02 right after a reset."""
    return desk_with("pse_next_name", value).sw("00A4040207A0000003330101")


def pse_failed_select(value):
    desk = desk_with("pse_failed_select", value).begin()
    assert desk.sw("00A4040007A0000000031010") == "6A82"
    return desk.sw(DDA)


def pse_empty_get_response(value):
    desk = desk_with("pse_empty_get_response", value)
    desk.select()
    desk.sw("80CA9F3600")
    return desk.sw("00C0000000")


def pse_ac_reserved_bits(value):
    """In a state that awaits it, and in one that does not: P1 is judged first (2.1)."""
    desk = desk_with("pse_ac_reserved_bits", value)
    desk.select()
    early = desk.ac(ARQC | 0x08)[-4:]
    return early, desk.begin().ac(ARQC | 0x08)[-4:]


def pse_log_format_absent(value):
    desk = desk_with("pse_log_format_absent", value, dgi_0D01="9F5801039F590107")
    desk.select()
    return desk("80CA9F4F00")


def pse_read_before_gpo(value):
    """A record of the AFL before and after GPO, and the log before."""
    desk = desk_with("pse_read_before_gpo", value)
    desk.select()
    before, log = desk.sw("00B2010C00"), desk.sw("00B2015C00")
    desk.data(GPO)
    return before, log, desk.sw("00B2010C00")


def pse_record_zero(value):
    desk = desk_with("pse_record_zero", value)
    desk.select()
    return desk.sw("00B2000C00")


def pse_cda_unsupported(value):
    return desk_with("pse_cda_unsupported", value).begin().ac(ARQC | CDA)[-4:]


def pse_failures_max(value):
    """A hundred wrong ARPCs in a row, then a right one; the same of script MACs."""
    desk = desk_with("pse_failures_max", value)
    for _ in range(100):
        issuer = online(desk)
        assert desk.sw("008200000A00000000000000003030") == "6300"
    issuer = online(desk)
    arpc = desk.sw(issuer.arpc())
    for _ in range(100):
        issuer = online(desk)
        assert desk.sw(issuer.script("841E0000", wrong=True)) == "6988"
    issuer = online(desk)
    return arpc, desk.sw(issuer.script("84180000"))


def pse_session_keys(value):
    """Which derivation the cryptogram, the ARPC and the script MAC are made with (11.6)."""
    derive = {"pboc": pboc.session_key, "emv_csk": pboc.emv_common_session_key}[value]
    desk = desk_with("pse_session_keys", value).begin()
    desk.data(DDA)
    assert desk.sw(PIN_OK) == "9000"
    answer = desk.ac(ARQC)
    issuer = Issuer(answer, derive=derive)
    assert desk.sw(issuer.arpc()) == "9000"
    assert desk.sw(issuer.script("04DA9F58", b"\x05")) == "9000"
    return cryptogram(answer) == "F126D638723D8BFC", pboc.cryptogram(
        derive(UDK_AC, 1),
        bytes.fromhex("00000001234500000000000001560000008000015626070100A1B2C3D47C00000103A41002"),
    ).hex().upper() == cryptogram(answer)


def pse_script_keys(value):
    """A script under each kind of key."""
    answers = []
    for derive in (pboc.session_key, pboc.vis_session_key):
        issuer = online(desk := desk_with("pse_script_keys", value), script_derive=derive)
        answers.append(desk.sw(issuer.script("04DA9F58", b"\x05")))
    return answers


def pse_idd_padding(value):
    """IDD type 03 over two amounts: EC balance and CTTA (4.6, 11.6)."""
    desk = desk_with(
        "pse_idd_padding",
        value,
        dgi_9200="9F10180701010300000001" + "0F03" + "00" * 14,
        dgi_0D01="9F5801039F5901079F7906000000010000",
    ).begin()
    answer = desk.ac(AAC)
    iad = bytes.fromhex(answer[26:-4])
    amounts = iad[10:20]
    key = pboc.session_key(UDK_MAC, 1)
    return [pboc.idd_mac(key, 1, amounts, always=always) == iad[20:] for always in (True, False)]


def pse_pin_change_key(value):
    """A new PIN masked with either card key; what the card then takes for its PIN."""
    answers = []
    for mask in (UDK_ENC, UDK_AC):
        desk = desk_with("pse_pin_change_key", value)
        issuer = online(desk)
        answers.append(desk.sw(issuer.pin_change("654321", mask=mask)))
    return answers


def pse_pin_change_roles(value):
    """P2 = 01 with the current PIN mixed in, and P2 = 02 without."""
    answers = []
    for p2, current in (("01", "123456"), ("02", None), ("01", None), ("02", "123456")):
        desk = desk_with("pse_pin_change_roles", value)
        issuer = online(desk)
        sw = desk.sw(issuer.pin_change("654321", current, p2=p2))
        desk.begin()
        new_pin = sw == "9000" and desk.sw("002000800826654321FFFFFFFF") == "9000"
        answers.append(new_pin)
    return answers


def pse_pin_blocks(value):
    """ADA 2.b3, the PIN used up before; the application is blocked either way."""
    desk = desk_with("pse_pin_blocks", value, dgi_0E01=risk("8204")).begin()
    for _ in range(3):
        desk.sw(PIN_BAD)
    answer = desk.begin().ac(TC)
    return answer[-4:], desk.select()


def pse_log_declined(value):
    desk = desk_with("pse_log_declined", value).begin()
    assert cid(desk.ac(AAC)) == "00"
    return len(desk.log()) // 2


def pse_approving_arcs(value):
    answers = []
    for arc in ("3030", "3031", "3032", "5931"):
        desk = desk_with("pse_approving_arcs", value)
        issuer = online(desk)
        assert desk.sw(issuer.arpc()) == "9000"
        answers.append(cid(desk.ac(TC, arc=arc)))
    return answers


def pse_put_data_limit(value):
    """A balance above 9F77."""
    desk = desk_with(
        "pse_put_data_limit",
        value,
        dgi_0D01="9F5801039F59010" + "79F77060000000100009F7906000000000000",
    )
    issuer = online(desk)
    return desk.sw(issuer.script("04DA9F79", bytes.fromhex("000000010001")))


def pse_long_record(value):
    desk = desk_with("pse_long_record", value)
    issuer = online(desk)
    return desk.sw(issuer.script("04DC0114", b"\x70\x81\xf0" + bytes(0xF0)))


def pse_ac_format(value):
    answer = desk_with("pse_ac_format", value).begin().ac(ARQC)
    tags = [tag for tag in ("9F27", "9F36", "9F26", "9F10") if tag in answer]
    return answer[:2], len(tags)


def pse_open_without_pin(value):
    """A script after the AAC of a card without PIN tries."""
    desk = desk_with("pse_open_without_pin", value, dgi_0E01=risk("8240")).begin()
    for _ in range(3):
        desk.sw(PIN_BAD)
    answer = desk.begin().ac(AAC)
    return desk.sw(Issuer(answer).script("84240000"))


def pse_declined_counts(value):
    """Foreign AACs up to a limit of one, then what a request for a TC comes to."""
    desk = desk_with(
        "pse_declined_counts",
        value,
        dgi_0E01=risk("0000", last="0001", atc="0001"),
        dgi_0D01="9F5301029F5801FF",
    )
    for _ in range(2):
        desk.begin().ac(AAC, currency="0840")
    return cid(desk.begin().ac(TC, currency="0840"))


def pse_arpc_unsupported(value):
    desk = desk_with("pse_arpc_unsupported", value, dgi_9104="82027800940C080101001001020118010300")
    issuer = online(desk)
    return desk.sw(issuer.arpc())


def pse_conversion(value):
    """An amount of 1 in the second currency at a rate of 0.9, twice, against a limit of 1."""
    desk = desk_with(
        "pse_conversion",
        value,
        dgi_0E01=risk("0000", last="0001", atc="0001") + "9F76020840",
        dgi_0D01="9F5801FF9F7306000000000000".replace("9F7306000000000000", "9F730410000009")
        + "9F7506000000000000",
    )
    return cid(desk.begin().ac(TC, currency="0840", amount="000000000001"))


def pse_missing_ac_item(value):
    """CDOL1 without 9F03."""
    record = (
        "70558C1B9F02069F03069F1A0295055F2A029A039C019F37049F21039F4E148D1D8A029F02069F03069F1A0295"
        "055F2A029A039C019F37049F21039F4E149F080200209F420201565F300206209F49039F37049F4A0182"
    )
    shorter = record.replace("8C1B9F02069F0306", "8C189F0206").replace("7055", "7052", 1)
    desk = desk_with("pse_missing_ac_item", value, dgi_0202=shorter).begin()
    data = "000000012345" + "0156" + "0000008000" + "0156" + "260701" + "00" + "A1B2C3D4" + "103045"
    data += b"TEST MERCHANT 000001".hex()
    return desk.sw(f"80AE8000{len(data) // 2:02X}{data}00")


def built(profile, option, value):
    return Card.from_image(build(Profile.load(profile, {option: value})))


def electronic_cash(value):
    """The AIP that GPO answers, with all data of electronic cash on the card."""
    return CashDesk(built("pboc-ec", "electronic_cash", value)).opened(100)


def pse_cash_balance(value):
    desk = CashDesk(built("pboc-ec", "pse_cash_balance", value))
    desk.opened(100)
    return int(desk.pay(TC, 100)[46:56])


def contactless(value):
    """Whether the PPSE is found through the second interface, if there is one."""
    card = built("pboc-contactless", "contactless", value)
    try:
        power = card.power_on(interface="contactless")
    except ActivationError:
        return "no interface"
    return power.transmit(bytes.fromhex(PSE.replace("31504159", "32504159")))[-2:].hex()


PROBES = {
    pse_next_name: {"restart": "9000", "6A82": "6A82"},
    pse_failed_select: {"reset": "6985", "keep": "9000"},
    pse_empty_get_response: {"6985": "6985", "6D00": "6D00"},
    pse_ac_reserved_bits: {"ignore": ("6985", "9000"), "6A86": ("6A86", "6A86")},
    pse_log_format_absent: {"6A88": "6A88", "empty": "9F4F009000"},
    pse_read_before_gpo: {
        "allowed": ("9000", "6A83", "9000"),
        "6985": ("6985", "6A83", "9000"),
    },
    pse_record_zero: {"6A83": "6A83", "6A86": "6A86"},
    pse_cda_unsupported: {"6985": "6985", "ignore": "9000"},
    pse_failures_max: {"off": ("9000", "9000"), "100": ("6985", "6985")},
    pse_session_keys: {"pboc": (True, True), "emv_csk": (False, True)},
    pse_script_keys: {"session": ["9000", "6988"], "vis": ["6988", "9000"]},
    pse_idd_padding: {"always": [True, False], "if_needed": [False, True]},
    pse_pin_change_key: {"ENC": ["9000", "6A80"], "AC": ["6A80", "9000"]},
    pse_pin_change_roles: {
        "emv": [True, True, False, False],
        "swapped": [False, False, True, True],
    },
    pse_pin_blocks: {"AAC": ("9000", "6283"), "6985": ("6985", "6283")},
    pse_log_declined: {"off": 2, "on": 45},
    pse_approving_arcs: {
        "referrals": ["40", "40", "40", "40"],
        "strict": ["40", "00", "00", "40"],
    },
    pse_put_data_limit: {"6A80": "6A80", "6985": "6985", "6976": "6976"},
    pse_long_record: {"6A84": "6A84", "6A83": "6A83"},
    pse_ac_format: {"80": ("80", 0), "77": ("77", 4)},
    pse_open_without_pin: {"yes": "9000", "no": "6985"},
    pse_declined_counts: {"yes": "80", "no": "40"},
    pse_arpc_unsupported: {"checked": "9000", "6985": "6985"},
    pse_conversion: {"dropped": "40", "rounded": "80"},
    pse_missing_ac_item: {"zeros": "9000", "6985": "6985"},
    electronic_cash: {"off": DEBIT, "on": CASH},
    pse_cash_balance: {"after": FULL - 100, "before": FULL},
    contactless: {"off": "no interface", "on": "9000"},
}
BY_OPTION = {probe.__name__: (probe, expected) for probe, expected in PROBES.items()}
OURS = [
    option
    for option in OPTIONS
    if option.ref.startswith("pse-pboc") and option.number not in ELSEWHERE
]


@pytest.mark.parametrize("option", OURS, ids=lambda option: option.name)
def test_pse_14_every_option_and_every_value_is_tried(option):
    assert option.name in BY_OPTION, f"write a probe for {option.name}"
    assert set(BY_OPTION[option.name][1]) == set(option.values)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, (_, expected) in BY_OPTION.items() for value in expected],
)
def test_pse_14_a_card_does_as_the_option_says(name, value):
    probe, expected = BY_OPTION[name]
    assert probe(value) == expected[value], BY_NAME[name].meaning


def test_pse_14_10_a_right_mac_ends_the_row_whatever_the_script_asked_for():
    """Failures are wrong MACs: a script refused for its data has proved the issuer."""
    desk = desk_with("pse_failures_max", "100")
    for _ in range(99):
        issuer = online(desk)
        assert desk.sw(issuer.script("841E0000", wrong=True)) == "6988"
    issuer = online(desk)
    assert desk.sw(issuer.script("04DC0914", b"\x70\x00")) == "6A83"
    issuer = online(desk)
    assert desk.sw(issuer.script("841E0000", wrong=True)) == "6988"
    issuer = online(desk)
    assert desk.sw(issuer.script("84180000")) == "9000"
