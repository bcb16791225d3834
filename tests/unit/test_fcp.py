"""cos 2.2: file control parameters, what CREATE FILE takes and what SELECT gives back."""

import pytest
from cos_bureau import directory_fcp, fcp, key_fcp
from hypothesis import given
from hypothesis import strategies as st

from sscard.cos.fcp import describe, request
from sscard.cos.objects import HEADER_SIZE, FileHeader, Kind
from sscard.cos.refusal import Refusal
from sscard.cos.tree import FileNode, mount
from sscard.iso.sw import SW
from sscard.iso.tlv import encode, parse

WORDS = st.sampled_from((0x0000, 0xFFFF, 0x8F00, 0xCF00, 0x8400, 0xC184, 0xC1A4))
FIDS = st.integers(1, 0xFFFE).filter(lambda fid: fid not in (0x3F00, 0x3FFF))


def words(number):
    return st.lists(WORDS, min_size=number, max_size=number).map(
        lambda found: b"".join(word.to_bytes(2) for word in found)
    )


@st.composite
def working_files(draw):
    """(kind, objects of the FCP in the order of cos 2.2) of a working or internal EF."""
    kind = draw(st.sampled_from([kind for kind in Kind if kind not in (Kind.DIRECTORY, Kind.KEY)]))
    tags = {}
    if kind in (Kind.TRANSPARENT, Kind.INTERNAL):
        tags[0x82] = bytes((kind,))
        tags[0x83] = draw(FIDS).to_bytes(2)
        tags[0x80] = draw(st.integers(1, 0xFFFF)).to_bytes(2)
    else:
        length, count = draw(st.integers(1, 255)), draw(st.integers(1, 254))
        tags[0x82] = bytes((kind, 0x21)) + length.to_bytes(2) + bytes((count,))
        tags[0x83] = draw(FIDS).to_bytes(2)
        capacity = length * count
        if kind in (Kind.LINEAR_VARIABLE, Kind.LINEAR_TLV):
            capacity = draw(st.integers(1, 0xFFFF))
        tags[0x80] = capacity.to_bytes(2)
    tags[0x88] = bytes((draw(st.integers(1, 30)) << 3,))
    tags[0x86] = draw(words(3)) + draw(st.binary(min_size=2, max_size=2))
    return tags


@st.composite
def directories(draw):
    tags = {0x82: b"\x38", 0x83: draw(FIDS).to_bytes(2)}
    tags[0x84] = draw(st.binary(min_size=5, max_size=16))
    tags[0x81] = draw(st.integers(0, 0xFFFFFF)).to_bytes(3)
    tags[0x86] = draw(words(3))
    return tags


def template(tags):
    return encode(0x62, b"".join(encode(tag, value) for tag, value in tags.items()))


def created(parameters, domain=1, parent=0x2A40, suite=0):
    """The node a card would mount after creating a file from its FCP."""
    asked = request(parameters)
    header = asked.header(domain, parent, suite)
    assert FileHeader.parse(header.build()) == header
    assert len(asked.fresh_body()) == asked.body_length
    return FileNode(0x3000, header, asked.name)


def given_back(node, domain=1):
    [(tag, inner)] = parse(describe(domain, node))
    assert tag == 0x62
    return dict(parse(inner))


@given(tags=working_files())
def test_cos_2_2_an_ef_describes_itself_as_it_was_asked_for(tags):
    node = created(template(tags))
    assert given_back(node) == {**tags, 0x8A: b"\x05"}
    assert not node.damaged


@given(tags=directories())
def test_cos_2_2_an_adf_describes_itself_as_it_was_asked_for(tags):
    node = created(template(tags), suite=3)
    node.parent = node  # not a root: no A5
    assert given_back(node) == {**tags, 0x8A: b"\x05"}


@given(tags=directories(), code=st.sampled_from((1, 2)), suite=st.sampled_from((1, 2, 3)))
def test_cos_2_2_a_ddf_describes_itself_as_it_was_asked_for(tags, code, suite):
    environment = bytes((0xC0, 1, code, 0xC1, 1, suite))
    asked = request(template({**tags, 0xA5: environment}))
    assert (asked.domain, asked.suite) == (code, suite)
    node = FileNode(0x2A40, asked.header(code, 0, suite), asked.name)
    assert given_back(node, code) == {**tags, 0x8A: b"\x05", 0xA5: environment}


