"""Keys in a real token (SoftHSM2): where they are, what the token forbids, what it cannot do."""

import pytest

from sscard.keys import Algorithm
from sscard.keys.diversify import chain, city_factor, diversify, province_factor
from sscard.keys.vault import (
    ForeignKey,
    KeyRef,
    MemoryVault,
    Party,
    Root,
    UnsupportedMechanism,
    VaultError,
    VaultLocked,
)

pytestmark = pytest.mark.requires("softhsm2")

UK04 = Root("UK04@SSSE", b"TEST-UK04-ROOT-1")
AMK = Root("AMK@PSAM", b"TEST-PSAM-AMK-01", levels=0)
MDK = Root("MDK-AC@PSE.DF01", bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"), levels=1)
COS = (province_factor("990100"), city_factor("990100"), bytes.fromhex("86FE990100000001"))
CARD = KeyRef(UK04.name, COS)


def stored(softhsm, label="social"):
    """Our objects as another program sees them."""
    from pkcs11 import Attribute, ObjectClass

    with softhsm.session(label) as session:
        wanted = (
            Attribute.SENSITIVE,
            Attribute.EXTRACTABLE,
            Attribute.PRIVATE,
            Attribute.MODIFIABLE,
            Attribute.DECRYPT,
            Attribute.WRAP,
            Attribute.UNWRAP,
            Attribute.LABEL,
        )
        keys = session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY})
        return [{name.name: key[name] for name in wanted} for key in keys]


def test_keys_outlive_the_session(softhsm):
    with softhsm.open("social", test=True, writable=True) as vault:
        vault.install(UK04)
        vault.install(AMK)
    with softhsm.open("social") as vault:
        assert vault.test
        assert vault.list_keys() == (AMK.info, UK04.info)
        assert vault.derive(CARD).value == chain(Algorithm.TDES, UK04.value, COS)


def test_roots_cannot_be_read_out_of_the_token(softhsm):
    import pkcs11
    from pkcs11 import Attribute

    with softhsm.open("social", writable=True) as vault:
        vault.install(UK04)
        vault.install(AMK)
        vault.generate("UK@SSSE", levels=3)
        for key in vault._objects.values():
            with pytest.raises(pkcs11.AttributeSensitive):
                key[Attribute.VALUE]
    keys = stored(softhsm)
    assert len(keys) == 4  # a key that is used as it is has its left half too
    for key in keys:
        allowed = {name for name, value in key.items() if value is True}
        assert allowed == {"SENSITIVE", "PRIVATE"}


def test_the_token_refuses_other_mechanisms_for_a_root(softhsm):
    """CBC, or a derivation that concatenates, would tell more of a root than its children."""
    import pkcs11
    from pkcs11 import Mechanism

    with softhsm.open("social", writable=True) as vault:
        vault.install(UK04)
        root = vault._objects[UK04.name, 1, 0]
        with pytest.raises(pkcs11.MechanismInvalid):
            root.encrypt(bytes(8), mechanism=Mechanism.DES3_CBC, mechanism_param=bytes(8))


def test_derivation_runs_in_the_token(softhsm, monkeypatch):
    """Nothing diversified is ever seen here when a cryptogram is made of three levels."""
    from sscard.vaults import pkcs11 as module

    seen = []
    encrypt = module._encrypt
    monkeypatch.setattr(module, "_encrypt", lambda k, d: seen.append(encrypt(k, d)) or seen[-1])
    with softhsm.open("social", writable=True) as vault:
        vault.install(UK04)
        seen.clear()
        made = vault.cryptogram(CARD, bytes(8), bytes(8))
        assert seen == [made]
        key = UK04.value
        for factor in COS:
            key = diversify(Algorithm.TDES, key, factor)
            assert key not in seen


def test_derived_keys_do_not_stay_in_the_token(softhsm):
    from pkcs11 import Attribute

    with softhsm.open("social", writable=True) as vault:
        vault.install(UK04)
        vault.cryptogram(CARD, bytes(8), bytes(8))
        vault.mac(CARD, b"", b"message")
        objects = list(vault._session.get_objects({Attribute.CLASS: 4}))
        assert len(objects) == 1
        with pytest.raises(ValueError, match="8 bytes"):
            vault.kcv(CARD._replace(factors=(COS[0], b"short")))
        assert len(list(vault._session.get_objects())) == 1


