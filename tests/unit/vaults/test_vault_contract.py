"""What every vault does and refuses, the same for memory, file and token."""

import copy
import itertools
import pickle

import pytest

from sscard.keys import Algorithm
from sscard.keys.diversify import chain, city_factor, province_factor
from sscard.keys.line import line_mac
from sscard.keys.purse import Transaction
from sscard.keys.session import cryptogram, session_key, sm_mac
from sscard.keys.vault import (
    ForeignKey,
    KeyRef,
    Party,
    Root,
    UnknownKey,
    UnsupportedMechanism,
    VaultError,
    VaultLocked,
    Withheld,
    WrongVersion,
)

TDES, DES, SM4 = Algorithm.TDES, Algorithm.DES, Algorithm.SM4
h = bytes.fromhex

# The two identities of the reference: cos 4.6 and ssse-lb002 10.1.
COS = (province_factor("990100"), city_factor("990100"), h("86FE990100000001"))
SSSE = (province_factor("999901"), city_factor("999901"), h("8649999900000001"))

UK04 = Root("UK04@SSSE", b"TEST-UK04-ROOT-1")
STK = Root("STK@SSSE", b"TEST-STK1-ROOT-1")
DPK = Root("DPK@DF04", b"TEST-DPK1-ROOT-1")
DTK = Root("DTK@DF04", b"TEST-DTK1-ROOT-1")
EMK = Root("EMK-S@SSSE", b"TEST-SEMK-ROOT-1", version=2)
PSAM_AMK = Root("AMK@PSAM", b"TEST-PSAM-AMK-01", levels=0)
MDK = Root("MDK-AC@PSE.DF01", h("0123456789ABCDEFFEDCBA9876543210"), levels=1)


# A token has none: test_sm4_in_a_token_is_a_clear_refusal.
with_sm4 = pytest.mark.parametrize("kind", ["memory", "file"])


def sample(name, root, algorithm=TDES):
    return Root(name, h(root), algorithm=algorithm)


# ---- golden values ---------------------------------------------------------------------------

COS_4_6 = {
    "EMK-S": (
        "TEST-SEMK-ROOT-1",
        "971A58",
        "CCEBBED996D8F213BC13C7FDC0DD8028",
        "F38189",
        "CBA3E652327EC6800283A786D5027596",
        "C8CDB6",
        "2B505085B5AC0FA34C231CFD2D4C0B1A",
        "4ECED7",
    ),
    "UK04": (
        "TEST-UK04-ROOT-1",
        "468781",
        "C2AF24BA962CBDA7FEC3A0A22A5B6577",
        "371D26",
        "65813F9534E07EE8D0AD800742BB1D0D",
        "931006",
        "B0C3BE8D15CCE35B43AE0D702B4D80CD",
        "3CB3DE",
    ),
    "RK07": (
        "TEST-RK07-ROOT-1",
        "F9905E",
        "15FEE63868487BD071C14315F9413CF9",
        "AEB471",
        "338BE5DC0E780834B4DA2BAE4FF58D80",
        "9B1A46",
        "5E4B8E547E47CF86E55D0E5671D4E8AE",
        "590EBD",
    ),
    "STK": (
        "TEST-STK1-ROOT-1",
        "38FECC",
        "035DB79B8762AB9A8CD88BCA024CF548",
        "4A03B4",
        "18FB57CBF702458048675F076AA5DB9C",
        "D6AB3F",
        "94328072241EA789EBF094CC11DD9808",
        "8F95FC",
    ),
    "IRK": (
        "TEST-IRK1-ROOT-1",
        "F4306A",
        "F6BC56921596D5E64AF79C615ECBC7FA",
        "2DF1CE",
        "18B88BF30120B244EFC883A36C59CEDA",
        "E33FE5",
        "9C978D994D0E26FB9EF9DEEE184C458E",
        "4E3016",
    ),
    "DPK": (
        "TEST-DPK1-ROOT-1",
        "A04C2A",
        "A61133D3CB9D4CB31671F280F851C361",
        "3F6192",
        "2805A128DADB63ABACA992C28D41C6CC",
        "CC6A0D",
        "85C477DB6D95B302B1A6CF47C2CE93BF",
        "444546",
    ),
    "DTK": (
        "TEST-DTK1-ROOT-1",
        "C07946",
        "C26E252B60CDB70E9D19A5BAEFE746C1",
        "473CB1",
        "D974CDA2577694F570784593D14CCE3B",
        "B8AD23",
        "044088AE07D213AC83294DE81A316475",
        "910F76",
    ),
}


