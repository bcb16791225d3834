"""The construct schemas and the hand-written codecs agree; both read what the reference prints."""

from zlib import crc32

import pytest
from construct import ConstructError
from hypothesis import given
from hypothesis import strategies as st

from sscard.cos import access, fcp
from sscard.cos.journal import Transaction
from sscard.cos.layout import (
    AtrPage,
    AtrProfile,
    Block,
    CardLifeCycle,
    CardState,
    ChipPage,
    DomainHeader,
    DomainState,
    ExtentEntry,
    ExtentTable,
    Superblock,
    SuperblockFlag,
    TransportKeyState,
)
from sscard.cos.objects import FileHeader, KeyRecord, KeyType, Kind
from sscard.inspect.schemas import fields_of, layout_of, messages
from sscard.inspect.schemas import image as image_schemas
from sscard.iso import tlv

BYTE, WORD = st.integers(0, 0xFF), st.integers(0, 0xFFFF)
ADDRESS = st.integers(0, 0xFFFFFFFF)


def page(front: str, crc: str) -> bytes:
    return bytes.fromhex(front).ljust(60, b"\xff") + bytes.fromhex(crc)


PRINTED = {
    "superblock": (
        image_schemas.SUPERBLOCK,
        page(
            "53 53 43 41 52 44 01 01 00 01 40 00 00 40 05 00 00 08 00 80 00 88 04 78 00 02 00 03"
            "00 04 00 05 00 00 00 01 FF FF FF FF FF FF FF FF 00 11 22 33 44 55 66 77 88 99 AA BB"
            "CC DD EE FF",
            "8F FF 72 A1",
        ),
        {"size": 81_920, "jstart": 8, "jlen": 128, "heapstart": 136, "heaplen": 1144},
    ),
    "CH": (
        image_schemas.CH,
        page("43 48 00 FE 00 50 53 53 43 30 30 30 30 31 20 24 03 01 53 10 80 01", "3F F1 CD C6"),
        {"ic_id": 0xFE, "serial": b"SSC00001", "cos_id": b"\x53\x10\x80", "rng_version": 1},
    ),
    "AT": (
        image_schemas.AT,
        page("41 54 00 0D 00 FE 53 10 80 86 FE 99 01 00 00 00 01", "F3 43 78 A6"),
        {"profile": "A", "k": 13, "hist": bytes.fromhex("00FE53108086FE990100000001")},
    ),
    "CS": (
        image_schemas.CS,
        page("43 53 07 02 25 00 0F 0F" + "00" * 16, "14 3B 8E 8D"),
        {"card_lcs": "HANDED_OVER", "n_domains": 2, "tk_state": "DESTROYED", "tk": bytes(16)},
    ),
    "EX": (
        image_schemas.EX,
        page(
            "45 58 03 00 00 01 00 88 00 20 3F 00 FF FF 01 01 00 A8 02 80 DD F1 FF FF"
            "02 01 03 28 01 80 DD F2 FF FF",
            "A5 2D F3 37",
        ),
        {"count": 3},
    ),
    "DH": (
        image_schemas.DH,
        page("44 48 01 03 00 A8 02 80 DD F1 00 03 03 00 00 00 2A 40", "B1 AF FA 41"),
        {"domain": 1, "state": "OWNED", "start": 168, "pages": 640, "ddf": 0x2A40},
    ),
    "MF header": (
        image_schemas.OBJ,
        bytes.fromhex(
            "A5383F000005000900000000000000180000000000000000"
            "8F00FFFF8F00FFFFFFFFFFFF000008000000030096FFAE5D"
        ),
        {"state": "LIVE", "kind": "DIRECTORY", "fid": 0x3F00, "name_length": 9, "quota": 2048},
    ),
    "EF80 header": (
        image_schemas.OBJ,
        bytes.fromhex(
            "A50CEF800005010000002A4000000280002810000280 0000"
            "8F00FFFFFFFFFFFFFFFFFFFF00000000000000009203185B"
        ),
        {"kind": "KEY", "record_max": 40, "record_count": 16, "capacity": 640},
    ),
    "EF05 header": (
        image_schemas.OBJ,
        bytes.fromhex(
            "A505EF050505010000002A4000000082001410000080 0000"
            "00008400FFFFFFFFFFFFFFFF00000000000000003D844520"
        ),
        {"kind": "LINEAR_TLV", "sfi": 5, "body_length": 130, "capacity": 128},
    ),
    "key record of UK04": (
        image_schemas.KEYREC,
        bytes.fromhex(
            "A50D04010033040000 8F00031003FFFFB0C3BE8D15CCE35B43AE0D702B4D80CD3CB3DEFF4E4A8109"
        ),
        {"type": 0x0D, "id": 4, "tries": 0x33, "length": 16, "tries_left": 3},
    ),
    "JC": (
        image_schemas.JC,
        bytes.fromhex("4A43000000070400008F00031002FFFFB0C3BE8D15CCE35B43AE0D702B4D80CD").ljust(
            64, b"\xff"
        ),
        {"seq": 7},
    ),
    "JT": (
        image_schemas.JT,
        bytes.fromhex(
            "4A5401FF00000007004201010005FFFF8C58328040AB3538"
            "00AB008F00011008FFFF2B505085B5AC0FA34C231CFD2D4C0B1A4ECED7FF0A8FD209A50D04010033"
        ),
        {"applied": 0xFF, "seq": 7, "length": 66, "images": 1, "tag": 1, "first": 5},
    ),
    "marker": (
        image_schemas.MARKER,
        bytes.fromhex("4A54010000000007000000 01FFFFFFFF00000000 02E03C83").ljust(64, b"\xff"),
        {"seq": 7, "tag": 1},
    ),
}