def test_cos_2_2_a_key_ef_describes_itself():
    node = created(key_fcp(16))
    assert given_back(node) == {
        0x82: bytes.fromhex("0C21002810"),
        0x83: bytes.fromhex("EF80"),
        0x86: bytes.fromhex("8F00FFFF"),
        0x8A: b"\x05",
    }


@pytest.mark.parametrize(("fid", "sfi"), [(0xEF05, 5), (0xEF1E, 30), (0xEF1F, 0), (0xEF20, 0)])
def test_cos_2_2_without_tag_88_the_sfi_is_in_the_fid(fid, sfi):
    assert request(fcp(1, fid, size=4)).sfi == sfi


def test_cos_2_2_tag_88_of_zero_is_no_sfi():
    assert request(fcp(1, 0xEF05, size=4, sfi=0)).sfi == 0


@pytest.mark.parametrize("kind", [Kind.LINEAR_FIXED, Kind.CYCLIC])
def test_cos_2_2_capacity_of_fixed_records_may_be_left_out(kind):
    asked = request(fcp(kind, 0xEF07, record=(10, 5)))
    assert (asked.capacity, asked.body_length) == (50, 52)
    assert request(fcp(kind, 0xEF07, record=(10, 5), size=50)) == asked


GOOD = {0x82: b"\x01", 0x83: b"\xef\x05", 0x80: b"\x00\x10", 0x86: bytes(8)}
GOOD_DF = {
    0x82: b"\x38",
    0x83: b"\xdf\x01",
    0x84: b"sample",
    0x81: b"\x00\x10\x00",
    0x86: bytes.fromhex("8F008F008F00"),
}
RECORDS = bytes.fromhex("0521001410")
MALFORMED = {
    "empty": b"",
    "not TLV": b"\x62",
    "two templates": template(GOOD) * 2,
    "another template": encode(0x6F, encode(0x82, b"\x01")),
    "no objects": encode(0x62, b""),
    "doubled": encode(0x62, template(GOOD)[2:] + encode(0x82, b"\x01")),
    "unknown tag": template({**GOOD, 0x85: b"\x00"}),
    "name of an EF": template({**GOOD, 0x84: b"sample"}),
    "quota of an EF": template({**GOOD, 0x81: b"\x00\x10\x00"}),
    "capacity of a DF": template({**GOOD_DF, 0x80: b"\x00\x10"}),
    "life cycle given": template({**GOOD, 0x8A: b"\x05"}),
    **{f"without {tag:02X}": template({t: v for t, v in GOOD.items() if t != tag}) for tag in GOOD},
    **{
        f"DF without {tag:02X}": template({t: v for t, v in GOOD_DF.items() if t != tag})
        for tag in GOOD_DF
    },
    "unknown kind": template({**GOOD, 0x82: b"\x03"}),
    "kind with records missing": template({**GOOD, 0x82: b"\x05"}),
    "transparent with records": template({**GOOD, 0x82: b"\x01\x21\x00\x14\x10"}),
    "not 21": template({**GOOD, 0x82: bytes.fromhex("0520001410")}),
    "no records": template({**GOOD, 0x82: bytes.fromhex("0521001400")}),
    "records of no length": template({**GOOD, 0x82: bytes.fromhex("0521000010")}),
    "FID of 1 byte": template({**GOOD, 0x83: b"\xef"}),
    "FID 3F00": template({**GOOD, 0x83: b"\x3f\x00"}),
    "FID 3FFF": template({**GOOD, 0x83: b"\x3f\xff"}),
    "FID FFFF": template({**GOOD, 0x83: b"\xff\xff"}),
    "FID 0000": template({**GOOD, 0x83: b"\x00\x00"}),
    "capacity 0": template({**GOOD, 0x80: b"\x00\x00"}),
    "capacity of 3 bytes": template({**GOOD, 0x80: b"\x00\x00\x10"}),
    "capacity disagrees": template({**GOOD, 0x82: bytes.fromhex("0221001410"), 0x80: b"\x00\x10"}),
    "SFI 31": template({**GOOD, 0x88: b"\xf8"}),
    "SFI not times 8": template({**GOOD, 0x88: b"\x29"}),
    "access of 6 bytes": template({**GOOD, 0x86: bytes(6)}),
    "access undefined": template({**GOOD, 0x86: bytes.fromhex("1234") + bytes(6)}),
    "access of a DF of 8 bytes": template({**GOOD_DF, 0x86: bytes(8)}),
    "name of 4 bytes": template({**GOOD_DF, 0x84: b"four"}),
    "name of 17 bytes": template({**GOOD_DF, 0x84: b"x" * 17}),
    "quota of 2 bytes": template({**GOOD_DF, 0x81: b"\x10\x00"}),
    "A5 of an EF": template({**GOOD, 0xA5: bytes.fromhex("C00101")}),
    "A5 unknown domain": template({**GOOD_DF, 0xA5: bytes.fromhex("C00103")}),
    "A5 unknown suite": template({**GOOD_DF, 0xA5: bytes.fromhex("C00101C10104")}),
    "A5 unknown tag": template({**GOOD_DF, 0xA5: bytes.fromhex("C20101")}),
    "A5 not TLV": template({**GOOD_DF, 0xA5: b"\xc0"}),
    "key EF by another FID": template({0x82: bytes.fromhex("0C21002810"), 0x83: b"\xef\x81",
                                       0x86: bytes.fromhex("8F00FFFF")}),
    "key EF of 65 slots": key_fcp(65),
    "key EF of no slots": template({0x82: bytes.fromhex("0C21002800"), 0x83: b"\xef\x80",
                                    0x86: bytes.fromhex("8F00FFFF")}),
    "key EF of other records": template({0x82: bytes.fromhex("0C21001810"), 0x83: b"\xef\x80",
                                         0x86: bytes.fromhex("8F00FFFF")}),
    "key EF with access of 8 bytes": template({0x82: bytes.fromhex("0C21002810"),
                                               0x83: b"\xef\x80", 0x86: bytes(8)}),
}  # fmt: skip