@pytest.mark.parametrize("name", COS_4_6)
def test_cos_4_6_table(make, name):
    root, kcv, *below = COS_4_6[name]
    vault = make(Root(f"{name}@SSSE", root.encode()))
    ref = KeyRef(f"{name}@SSSE")
    assert vault.kcv(ref) == vault.info(ref.name).kcv == h(kcv)
    for levels, (value, check) in enumerate(zip(below[::2], below[1::2], strict=True), 1):
        key = ref._replace(factors=COS[:levels])
        assert vault.derive(key).value == h(value)
        assert vault.derive(key).kcv == vault.kcv(key) == h(check)


@with_sm4
def test_cos_4_6_table_sm4(make):
    vault = make(Root("UK04@SSSE", b"TEST-UK04-ROOT-1", algorithm=SM4))
    assert vault.info("UK04@SSSE").kcv == h("810E7B")
    card = KeyRef("UK04@SSSE", COS)
    assert vault.derive(card).value == h("25B45D17B7B3D02E96B4EC5AAFBFFACC")
    assert vault.kcv(card) == h("30A4B4")


SSSE_10_2 = {
    "IRK": ("404142434445464748494A4B4C4D4E4F", "2FCFB2C86C49AED3033933E4F7828684"),
    "UK": ("505152535455565758595A5B5C5D5E5F", "38E73326E8F40EC5D63492FA9E5BFADA"),
    "RK": ("606162636465666768696A6B6C6D6E6F", "D3C7DBB85929F512EB0E1AC94F946230"),
    "STK": ("707172737475767778797A7B7C7D7E7F", "6366A6516EBDE54B7754521CAB831662"),
    "PUK": ("808182838485868788898A8B8C8D8E8F", "C629BD37AB3393D2B3BDDBE64B41E84A"),
    "BK": ("909192939495969798999A9B9C9D9E9F", "DF9FB450118404DC0117710579D741D6"),
}
SSSE_10_2_SM4 = {
    "IRK": "4FA273AB8B4FE16D3584B341708CEBA3",
    "UK": "614B6ED7A91DB8559234DFC006E3A73A",
    "RK": "75BCA6C5CB2A3DC7E2E9562504356F8D",
    "STK": "AF561F7D6B4435EE416B40B4225BB570",
    "PUK": "2F42EBAB474C8D5F5A44A2BEA5141E86",
    "BK": "F6DB1E68BE8FC0043C2F8B21A5B70DC5",
}


def test_ssse_10_2_table(make):
    vault = make(*(sample(f"{name}@SSSE", root) for name, (root, _) in SSSE_10_2.items()))
    for name, (_, card) in SSSE_10_2.items():
        assert vault.derive(KeyRef(f"{name}@SSSE", SSSE)).value == h(card)


@with_sm4
def test_ssse_10_2_table_sm4(make):
    vault = make(*(sample(f"{name}@SSSE", root, SM4) for name, (root, _) in SSSE_10_2.items()))
    for name, card in SSSE_10_2_SM4.items():
        assert vault.derive(KeyRef(f"{name}@SSSE", SSSE)).value == h(card)


def test_pse_11_1_udk_is_the_mdk_led_down_by_the_pan(make):
    vault = make(MDK, party=Party.BANK)
    card = KeyRef(MDK.name, (h("5000000000001700"),))
    assert vault.derive(card).value == h("B92C67C30286B8C739D70B1BF6C7D510")
    assert vault.kcv(card) == h("75003B")


