"""pse-pboc 11.3, 11.4, 11.6, 11.7: the golden transaction, byte for byte, over both link styles."""

import pytest
from pse_desk import (
    AAC,
    ADF,
    ARQC,
    CDA,
    DDA,
    GPO,
    PIN_OK,
    TC,
    Desk,
    cryptogram,
    cvr,
    data_file,
    debit_card,
    risk,
)

from sscard.sample import new_card, sample_card

TRANSCRIPT = (
    (
        "SELECT PSE",
        "00A404000E315041592E5359532E444446303100",
        "6F1E840E315041592E5359532E4444463031A50C8801015F2D027A689F1101019000",
    ),
    (
        "READ RECORD dir SFI1 rec1",
        "00B2010C00",
        (
            "702861264F08A000000333010101500A50424F432044454249548701019F120A50424F4320444542"
            "49549000"
        ),
    ),
    (
        "READ RECORD dir rec2",
        "00B2020C00",
        "6A83",
    ),
    (
        "SELECT ADF",
        "00A4040008A00000033301010100",
        (
            "6F398408A000000333010101A52D500A50424F432044454249548701015F2D027A689F1101019F12"
            "0A50424F43204445424954BF0C059F4D020B0A9000"
        ),
    ),
    (
        "GPO (no PDOL)",
        "80A8000002830000",
        "800E7C000801010010010201180103009000",
    ),
    (
        "READ RECORD SFI1 rec1",
        "00B2010C00",
        (
            "704057136210950000000000017D30126200000012345F5F200F544553542043415244484F4C4445"
            "529F61123131303130313139393030313031313233379F6201009000"
        ),
    ),
    (
        "READ RECORD SFI2 rec1",
        "00B2011400",
        (
            "70505A0A6210950000000000017F5F24033012315F25032001015F280201565F3401009F0702AB80"
            "9F0D05D86004A8009F0E0500100000009F0F05D86004F8008E100000000000000000420341031E03"
            "1F009000"
        ),
    ),
    (
        "READ RECORD SFI2 rec2",
        "00B2021400",
        (
            "70558C1B9F02069F03069F1A0295055F2A029A039C019F37049F21039F4E148D1D8A029F02069F03"
            "069F1A0295055F2A029A039C019F37049F21039F4E149F080200209F420201565F300206209F4903"
            "9F37049F4A01829000"
        ),
    ),
    (
        "READ RECORD SFI3 rec1",
        "00B2011C00",
        (
            "7081B08F01809F3201039214CAC11365CCF6BFF81542C1BD19EE08C01F9856A3908190158FECF086"
            "C730207051218072219143353C788BCE74DFCABB8EAB73CF9A280F31F8E78D394D1713B16D00D6FD"
            "5E0E66DDC69E01D1CC6E98DC59618A8AC72A72D1ACA264FD5C221C3A7BB0774B808085F2680A0666"
            "C216E0E1193DB93EC6DDF04143DBD28A125277B510B8EA182EECF4B1483F7C93CCF4ED0A2E0B1B5A"
            "91CA1B8582E054A6A80904D863A62CCEC7290C9000"
        ),
    ),
    (
        "READ RECORD SFI3 rec2",
        "00B2021C00",
        (
            "7081959F4681802A1E5C660450E5AA0A85DAF23C008F4713EF6A709E36B8F68853FE5A9A04AD0381"
            "BBAE9024E53B216CE44B5529E9D9E78F45925ADC137CCC43745795E852D130B2AC39A5F0700C735A"
            "F7833CBFCBDFC3747A6C848906C77003ABDE2081463F63FC7F8ACB7AF8FB6EFC68397A59AE27B7F5"
            "E396813F359C5ECDBA50F37CFB7A549F4701039F480AD7756A81F3790FA2C5319000"
        ),
    ),
    (
        "READ RECORD SFI3 rec3",
        "00B2031C00",
        (
            "7081839381801527CBF120D53CC52E2B73AC1278D2C4B83A3350FC014D0B2BEA24F92EDEC6B26BD4"
            "6759D3A0FECD9F298F9A88C1C04B1D16D005BCFA34BC08033C45289E2739A6F033105EEEAE34E55E"
            "FBAE6FE17BC575F8B83DE448AB7A0A30E9A7F7904623E5F8FEE1B690C9A34142647A96AB08E30D86"
            "EE006E90CF2FA210DD92372C4F719000"
        ),
    ),
    (
        "GET DATA ATC",
        "80CA9F3600",
        "9F360200019000",
    ),
    (
        "GET DATA last online ATC",
        "80CA9F1300",
        "9F130200009000",
    ),
    (
        "GET DATA PIN try counter",
        "80CA9F1700",
        "9F1701039000",
    ),
    (
        "GET DATA log format",
        "80CA9F4F00",
        "9F4F199A039F21039F02069F03069F1A025F2A029F4E149C019F36029000",
    ),
    (
        "INTERNAL AUTHENTICATE",
        "0088000004A1B2C3D400",
        (
            "80603AC8F6C9372956E4781AC6E6DEDF9AE71C34B6FAB544ED1173186651CD31750E833D7173F967"
            "71DD08FF90EACCF3392E814D0D3EF1A601A1C8F4A49A67BF2910E97F7205424A944DC970004D8328"
            "FD548FC4A6CDCFCD14251F935FE24A8345969000"
        ),
    ),
    (
        "VERIFY plaintext PIN 123456",
        "002000800826123456FFFFFFFF",
        "9000",
    ),
    (
        "GENERATE AC 1 to ARQC",
        (
            "80AE80003400000001234500000000000001560000008000015626070100A1B2C3D4103045544553"
            "54204D45524348414E542030303030303100"
        ),
        "8013800001F126D638723D8BFC07010103A41002019000",
    ),
    (
        "EXTERNAL AUTHENTICATE",
        "008200000A16E77895E0513B623030",
        "9000",
    ),
    (
        "GENERATE AC 2 to TC",
        (
            "80AE400036303000000001234500000000000001560000008000015626070100A1B2C3D410304554"
            "455354204D45524348414E542030303030303100"
        ),
        "8013400001BF0C0717E6D3496C07010103641002019000",
    ),
)