@pytest.mark.parametrize("fault", MALFORMED)
def test_cos_2_2_malformed_is_6a80(fault):
    with pytest.raises(Refusal) as refused:
        request(MALFORMED[fault])
    assert refused.value.sw == SW.WRONG_DATA


def test_cos_2_2_the_good_ones_are_good():
    assert request(template(GOOD)).kind == Kind.TRANSPARENT
    assert request(template(GOOD_DF)).kind == Kind.DIRECTORY
    assert request(template({**GOOD, 0x82: RECORDS})).kind == Kind.LINEAR_TLV


def answer_of(data: bytes) -> SW | None:
    """The status word that refuses an FCP, None for one that is taken."""
    try:
        request(data)
    except Refusal as refusal:
        return refusal.sw
    return None


def answer_to(data):
    """9000, or the status word of the refusal."""
    try:
        request(data)
    except Refusal as refusal:
        return refusal.sw
    return SW.OK


@given(data=st.binary(max_size=80))
def test_cos_2_2_noise_is_6a80_and_nothing_worse(data):
    for one in (data, encode(0x62, data)):
        assert answer_to(one) in (SW.OK, SW.WRONG_DATA)


def test_cos_2_5_what_was_asked_for_mounts_as_it_was_described():
    """Header and fresh body in an extent: the tree shows the same file."""
    memory = bytearray(b"\xff" * 64 * 8)
    root = request(directory_fcp(0xDDF1, b"rooted", 4096))
    memory[64:112] = root.header(1, 0, 3).build()
    memory[112:136] = root.fresh_body()
    parameters = fcp(6, 0xEF07, record=(10, 5))
    asked = request(parameters)
    memory[136 : 136 + HEADER_SIZE] = asked.header(1, 64, 0).build()
    memory[136 + HEADER_SIZE : 136 + HEADER_SIZE + 52] = asked.fresh_body()
    tree = mount(memory, 0, 8)
    assert [(node.fid, node.depth, node.damaged) for node in tree.nodes] == [
        (0xDDF1, 0, False),
        (0xEF07, 1, False),
    ]
    assert tree.nodes[0].name == b"rooted"
    assert given_back(tree.nodes[1])[0x82] == bytes.fromhex("0621000A05")