# ---- golden results: what leaves a vault of real keys -----------------------------------------


def test_cos_4_7_and_6_3_direct_and_session_forms(make):
    vault = make(UK04, EMK)
    card = KeyRef("UK04@SSSE", COS)
    eight = h("0102030405060708")
    assert vault.cryptogram(card, eight, h("1122334455667788")) == h("FDBD2691886E3EB9")
    master = KeyRef("EMK-S@SSSE", COS)
    assert vault.direct_cryptogram(master, h("B1B2B3B4B5B6B7B8")) == h("CAF0BAD345351066")


def test_cos_6_3_line_protection(make):
    vault = make(STK)
    card = KeyRef("STK@SSSE", COS)
    data = bytes(range(1, 16))
    header = h("04D6850013")
    assert vault.mac(card, h("E1E2E3E4"), header + data) == h("B4CB3E4D")
    assert vault.mac(card, h("E1E2E3E4E5E6E7E8"), header + data) == h("999CB486")
    cipher = h("15DCCE6FE3BE660B6BC8CDC2740DC915")
    assert vault.encrypt(card, data) == cipher
    assert vault.mac(card, h("E1E2E3E4"), h("04D6850014") + cipher) == h("E508ECD0")


@with_sm4
def test_cos_6_3_line_protection_sm4(make):
    vault = make(Root("UK04@SSSE", b"TEST-UK04-ROOT-1", algorithm=SM4))
    card = KeyRef("UK04@SSSE", COS)
    data = bytes(range(1, 16))
    assert vault.mac(card, h("E1E2E3E4"), h("04D6850013") + data) == h("55288D59")
    assert vault.encrypt(card, data) == h("6B82640C95B8EA1A8DC0260D567B6AFA")
    challenge = bytes(range(16))
    assert vault.direct_cryptogram(card, challenge) == h("EC942265596469971ED8B69125F1020C")
    eight, data = h("0102030405060708"), h("1122334455667788")
    assert vault.cryptogram(card, eight, data) == h("985B1CC5D6837A6A")


def test_cos_6_3_V6_single_des(make):
    vault = make(Root("STK@SSSE", h("94328072241EA789"), algorithm=DES, levels=0))
    message = h("04D6850013") + bytes(range(1, 16))
    assert vault.mac(KeyRef("STK@SSSE"), h("E1E2E3E4"), message) == h("3F8E0224")


def test_cos_7_4_purchase(make):
    vault = make(DPK, DTK)
    dpk, dtk = KeyRef("DPK@DF04", COS), KeyRef("DTK@DF04", COS)
    bought = Transaction(1000, 6, h("990100000001"), h("20240315103000"))
    seed = h("A1B2C3D400050007")
    assert vault.session_mac(dpk, seed, bought.opening + bought.closing) == h("8A4008DE")
    assert vault.session_mac(dpk, seed, h("000003E8")) == h("C35D4C0A")
    assert vault.purchase_tac(dtk, bought, 7) == h("CE049F85")


def test_cos_7_4_psam_key_load(make):
    """The province's DPK for a PSAM, enciphered under the PSAM's application master key."""
    vault = make(DPK, PSAM_AMK, test=False)
    amk = KeyRef("AMK@PSAM")
    data = vault.export(KeyRef("DPK@DF04", COS[:1]), under=amk, head=h("420100"))
    assert data == h("EC57E7AB55420A777197DFCC3E4EA09D7EDF250B39B0E3AF")
    assert vault.mac(amk, h("51525354"), h("84D400001C") + data) == h("E5D6CD87")
    assert vault.mac(amk, h("5152535455565758"), h("841C000004")) == h("E3622C94")