@pytest.mark.parametrize("link", ["apdu", "t0"])
@pytest.mark.parametrize("make", [debit_card, sample_card], ids=["pboc", "sample"])
def test_pse_11_3_transcript(make, link):
    desk = Desk(make(), link=link)
    for step, command, response in TRANSCRIPT:
        assert desk(command) == response, step


def test_pse_11_3_on_the_wire_of_a_contact_card():
    """61xx for what has data, 6Cxx where only Le is missing (2.1)."""
    power = debit_card().power_on("t0")
    for command, answer in (
        (ADF, "613B"),
        ("00C000003B", None),
        (GPO, "6110"),
        ("00C0000010", "800E7C000801010010010201180103009000"),
        ("00B2010C00", "6C42"),
        ("80CA9F3600", "6C05"),
        ("80CA9F3605", "9F360200019000"),
        (DDA, "6162"),
        ("80CA9F1705", "6C04"),
        ("00C0000062", "6985"),
    ):
        got = power.transmit(bytes.fromhex(command)).hex().upper()
        assert got == answer or (answer is None and got.endswith("9000")), command


# --- 11.4: other cryptograms of the same keys, ATC 0001 and terminal data ----------------------


def golden_desk(ada="8240", **dgis):
    return Desk(debit_card(dgi_0E01=risk(ada), **dgis)).begin()


def to_the_arqc(desk):
    desk.data(DDA)
    desk.data(PIN_OK)
    assert cryptogram(desk.ac(ARQC)) == "F126D638723D8BFC"
    return desk


def test_pse_11_4_first_aac_without_verify_and_dda():
    answer = golden_desk().ac(AAC)
    assert (answer[4:6], cvr(answer)) == ("00", "03801000")
    assert cryptogram(answer) == "B7A869D22EE3E8C1"