def test_a_token_without_derivation_gives_out_children_and_no_root(softhsm, monkeypatch):
    from sscard.vaults import pkcs11 as module

    expected = MemoryVault(Party.SOCIAL, [UK04], test=True)
    seen = []
    encrypt = module._encrypt
    with softhsm.open("social", test=True, writable=True) as vault:
        vault.install(UK04)
        monkeypatch.setattr(vault, "_derives", False)
        monkeypatch.setattr(module, "_derived", None)  # calling it would fail
        monkeypatch.setattr(module, "_encrypt", lambda k, d: seen.append(encrypt(k, d)) or seen[-1])
        for ask in (
            lambda v: v.cryptogram(CARD, bytes(8), bytes(8)),
            lambda v: v.mac(CARD, b"", b"message"),
            lambda v: v.session_mac(CARD, bytes(8), b"message"),
            lambda v: v.derive(CARD).value,
            lambda v: v.kcv(CARD),
        ):
            assert ask(vault) == ask(expected)
    assert set(seen) == {diversify(Algorithm.TDES, UK04.value, COS[0])}


def test_sm4_in_a_token_is_a_clear_refusal(softhsm):
    with softhsm.open("social", writable=True) as vault:
        with pytest.raises(UnsupportedMechanism, match=r"UK04@SSSE: .*no SM4.*vault file"):
            vault.install(Root(UK04.name, UK04.value, algorithm=Algorithm.SM4))
        assert vault.list_keys() == ()
    assert stored(softhsm) == []


def test_a_generated_root_is_known_by_its_check_value_only(softhsm):
    with softhsm.open("social", writable=True) as vault:
        first, second = (vault.generate("UK@SSSE", version=n, levels=3) for n in (1, 2))
        assert first.kcv != second.kcv
        assert vault.kcv(KeyRef("UK@SSSE", version=1)) == first.kcv
        assert len(vault.cryptogram(KeyRef("UK@SSSE", COS), bytes(8), bytes(8))) == 8
        for name, levels in (("UK@SSSE", 3), ("BK@SSSE", 0)):
            with pytest.raises(VaultError):
                vault.generate(name, levels=levels)
        with pytest.raises(ForeignKey):
            vault.generate("MDK-AC@PSE", levels=1)
    with softhsm.open("social") as vault:
        assert vault.list_keys() == (first, second)


def test_a_wrong_pin_is_locked(softhsm):
    with pytest.raises(VaultLocked, match="PIN"):
        softhsm._replace(pin="9999").open("social")
    softhsm.open("social").close()


def test_a_token_is_opened_once_at_a_time(softhsm):
    with softhsm.open("social"), pytest.raises(VaultLocked, match="open in this process"):
        softhsm.open("social")
    softhsm.open("social").close()


def test_no_such_token_no_such_library(softhsm, tmp_path):
    with pytest.raises(VaultError, match="NoSuchToken"):
        softhsm.open("elsewhere")
    with pytest.raises(VaultError, match="cannot open"):
        softhsm._replace(module=str(tmp_path / "none.so")).open("social")


def test_a_token_of_the_bank_is_no_social_vault(softhsm):
    with softhsm.open("bank", Party.BANK, writable=True) as vault:
        vault.install(MDK)
    with pytest.raises(ForeignKey):
        softhsm.open("bank", Party.SOCIAL)
    with softhsm.open("bank", Party.BANK) as vault:
        assert vault.list_keys() == (MDK.info,)


def test_test_keys_and_others_share_no_token(softhsm):
    with softhsm.open("social", writable=True) as vault:
        vault.install(UK04)
    with pytest.raises(VaultError, match="test keys"):
        softhsm.open("social", test=True)
    with softhsm.open("social") as vault:
        assert not vault.test


def test_a_key_that_could_be_read_out_is_no_vault_key(softhsm):
    import pkcs11
    from pkcs11 import Attribute

    with softhsm.session("social") as session:
        session.create_object(
            {
                Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
                Attribute.KEY_TYPE: pkcs11.KeyType.DES2,
                Attribute.TOKEN: True,
                Attribute.SENSITIVE: False,
                Attribute.EXTRACTABLE: True,
                Attribute.ENCRYPT: True,
                Attribute.LABEL: UK04.name,
                Attribute.ID: b"sscard\x01\x01\x03\x00\x01",
                Attribute.VALUE: UK04.value,
            }
        )
    with pytest.raises(VaultError, match="could be read out"):
        softhsm.open("social")


def test_other_objects_in_the_token_are_left_alone(softhsm):
    import pkcs11
    from pkcs11 import Attribute

    with softhsm.session("social") as session:
        template = {Attribute.TOKEN: True, Attribute.LABEL: "somebody's", Attribute.ID: b"x"}
        session.generate_key(pkcs11.KeyType.AES, 128, template=template)
    with softhsm.open("social") as vault:
        assert vault.list_keys() == ()


def test_a_token_opened_for_reading_takes_no_keys(softhsm):
    with softhsm.open("social") as vault:
        with pytest.raises(VaultError, match="SessionReadOnly"):
            vault.install(UK04)
        assert vault.list_keys() == ()