def test_cos_4_5_write_key_under_environment_master_keys(make):
    """#15 and #18 of the walk: what each party's security module delivers (cos 8.2)."""
    transport = Root("EMK-S@SSSE", b"TEST-SEMK-TRAN-1", version=1, levels=1)
    vault = make(transport, EMK, UK04, test=False)
    first = KeyRef("EMK-S@SSSE", COS[2:], version=1)
    second = KeyRef("EMK-S@SSSE", COS)
    for key, under, challenge, command, header, expected in (
        (
            second,
            first,
            "A1A2A3A4",
            "84D4010024",
            "0000020088 0F00008F000110",
            "7545C6D5990E3C82EBEC03D628E7F398232BEA1DB96FC3589B2A02726DBFC736 5A26C4FA",
        ),
        (
            KeyRef("UK04@SSSE", COS),
            second,
            "C1C2C3C4",
            "84D4000024",
            "0D04010033 0400008F000310",
            "759EC8F631CAD42887A00EA8134EF41564E66052342788C970B905F6C1F24348 6B9EB53F",
        ),
    ):
        data = vault.export(key, under=under, head=h(header))
        assert data + vault.mac(under, h(challenge), h(command) + data) == h(expected)


def test_ssse_10_3_card_identification_code(make):
    message = h("999901D15600000500000001")
    vault = make(sample("IRK@SSSE", SSSE_10_2["IRK"][0]))
    assert vault.mac(KeyRef("IRK@SSSE", SSSE), b"", message, folded=True) == h("F0E44726")


@with_sm4
def test_ssse_10_3_card_identification_code_sm4(make):
    message = h("999901D15600000500000001")
    vault = make(sample("IRK@SSSE", SSSE_10_2["IRK"][0], SM4))
    assert vault.mac(KeyRef("IRK@SSSE", SSSE), b"", message, folded=True) == h("7CB444C2")


def test_ssse_10_4_and_10_5_authentication(make):
    vault = make(*(sample(f"{name}@SSSE", SSSE_10_2[name][0]) for name in ("IRK", "UK")))
    irk, uk = KeyRef("IRK@SSSE", SSSE), KeyRef("UK@SSSE", SSSE)
    factor, data = h("1122334455667788"), h("0102030405060708")
    assert vault.cryptogram(irk, factor, data) == h("70927040DD33EED5")
    challenge = h("A1B2C3D4E5F60718")
    assert vault.cryptogram(uk, challenge, challenge) == h("BF73E23E92A1E839")


@with_sm4
def test_ssse_10_4_and_10_5_authentication_sm4(make):
    vault = make(*(sample(f"{name}@SSSE", SSSE_10_2[name][0], SM4) for name in ("IRK", "UK")))
    irk, uk = KeyRef("IRK@SSSE", SSSE), KeyRef("UK@SSSE", SSSE)
    factor, data = h("1122334455667788"), h("0102030405060708")
    challenge = h("A1B2C3D4E5F60718")
    assert vault.cryptogram(irk, factor, data) == h("6972F455E57B70FE")
    assert vault.cryptogram(uk, challenge, challenge) == h("4CFC560E7B2A9A82")


def test_ssse_10_6_secure_messaging(make):
    challenge = h("0F1E2D3C4B5A6978")
    stk = KeyRef("STK@SSSE", SSSE)
    vault = make(sample("STK@SSSE", SSSE_10_2["STK"][0]))
    cipher = vault.session_encrypt(stk, challenge, h("123456"))
    assert cipher == h("BC40DDFABC3DA1AC")
    assert vault.session_mac(stk, challenge, h("842400010C") + cipher) == h("83A71E7D")
    assert vault.session_mac(stk, challenge, h("841E000004")) == h("8FF979D3")


@with_sm4
def test_ssse_10_6_secure_messaging_sm4(make):
    challenge = h("0F1E2D3C4B5A6978")
    stk = KeyRef("STK@SSSE", SSSE)
    vault = make(sample("STK@SSSE", SSSE_10_2["STK"][0], SM4))
    cipher = vault.session_encrypt(stk, challenge, h("123456"))
    assert cipher == h("D14D2AEB47EEC8186A420E56C70B9C7B")
    assert vault.session_mac(stk, challenge, h("8424000114") + cipher) == h("B1BCC9FE")