@pytest.mark.parametrize("name", PRINTED)
def test_cos_2_5_and_1_4_printed_bytes_parse_and_build_back(name):
    schema, raw, expected = PRINTED[name]
    parsed = schema.parse(raw)
    assert {field: parsed[field] for field in expected} == expected
    assert schema.build(parsed) == raw


@pytest.mark.parametrize("name", PRINTED)
def test_fields_cover_the_printed_bytes_without_gap(name):
    schema, raw, _ = PRINTED[name]
    at = 0
    for field in fields_of(schema, raw):
        assert field.offset == at
        at += field.length
        assert field.text or not field.length
    assert at == len(raw)


def test_fields_of_a_damaged_page_name_the_check_sum():
    raw = bytearray(PRINTED["CS"][1])
    raw[3] ^= 1
    assert fields_of(image_schemas.CS, bytes(raw))[-1].text == "wrong check sum"
    assert fields_of(image_schemas.CS, bytes(10))[0].name == "magic"


def test_layout_lists_offsets_as_the_reference_does():
    rows = {name: (offset, length) for offset, length, name, _ in layout_of(image_schemas.OBJ)}
    assert rows["body_length"] == (12, 4)
    assert rows["access"] == (24, 12)
    assert rows["crc"] == (44, 4)


# --- pages --------------------------------------------------------------------------------

SUPERBLOCKS = st.builds(
    Superblock,
    size=st.integers(0, 0xFFFF).map(lambda pages: pages * 64),
    journal_start=WORD,
    journal_pages=WORD,
    heap_start=WORD,
    heap_pages=WORD,
    uuid=st.binary(min_size=16, max_size=16),
    flags=st.sampled_from([SuperblockFlag(value) for value in range(4)]),
    chip_page=WORD,
    atr_page=WORD,
    card_page=WORD,
    extent_page=WORD,
    generation=ADDRESS,
)
CHIPS = st.builds(
    ChipPage,
    WORD,
    WORD,
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=3, max_size=3),
    BYTE,
)
ATRS = st.builds(AtrPage, st.sampled_from(AtrProfile), st.binary(max_size=15))
CARDS = st.builds(
    CardState,
    st.sampled_from(CardLifeCycle),
    BYTE,
    st.sampled_from(TransportKeyState),
    BYTE,
    BYTE,
    BYTE,
    st.binary(min_size=16, max_size=16),
)
EXTENTS = st.builds(
    ExtentTable,
    st.lists(st.builds(ExtentEntry, BYTE, WORD, WORD, WORD), max_size=5).map(tuple),
)
DOMAINS = st.builds(
    DomainHeader,
    BYTE,
    st.sampled_from(DomainState),
    WORD,
    WORD,
    WORD,
    ADDRESS,
    st.sampled_from(Block),
    BYTE,
    BYTE,
)
HEADERS = st.builds(
    FileHeader,
    kind=BYTE,
    fid=WORD,
    domain=BYTE,
    access=st.tuples(*[WORD] * 6),
    parent=ADDRESS,
    sfi=BYTE,
    name_length=BYTE,
    body_length=ADDRESS,
    record_max=WORD,
    record_count=BYTE,
    capacity=WORD,
    sm_read=BYTE,
    sm_write=BYTE,
    quota=ADDRESS,
    suite=BYTE,
    fci_fid=WORD,
    flags=BYTE,
    lcs=BYTE,
    state=st.sampled_from([0xA5, 0x25, 0xFF]),
)
KEYS = st.builds(
    KeyRecord,
    type=BYTE,
    id=BYTE,
    version=BYTE,
    algorithm=BYTE,
    tries=BYTE,
    grant=BYTE,
    use=WORD,
    change=WORD,
    flags=BYTE,
    value=st.binary(max_size=16),
    kcv=st.binary(min_size=3, max_size=3),
    tries_left=BYTE,
    state=st.sampled_from([0xA5, 0x25, 0xFF]),
)