def test_pse_11_4_first_tc_with_ada_0000():
    desk = golden_desk("0000")
    desk.data(DDA)
    desk.data(PIN_OK)
    answer = desk.ac(TC)
    assert (answer[4:6], cvr(answer)) == ("40", "03941002")
    assert cryptogram(answer) == "84EEDDCF7DAF1F00"


def test_pse_11_4_second_aac_unable_to_go_online():
    answer = to_the_arqc(golden_desk()).ac(AAC, arc="5A33")
    assert (answer[4:6], cvr(answer)) == ("00", "03251002")
    assert cryptogram(answer) == "D7A98FE9C42E3EF8"


def test_pse_11_4_second_aac_after_a_failed_external_authenticate_with_ada_1_b7():
    desk = to_the_arqc(golden_desk("C240"))
    assert desk.sw("008200000A00000000000000003030") == "6300"
    answer = desk.ac(TC, arc="3030")
    assert (answer[4:6], cvr(answer)) == ("00", "032C1002")
    assert cryptogram(answer) == "ACF6E4BEE9BAAA16"


def test_pse_11_4_second_tc_without_external_authenticate():
    answer = to_the_arqc(golden_desk()).ac(TC, arc="3030")
    assert (answer[4:6], cvr(answer)) == ("40", "03641402")
    assert cryptogram(answer) == "83DDE34F245CF956"


# --- 11.6: log, issuer discretionary data, the next transaction --------------------------------


def test_pse_9_11_8_a_card_personalised_through_the_channel_answers_the_same():
    """12, item 10: the replay of the personalisation, then a transaction with its values."""
    finished(new_card("pboc", perso="cps"))


def finished(card=None):
    desk = Desk(card)
    for step, command, response in TRANSCRIPT:
        assert desk(command) == response, step
    return desk


def test_pse_11_6_log_record():
    desk = finished()
    record = (
        "2607011030450000000123450000000000000156015654455354204D45524348414E5420303030303031000001"
    )
    assert desk("00B2015C00") == record + "9000"
    assert desk("00B2025C00") == "6A83"


def test_pse_11_6_next_transaction():
    """Two script commands counted after the last one, as the counter in EF90 says."""
    desk = finished()
    card = desk.card
    card.eeprom.poke(data_file(card) + 23, b"\x02")
    desk = Desk(card).begin()
    answer = desk.ac(ARQC, un="0BADF00D")
    assert answer == "801380000222463609F42699A707010103A00020019000"


@pytest.mark.parametrize(
    ("template", "data"),
    [
        ("0A01", "0A010000010000A1EB339A"),
        ("0F03", "0F03000001000000000123455CBA190F"),
    ],
    ids=["type 01", "type 03"],
)
def test_pse_11_6_issuer_discretionary_data(template, data):
    card = debit_card(
        dgi_9200=f"9F100A0701010300000001{template}",
        dgi_0D01="9F5801039F5901079F7906000000010000",
    )
    card.eeprom.poke(data_file(card) + 8, bytes.fromhex("000000012345"))
    desk = Desk(card).begin()
    desk.data(DDA)
    desk.data(PIN_OK)
    answer = desk.ac(ARQC)
    assert answer[26:-4] == "07010103A4100201" + data


# --- 11.7: CDA ------------------------------------------------------------------------------


def test_pse_11_7_cda():
    card = debit_card(dgi_9104="82027D00940C080101001001020118010300")
    desk = Desk(card).begin()
    desk.data(PIN_OK)
    assert desk.ac(ARQC | CDA) == (
        "77779F2701809F360200019F4B605C5A9FCE36B87B6299F503C0E0CB159A00DE4CD94D6C0D2437DF2B3DAA66"
        "D0AB711395DD4DD7C45D4CD7C3D34EAEE4B369FFC7009AFE444CA5A97F7670735515E7A3A882C9B8AFD0C68D"
        "915F1397E93DF792464582BD5C80E27A35C215E7B99E9F100807010103A41002019000"
    )