def test_macs_of_every_length_are_those_of_keys(make):
    vault = make(UK04)
    key = KeyRef("UK04@SSSE", COS)
    value = chain(TDES, UK04.value, COS)
    factor = h("0F1E2D3C4B5A6978")
    session = session_key(TDES, value, factor)
    for length in range(26):
        message = bytes(range(length))
        assert vault.mac(key, b"\x55" * 4, message) == line_mac(TDES, value, b"\x55" * 4, message)
        assert vault.session_mac(key, factor, message) == sm_mac(TDES, session, message)
        data = message[:8].ljust(8)
        assert vault.cryptogram(key, factor, data) == cryptogram(TDES, value, factor, data)


# ---- what is in a vault -------------------------------------------------------------------------


def test_keys_are_listed_by_name_and_version_without_values(make):
    old = Root("UK04@SSSE", b"TEST-UK04-ROOT-0", version=1)
    new = Root("UK04@SSSE", b"TEST-UK04-ROOT-1", version=2)
    vault = make(new, old, STK)
    listed = [(info.name, info.version, info.holder) for info in vault.list_keys()]
    assert listed == [
        ("STK@SSSE", 1, "ministry"),
        ("UK04@SSSE", 1, "ministry"),
        ("UK04@SSSE", 2, "ministry"),
    ]
    assert vault.info("UK04@SSSE") == new.info
    assert vault.kcv(KeyRef("UK04@SSSE", version=1)) == old.info.kcv


def test_unknown_keys_and_versions(make):
    vault = make(UK04)
    with pytest.raises(UnknownKey, match="UK05@SSSE"):
        vault.kcv(KeyRef("UK05@SSSE"))
    with pytest.raises(WrongVersion, match="no version 9; there are: 1"):
        vault.kcv(KeyRef("UK04@SSSE", version=9))
    with pytest.raises(VaultError, match="not a key name"):
        vault.info("UK04")


@pytest.mark.parametrize(("party", "other"), [(Party.SOCIAL, MDK), (Party.BANK, UK04)])
def test_a_vault_refuses_keys_of_the_other_party(make, party, other):
    vault = make(party=party)
    with pytest.raises(ForeignKey):
        vault.install(other)
    with pytest.raises(ForeignKey):
        vault.derive(KeyRef(other.name, COS[:1]))
    assert vault.list_keys() == ()


def test_a_key_is_installed_once(make):
    vault = make(UK04)
    with pytest.raises(VaultError, match="already"):
        vault.install(Root(UK04.name, b"TEST-UK04-ROOT-2"))
    assert vault.info(UK04.name) == UK04.info


@pytest.mark.parametrize(
    "root",
    [
        Root("UK04@SSSE", b"too short"),
        Root("UK04@SSSE", bytes(16), version=0),
        Root("UK04@SSSE", bytes(16), levels=4),
        Root("UK04@SSSE", bytes(8), algorithm=DES),
        Root("UK 04@SSSE", bytes(16)),
        Root("@SSSE", bytes(16)),
    ],
)
def test_malformed_keys_are_refused(make, root):
    vault = make()
    with pytest.raises(VaultError):
        vault.install(root)
    assert vault.list_keys() == ()


def test_ssf33_is_refused_everywhere(make):
    with pytest.raises(UnsupportedMechanism, match="SSF33"):
        make(Root("UK04@SSSE", bytes(16), algorithm=Algorithm.SSF33))


# ---- what stays in it ---------------------------------------------------------------------------


def test_a_root_is_never_given_away(make):
    vault = make(UK04, PSAM_AMK)
    for name in (UK04.name, PSAM_AMK.name):
        with pytest.raises(Withheld):
            vault.derive(KeyRef(name))
        with pytest.raises(Withheld):
            vault.export(KeyRef(name), under=KeyRef("AMK@PSAM"))