@pytest.mark.parametrize(
    ("schema", "records"),
    [
        (image_schemas.SUPERBLOCK, SUPERBLOCKS),
        (image_schemas.CH, CHIPS),
        (image_schemas.AT, ATRS),
        (image_schemas.CS, CARDS),
        (image_schemas.EX, EXTENTS),
        (image_schemas.DH, DOMAINS),
    ],
    ids=["superblock", "CH", "AT", "CS", "EX", "DH"],
)
def test_cos_2_5_schema_and_codec_of_a_page_agree(schema, records):
    @given(record=records)
    def agree(record):
        raw = record.build()
        assert schema.build(schema.parse(raw)) == raw
        assert type(record).parse(schema.build(schema.parse(raw))) == record

    agree()


@given(record=CARDS)
def test_cos_2_5_a_page_built_by_the_schema_is_read_by_the_codec(record):
    built = image_schemas.CS.build(
        {
            "card_lcs": record.life_cycle.name,
            "n_domains": record.domains,
            "tk_state": record.tk_state.name,
            "tk_alg": record.tk_algorithm,
            "tk_max": record.tk_max,
            "tk_left": record.tk_left,
            "tk": record.tk,
        }
    )
    assert CardState.parse(built) == record


@given(header=HEADERS)
def test_cos_2_5_schema_and_codec_of_an_object_header_agree(header):
    raw = header.build()
    parsed = image_schemas.OBJ.parse(raw)
    assert image_schemas.OBJ.build(parsed) == raw
    for field in ("fid", "sfi", "lcs", "domain", "parent", "body_length", "quota", "capacity"):
        assert parsed[field] == getattr(header, field)
    assert tuple(parsed.access) == header.access


@given(key=KEYS)
def test_cos_2_5_schema_and_codec_of_a_key_record_agree(key):
    raw = key.build()
    parsed = image_schemas.KEYREC.parse(raw)
    assert image_schemas.KEYREC.build(parsed) == raw
    assert parsed.value[: parsed.length] == key.value
    assert (parsed.type, parsed.id, parsed.tries_left) == (key.type, key.id, key.tries_left)
    assert bytes(parsed.kcv) == key.kcv


