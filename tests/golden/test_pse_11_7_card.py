"""pse-pboc 11.7 through the card: what it signs, what it deciphers, what its records hold."""

import oda_verifier as outside
from pse_desk import ARQC, CDA, DDA, PIN_OK, UN, Desk, debit_card, terminal_data

from sscard.perso.rsa_files import rsa_file

CA = outside.Key(rsa_file("ca-80").key.modulus, 3)
CHALLENGE = "1122334455667788"
VERIFY = (
    "002000886017D164CA9ACE156F237C030D6CD830A61775B28A5CC21B67ECC1424634F00BE737975DD989CCEBD8E79F"
    "3C47ECB4050C2F6A7BF6A1A2E77179997C48DAAC1B1537B378BF7A5A95FBBBE8CDF6EFB13F32B818CF59AF93383890"
    "B2247EAF19FD7D"
)
STATIC = (
    "5A0A6210950000000000017F5F24033012315F25032001015F280201565F3401009F0702AB809F0D05D86004A8009F"
    "0E0500100000009F0F05D86004F8008E100000000000000000420341031E031F007C00"
)


def test_pse_11_7_a_terminal_verifies_everything():
    desk = Desk()
    desk.select()
    card = outside.read(desk)
    assert card.static.hex().upper() == STATIC
    issuer = outside.issuer_key(CA, card.tags)
    assert issuer[:3] == ("621095FF", "1230", "000001")
    assert issuer.key == (rsa_file("issuer").key.modulus, 3)
    assert outside.data_code(issuer.key, card.tags, card.static) == "DAC1"
    icc = outside.icc_key(issuer.key, card.tags, card.static)
    assert icc[:3] == ("6210950000000000017F", "1230", "000002")
    signature = outside.objects(bytes.fromhex(desk.data(DDA)))[0x80]
    assert outside.dynamic(icc.key, signature, bytes.fromhex(UN)) == b"\x02\x00\x01"


def test_pse_11_7_combined_signature_recovered():
    desk = Desk(debit_card(dgi_9104="82027D00940C080101001001020118010300"))
    desk.select()
    card = outside.read(desk)
    issuer = outside.issuer_key(CA, card.tags)
    icc = outside.icc_key(issuer.key, card.tags, card.static)
    desk.data(PIN_OK)
    answer = bytes.fromhex(desk.ac(ARQC | CDA)[:-4])
    sent = bytes.fromhex(terminal_data())
    assert outside.combined(icc.key, answer, sent, bytes.fromhex(UN)) == (
        "80",
        bytes.fromhex("C7BEA78F30567A6A"),
    )


def test_pse_11_7_enciphered_pin():
    desk = Desk().begin()
    desk.card.env.force_random(bytes.fromhex(CHALLENGE))
    assert desk("0084000008") == CHALLENGE + "9000"
    assert desk.sw(VERIFY) == "9000"
    assert desk.ac(ARQC)[32:40] == "03A41000"