def test_only_test_keys_are_derived_in_the_clear(make):
    vault = make(UK04, PSAM_AMK, test=False)
    card = KeyRef(UK04.name, COS)
    with pytest.raises(Withheld, match="export"):
        vault.derive(card)
    assert vault.export(card, under=KeyRef("AMK@PSAM"))


def test_keys_above_the_card_do_not_work(make):
    """Else E(root, F || ~F) would be a way to derive."""
    vault = make(UK04, STK)
    eight = bytes(8)
    for factors in (COS[:0], COS[:1], COS[:2]):
        key = KeyRef(UK04.name, factors)
        for ask in (
            lambda key=key: vault.encrypt(key, eight),
            lambda key=key: vault.mac(key, b"", eight),
            lambda key=key: vault.direct_cryptogram(key, eight),
            lambda key=key: vault.cryptogram(key, eight, eight),
            lambda key=key: vault.session_mac(key, eight, eight),
            lambda key=key: vault.session_encrypt(key, eight, eight),
            lambda key=key: vault.export(KeyRef(STK.name, COS), under=key),
        ):
            with pytest.raises(Withheld):
                ask()


def test_factors_are_checked(make):
    vault = make(UK04, PSAM_AMK)
    with pytest.raises(VaultError, match="3 levels"):
        vault.derive(KeyRef(UK04.name, (*COS, COS[2])))
    with pytest.raises(VaultError, match="0 levels"):
        vault.derive(KeyRef(PSAM_AMK.name, COS[:1]))
    with pytest.raises(ValueError, match="8 bytes"):
        vault.kcv(KeyRef(UK04.name, (b"short",)))
    for factor, data in ((bytes(7), bytes(8)), (bytes(8), bytes(9))):
        with pytest.raises(ValueError, match="8 bytes"):
            vault.cryptogram(KeyRef(UK04.name, COS), factor, data)
    with pytest.raises(ValueError, match="LD"):
        vault.encrypt(KeyRef(UK04.name, COS), bytes(256))


def appearances(value):
    """A key as it would appear if it leaked somewhere."""
    return [repr(value)[2:-1], value.hex(), value.hex().upper(), str(list(value))[1:-1]]


def test_values_show_nowhere(make):
    vault = make(UK04)
    card = KeyRef(UK04.name, COS)
    derived = vault.derive(card)
    shown = [vault, vault.list_keys(), vars(vault), UK04, UK04.info, card, derived]
    text = "".join(f"{thing!r}{thing!s}" for thing in shown)
    for value in (UK04.value, derived.value):
        assert not [form for form in appearances(value) if form in text]
    assert "UK04@SSSE" in repr(UK04)


def test_a_vault_is_neither_pickled_nor_copied(make):
    vault = make(UK04)
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(VaultError, match="neither pickled nor copied"):
            attempt(vault)


def test_errors_carry_no_values(make):
    vault = make(UK04)
    attempts = [
        lambda: vault.install(UK04),
        lambda: vault.derive(KeyRef(UK04.name)),
        lambda: vault.install(Root("X@SSSE", UK04.value[:-1])),
        lambda: vault.install(Root("MDK-X@PSE", UK04.value)),
    ]
    for attempt, value in itertools.product(attempts, (UK04.value, UK04.value[:-1])):
        with pytest.raises(VaultError) as caught:
            attempt()
        assert not [form for form in appearances(value) if form in repr(caught.value)]


def test_a_closed_vault_is_locked(make):
    with make(UK04) as vault:
        pass
    for ask in (
        vault.list_keys,
        lambda: vault.info(UK04.name),
        lambda: vault.kcv(KeyRef(UK04.name)),
        lambda: vault.install(STK),
    ):
        with pytest.raises(VaultLocked):
            ask()
    vault.close()
    assert "closed" in repr(vault)