@given(header=HEADERS, bit=st.integers(0, 48 * 8 - 1))
def test_cos_2_5_both_see_the_same_damage_to_a_header(header, bit):
    raw = bytearray(header.build())
    raw[bit // 8] ^= 0x80 >> bit % 8
    try:
        image_schemas.OBJ.parse(bytes(raw))
        whole = True
    except ConstructError:
        whole = False
    assert FileHeader.parse(bytes(raw)).intact == whole


@given(seq=ADDRESS, tag=BYTE, number=WORD, image=st.binary(min_size=64, max_size=64))
def test_cos_1_4_a_transaction_built_by_the_schemas_is_read_by_the_journal(seq, tag, number, image):
    payload = number.to_bytes(2, "big") + image
    transaction = image_schemas.JT.build(
        {
            "applied": 0xFF,
            "seq": seq,
            "length": 66,
            "images": 1,
            "tag": tag,
            "first": 0,
            "payload_crc": crc32(payload),
            "payload": payload[:40],
        }
    )
    continued = image_schemas.JC.build({"seq": seq, "payload": payload[40:].ljust(58, b"\xff")})
    found = Transaction.parse(continued + transaction, 1)
    assert found is not None
    assert (found.seq, found.tag, found.applied) == (seq, tag, False)
    assert found.images == ((number, image),)


# --- messages -----------------------------------------------------------------------------

TAGS = st.sampled_from([0x4F, 0x50, 0x5F24, 0x82, 0x84, 0x9F10, 0x9F36, 0xDF4D])
PRIMITIVE = st.builds(tlv.encode, TAGS, st.binary(max_size=300))
NESTED = st.recursive(
    PRIMITIVE,
    lambda inner: st.builds(
        lambda tag, parts: tlv.encode(tag, b"".join(parts)),
        st.sampled_from([0x61, 0x6F, 0x70, 0x77, 0xA5, 0xBF0C]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)


@given(raw=NESTED)
def test_pse_pboc_2_7_schema_and_codec_of_ber_tlv_agree(raw):
    parsed = messages.BER_TLV.parse(raw)
    assert messages.BER_TLV.build(parsed) == raw
    ((tag, value),) = tlv.parse(raw)
    assert parsed.tag == tag
    if isinstance(parsed.value, bytes):
        assert parsed.value == value
    else:
        assert [item.tag for item in parsed.value] == [inner for inner, _ in tlv.parse(value)]


@given(entries=st.lists(st.tuples(TAGS, st.integers(0, 0xFF)), max_size=10))
def test_pse_pboc_2_7_schema_and_codec_of_a_dol_agree(entries):
    raw = tlv.encode_dol(entries)
    parsed = messages.DOL.parse(raw)
    assert [(item.tag, item.length) for item in parsed] == entries
    assert messages.DOL.build(parsed) == raw


@given(tag=st.integers(1, 0xFE), value=st.binary(max_size=254))
def test_ssse_2_2_schema_and_codec_of_a_record_agree(tag, value):
    raw = tlv.encode_simple(tag, value)
    parsed = messages.SIMPLE_TLV.parse(raw)
    assert (parsed.tag, parsed.value) == (tag, value)
    assert messages.SIMPLE_TLV.build(parsed) == raw


@pytest.mark.parametrize(
    "raw",
    [
        "621F8201388302 3F00 84097373636172642E636D 81030008008606 8F00FFFF8F00",
        "62118205 0C21002810 8302EF80 8604 8F00FFFF",
        "621C8205 0521001410 8302EF05 880128 80020080 8608 00008400FFFF0000",
        (
            "622D820138 8302DDF1 840F7378312E73682EC9E7BBE1B1A3D5CF 81 03 00A000 8606 8F008F008F00"
            "A506C00101C10103"
        ),
    ],
    ids=["MF", "key EF", "EF05", "SSSE"],
)
def test_cos_2_2_schema_and_codec_of_an_fcp_agree(raw):
    data = bytes.fromhex(raw)
    parsed = messages.FCP.parse(data)
    assert messages.FCP.build(parsed) == data
    request = fcp.request(data)
    values = {item.tag: item.value for item in parsed.objects}
    assert values[0x83] == request.fid
    assert values[0x82].kind == request.kind
    if 0x81 in values:
        assert values[0x81] == request.quota
    if 0x88 in values:
        assert values[0x88].sfi == request.sfi


WORDS = st.sampled_from([word for word in range(0x10000) if access.valid(word)])


@given(words=st.lists(WORDS, min_size=3, max_size=3), capacity=st.integers(1, 0xFFFF))
def test_cos_2_2_an_fcp_built_by_the_schema_is_taken_by_create_file(words, capacity):
    conditions = b"".join(word.to_bytes(2, "big") for word in words) + b"\x00\x00"
    built = messages.FCP.build(
        {
            "objects": [
                {"tag": 0x82, "value": {"kind": Kind.TRANSPARENT, "records": None}},
                {"tag": 0x83, "value": 0xEF16},
                {"tag": 0x80, "value": capacity},
                {"tag": 0x86, "value": messages.FCP_CONDITIONS.parse(conditions)},
            ]
        }
    )
    request = fcp.request(built)
    assert request.capacity == capacity
    assert request.access[:3] == tuple(words)


@given(word=WORDS)
def test_cos_2_3_schema_and_rule_of_an_access_condition_agree(word):
    parsed = image_schemas.AC2.parse(word.to_bytes(2, "big"))
    assert image_schemas.AC2.build(parsed) == word.to_bytes(2, "big")
    if word not in (access.ALWAYS, access.NEVER):
        first, second = parsed.first, parsed.second
        masks = [0, 0]
        masks[first.environment] |= 1 << first.grant
        also = bool(masks[second.environment] >> second.grant & 1)
        enough = not second.used or getattr(second, "or") or also
        assert access.satisfied(word, *masks) == bool(enough)


def test_cos_4_4_a_key_header_parses_field_by_field():
    header = bytes.fromhex("0D0401003304 0000 8F00 0310")
    parsed = messages.KEY_HEADER.parse(header)
    assert messages.KEY_HEADER.build(parsed) == header
    record = KeyRecord.from_header(header, bytes(16), bytes(3))
    assert (parsed.type, parsed.id, parsed.max_tries) == (record.type, record.id, record.tries)
    assert parsed.type == KeyType.EXTERNAL_AUTH
    assert parsed.change.first.grant == 15


def test_pse_pboc_4_5_and_4_6_cvr_and_iad_of_the_golden_transaction():
    raw = bytes.fromhex("07010103A4100201")
    parsed = messages.IAD.parse(raw)
    assert messages.IAD.build(parsed) == raw
    bits = parsed.cvr.bits
    assert (bits.first_ac, bits.second_ac) == ("ARQC", "NOT_REQUESTED")
    assert bits.pin_performed
    assert bits.new_card
    assert bits.dda_performed
    assert messages.CVR.build(parsed.cvr) == raw[3:7]


@given(body=st.binary(min_size=3, max_size=3))
def test_pse_pboc_4_5_every_cvr_round_trips(body):
    assert messages.CVR.build(messages.CVR.parse(b"\x03" + body)) == b"\x03" + body


def test_pse_pboc_2_7_afl_and_cvm_list_of_the_golden_transaction():
    afl = bytes.fromhex("080101001001020118010300")
    parsed = messages.AFL.parse(afl)
    assert [(item.sfi.sfi, item.first, item.last, item.signed) for item in parsed] == [
        (1, 1, 1, 0),
        (2, 1, 2, 1),
        (3, 1, 3, 0),
    ]
    assert messages.AFL.build(parsed) == afl
    cvm = bytes.fromhex("0000000000000000420341031E031F00")
    assert [rule.method for rule in messages.CVM_LIST.parse(cvm).rules] == [0x42, 0x41, 0x1E, 0x1F]
    assert messages.CVM_LIST.build(messages.CVM_LIST.parse(cvm)) == cvm


def test_ssse_1_2_the_card_identification_code():
    raw = bytes.fromhex("999901D15600000500000001F0E44726")
    parsed = messages.SSSE_CARD_ID.parse(raw)
    assert parsed.mac == bytes.fromhex("F0E44726")
    assert messages.SSSE_CARD_ID.build(parsed) == raw


PRINTED_FCI = {
    "SSSE 10.3": "6F16840F7378312E73682EC9E7BBE1B1A3D5CFA503880101",
    "PSE 11.3": "6F1E840E315041592E5359532E4444463031A50C8801015F2D027A689F110101",
    "ADF 11.3": "6F398408A000000333010101A52D500A50424F432044454249548701015F2D027A689F1101019F12"
    "0A50424F43204445424954BF0C059F4D020B0A",
    "directory record 11.3": "702861264F08A000000333010101500A50424F432044454249548701019F120A5042"
    "4F43204445424954",
}


@pytest.mark.parametrize("raw", PRINTED_FCI.values(), ids=PRINTED_FCI)
def test_printed_fci_and_directory_records_parse_and_build_back(raw):
    data = bytes.fromhex(raw)
    assert messages.BER_TLV.build(messages.BER_TLV.parse(data)) == data
