"""The social security environment as data: directories, files, data items (ssse-lb002 2).

The tables of three generations of the specification. They describe the specification, not a
card: what a card of a region really has is its profile. The keys are in `sscard.keys.hierarchy`.
Access rules are written as in ssse-lb002 4.4: `F` free, `N` never, `PIN`, `PIN|K88`, `PIN&K84`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sscard.spec.items import Item, parse_items

__all__ = [
    "ITEM_NAMES",
    "RID",
    "SSSE_FID",
    "SSSE_NAME",
    "V1",
    "V2",
    "V3",
    "VERSIONS",
    "Directory",
    "Ef",
]

SSSE_FID: Final = 0xDDF1
SSSE_NAME: Final = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
"""DF name of the environment: "sx1.sh." and 社会保障 in GBK."""
RID: Final = bytes.fromhex("D156000005")
"""Registered identifier of the social security application; also in the card identification."""


class Ef(NamedTuple):
    """A file of the specification.

    `kind` as in `codes.KINDS`. `items` are one per record of a TLV file, the fields of one
    record of a cyclic file. `size` counts bytes of a transparent or internal file, `records`
    the records of a cyclic one. `sfi` None: the low five bits of the FID; 0: none.
    """

    fid: int
    kind: str
    chinese: str
    english: str
    read: str
    update: str
    items: tuple[Item, ...] = ()
    size: int = 0
    records: int = 0
    sfi: int | None = None


class Directory(NamedTuple):
    """The SSSE itself or a DF below it, its files in order of creation; `quota` 0: none."""

    fid: int
    name: bytes
    chinese: str
    english: str
    files: tuple[Ef, ...]
    quota: int = 0


def _tlv(fid: int, chinese: str, english: str, read: str, update: str, items: str) -> Ef:
    return Ef(fid, "tlv", chinese, english, read, update, parse_items(items))


def _cyclic(
    fid: int, chinese: str, english: str, read: str, update: str, records: int, items: str
) -> Ef:
    return Ef(fid, "cyclic", chinese, english, read, update, parse_items(items), records=records)


def _binary(fid: int, chinese: str, english: str, read: str, update: str, size: int) -> Ef:
    return Ef(fid, "transparent", chinese, english, read, update, size=size)


_ISSUER = "01 b 10, 02 an 01, 03 an 04, 04 cn 0C, 05 cn 04, 06 cn 04, 07 an 09"
_HOLDER_V1 = "08 an 12, 09 an 1E, 0A an 01, 0B cn 01, 0C cn 03, 0D cn 04"
_HOLDER = "08 an 12, 09 an 1E, 4E an 14, 0A an 01, 0B cn 01, 0C cn 03, 0D cn 04"
_EDUCATION = "{57 an 03, 58 cn 03, 59 an 28}"
_JOBS = "an 07, cn 04, cn 04, an 46"
_DEBITS = "b 02, an 01, cn 06, cn 07, hex 04, hex 04, hex 04"

_EF05 = _tlv(0xEF05, "发卡机构数据", "issuer and card data", "F", "K04", _ISSUER)
_EF06 = _tlv(0xEF06, "持卡人基本信息", "holder data", "F", "K04", _HOLDER)
_EF0D = _tlv(
    0xEF0D,
    "人员识别",
    "person identification",
    "F",
    "K0D",
    "EA an 0C, EB cn 03, EC an 01, ED an 01",
)

_ACCOUNT = Ef(0xEF81, "internal", "医疗账户", "medical account", "N", "N", size=0x1F, sfi=0)

_PIN_88 = "PIN|K88"
_PIN_84 = "PIN|K84"

_DF01 = (
    _tlv(0xEF05, "户籍", "household register", _PIN_88, "K83", "20 an 02, 21 an 50, 0E cn 03"),
    _tlv(
        0xEF06,
        "常住地",
        "residence",
        _PIN_88,
        "K86",
        "23 an 50, 24 cn 03, 28 an 0F, 2C an 32, 2D an 0F",
    ),
    _tlv(0xEF07, "个人状况", "personal status", _PIN_88, "K84", "29 an 01"),
    _tlv(0xEF08, "婚姻", "marital status", _PIN_88, "K85", "2B an 01"),
    _tlv(0xEF09, "身份及单位", "employer", _PIN_88, "K84", "2E an 46, 30 an 09, 32 an 02"),
    _tlv(
        0xEF0A,
        "国籍政治面貌",
        "nationality and affiliation",
        _PIN_88,
        "K87",
        "37 an 03, 38 an 02, 39 cn 04",
    ),
    _tlv(0xEF15, "学历", "education", _PIN_88, "K89", f"2A cn 01, 3* 40 {_EDUCATION}"),
    _binary(0xEF16, "保留一", "reserved 1", "F", "K8A", 0x128),
    _binary(0xEF17, "保留二", "reserved 2", "F", "K8B", 0x128),
    _binary(0xEF18, "保留三", "reserved 3", "F", "K8C", 0x128),
    _binary(0xEF19, "保留四", "reserved 4", "F", "K8D", 0x128),
    _binary(0xEF1A, "保留五", "reserved 5", "F", "K8E", 0x128),
)
_DF02 = (
    _tlv(
        0xEF05,
        "职业技能",
        "professional skills",
        _PIN_88,
        "K83",
        "42 an 03, 41 an 03, 2* 43 {5A an 07, 5B an 01, 5C an 46, 5D cn 04, 5E an 10}, "
        "2* 44 {33 an 03, 34 an 46, 35 cn 04, 36 an 10}",
    ),
    _tlv(
        0xEF06,
        "就业状况",
        "employment status",
        _PIN_88,
        "K84",
        "4C cn 04, 4B an 05, 4D cn 03, 60 cn 04, 4F an 06, 50 cn 03, 3A an 07",
    ),
    _cyclic(0xEF07, "就业记录", "employment record", _PIN_88, "K85", 4, _JOBS),
    _tlv(
        0xEF09,
        "就业失业登记证",
        "employment registration certificate",
        _PIN_88,
        "K86",
        "55 an 10, 56 an 46, 96 cn 04, 97 cn 03",
    ),
    _tlv(
        0xEF15,
        "就业援助",
        "employment assistance",
        _PIN_88,
        "K87",
        "4* 99 {10 an 03, 11 cn 04, 12 cn 03}, 0F cn 04, 1F cn 03",
    ),
    _cyclic(
        0xEF16,
        "扶持政策享受",
        "support policies used",
        _PIN_88,
        "K89",
        4,
        "an 03, cn 04, cn 04, cn 04, cn 03",
    ),
)
_DF03 = (
    _tlv(
        0xEF05,
        "失业保险",
        "unemployment insurance",
        "PIN|K85",
        "K86",
        "61 cn 03, 60 cn 04, 98 cn 04, 62 cn 04, 63 an 03, 64 an 03, 65 an 03, 66 an 03",
    ),
    _tlv(
        0xEF06,
        "劳动能力鉴定",
        "assessment of working capacity",
        _PIN_84,
        "K87",
        "45 an 14, 46 an 02, 47 an 02, 48 an 01, 49 an 01, 67 cn 04, 6B an 3C, "
        "3* 4A {13 an 02, 14 an 01, 15 an 14, 16 cn 04, 17 an 3C}",
    ),
    _tlv(
        0xEF07,
        "养老保险",
        "pension insurance",
        _PIN_84,
        "K88",
        "70 an 03, 71 cn 03, 6E cn 04, 6C cn 04, 6F cn 04, 73 cn 04",
    ),
    _tlv(0xEF15, "工伤", "work injury", _PIN_84, "K89", "7A cn 03, 7B cn 04, 7C cn 04"),
    _tlv(0xEF16, "生育", "maternity", _PIN_84, "K8A", "51 cn 03, 5F an 01"),
    _tlv(0xEF17, "", "", _PIN_84, "K8B", "3B an 14, 3C an 46, 3D an 01, 3E cn 04, 3F an 3C"),
    _tlv(0xEF18, "", "", _PIN_84, "K8C", "74 an 03, 75 cn 03, 76 cn 01, 77 cn 04, 78 cn 04"),
    _tlv(
        0xEF19,
        "",
        "",
        _PIN_84,
        "K8D",
        "4* 79 {18 an 03, 19 cn 03, 1A cn 04, 1B cn 04, 1C dec 04, 1D an 03, 1E cn 04}",
    ),
)
_DF04 = (
    _tlv(
        0xEF05,
        "医疗保险基本信息",
        "medical insurance",
        _PIN_84,
        "K85",
        "81 an 08, 84 cn 03, 87 an 11, 8C cn 01, 80 cn 04, 8B an 1D, 8A an 0F, 83 an 09, "
        "86 an 09, 89 an 09, 7D an 09, 7E an 09, 7F an 09, 8D an 09, 8E an 09, 8F an 01",
    ),
    _tlv(
        0xEF06,
        "临时脱网结算",
        "offline settlement",
        "PIN&K84",
        "K86",
        "90 an 01, 92 dec 04, 93 an 02",
    ),
    _cyclic(0xEF08, "消费交易明细", "debit log", "PIN", "N", 30, _DEBITS),
    _cyclic(0xEF15, "特殊病种", "special illnesses", _PIN_84, "K86", 8, "b 02, an 01"),
    _ACCOUNT,
)
_DF05 = (
    _tlv(
        0xEF05,
        "人事与人才",
        "personnel and talent",
        "PIN",
        "K83",
        "A0 an 01, A1 an 01, B9 an 01, A2 an 04, A9 cn 01, 5* A3 {A5 an 10, A6 an 04}, "
        "5* A4 {A7 an 10, A8 an 03}, BA an 14, BB an 64, AA an 14, AB cn 04, AC an 01, "
        "AD an 01, AE an 01, AF an 01, B0 an 01, B1 an 01, B2 an 01, B3 an 01, B4 an 01, "
        "B5 an 01, B6 an 01, B7 an 01, BC an 01, B8 an 28",
    ),
)
_DF06 = (
    _tlv(
        0xEF05,
        "",
        "",
        "PIN",
        "K85",
        "C0 an 46, C2 an 09, C3 {E3 cn 01, E4 cn 04, E5 cn 04, E6 cn 04, E7 cn 03}, "
        "C4 {E3 cn 01, E4 cn 04, E5 cn 04, E6 cn 04, E7 cn 03}, "
        "C5 {E3 cn 01, E4 cn 04, E5 cn 04, E6 cn 04, E7 cn 03}",
    ),
    _tlv(
        0xEF06,
        "",
        "",
        "PIN",
        "K86",
        "C6 an 46, C8 an 09, C9 cn 01, CA cn 04, CB cn 04, CC cn 04, CD cn 02, CE cn 01, "
        "CF cn 04, D0 cn 04, D1 cn 04, D2 cn 03, D3 cn 01, D4 cn 04, D5 cn 04, D6 cn 04, "
        "D7 cn 03, D8 cn 01, D9 cn 04, DA cn 04, DB cn 04, DC cn 04, DD cn 04, DE cn 04, "
        "DF cn 03, E0 cn 03, E1 cn 02, E2 cn 02",
    ),
)
_DF07 = (
    _tlv(0xEF05, "", "", "K83", "K86", "F0 an 02, F1 an 01, F2 cn 04, F3 an 03, F4 cn 04"),
    _tlv(0xEF06, "", "", "K84", "K87", "F5 an 03, F6 cn 04, F7 an 46"),
    _tlv(0xEF07, "", "", "K85", "K88", "F8 cn 04, F9 an 01"),
)

_ENVIRONMENT = Directory(
    SSSE_FID,
    SSSE_NAME,
    "社会保障",
    "social security environment",
    (
        _EF05,
        _EF06,
        _binary(0xEF07, "指纹", "fingerprint", "K0A", "K04", 0x400),
        _binary(0xEF08, "照片", "photo", "K0A", "K04", 0x1000),
        _EF0D,
    ),
    0xA000,
)

V2: Final[tuple[Directory, ...]] = (
    _ENVIRONMENT,
    Directory(0xDF01, RID + b"\0", "公共应用", "public application", _DF01, 4096),
    Directory(0xDF02, RID + b"\1", "就业与失业", "employment and unemployment", _DF02, 2560),
    Directory(0xDF03, RID + b"\2", "社会保险1", "social insurance 1", _DF03, 2560),
    Directory(0xDF04, RID + b"\3", "社会保险2", "social insurance 2 (medical)", _DF04, 2560),
    Directory(0xDF05, RID + b"\4", "人事与人才", "personnel and talent", _DF05, 1024),
    Directory(0xDF06, RID + b"\5", "", "optional extension", _DF06, 1024),
    Directory(0xDF07, RID + b"\6", "", "key-protected extension", _DF07, 1024),
)
"""Second generation, with EF0D (ssse-lb002 2.3, 2.4)."""

V3: Final[tuple[Directory, ...]] = (
    _ENVIRONMENT._replace(
        files=(_EF05, _EF06._replace(read="K0A"), *_ENVIRONMENT.files[2:]),
    ),
    *V2[1:],
)
"""Third generation: as the second, but holder data want RK_SSSE (ssse-lb002 2.3)."""

V1: Final[tuple[Directory, ...]] = (
    _ENVIRONMENT._replace(
        files=(
            _EF05,
            _EF06._replace(items=parse_items(_HOLDER_V1)),
            _binary(0xEF07, "指纹", "fingerprint", "F", "K04", 0x300),
        )
    ),
    Directory(
        0xDF01,
        RID + b"\0",
        "公共应用",
        "public application",
        (
            _tlv(
                0xEF05, "户籍", "household register", "PIN", "K83", "20 an 01, 21 an 3E, 22 an 12"
            ),
            _tlv(
                0xEF06,
                "常住地",
                "residence",
                "PIN",
                "K86",
                "25 an 3E, 26 an 12, 27 cn 03, 28 an 0F",
            ),
            _tlv(0xEF07, "个人状况", "personal status", _PIN_84, "K84", "29 an 01"),
            _tlv(0xEF08, "婚姻", "marital status", "PIN", "K85", "2B an 01"),
            _tlv(
                0xEF09,
                "身份及单位",
                "employer",
                _PIN_84,
                "K84",
                "2E an 3E, 2F an 08, 30 an 09, 31 an 01, 32 an 03",
            ),
            _tlv(0xEF0A, "", "wage", "PIN", "K87", "37 dec 04, 38 dec 04, 39 cn 04"),
        ),
    ),
    Directory(
        0xDF02,
        RID + b"\1",
        "就业与失业",
        "employment and unemployment",
        (
            _tlv(
                0xEF05,
                "职业技能",
                "professional skills",
                "PIN",
                "K83",
                f"40 {_EDUCATION}, 41 {_EDUCATION}, 42 cn 03, "
                "43 {5A cn 07, 5B cn 01, 5C an 09, 5D cn 04}, "
                "44 {5A cn 07, 5B cn 01, 5C an 09, 5D cn 04}",
            ),
            _tlv(
                0xEF06,
                "就业状况",
                "employment status",
                _PIN_84,
                "K84",
                "4B cn 04, 4C cn 04, 60 cn 04, 4D cn 04, 4F cn 04, 50 cn 04, 3A an 07",
            ),
            _cyclic(0xEF07, "就业记录", "employment record", "PIN|K85", "K85", 4, _JOBS),
            _tlv(
                0xEF08,
                "",
                "migrant registration card",
                "PIN|K86",
                "K86",
                "52 cn 0A, 53 an 3E, 94 an 08, 54 cn 04",
            ),
            _tlv(
                0xEF09,
                "",
                "migrant permit",
                "PIN|K87",
                "K87",
                "55 cn 0A, 56 an 3E, 95 an 08, 96 cn 04, 97 cn 04",
            ),
        ),
    ),
    Directory(
        0xDF03,
        RID + b"\2",
        "社会保险1",
        "social insurance 1",
        (
            _tlv(
                0xEF05,
                "失业保险",
                "unemployment insurance",
                "PIN&K84",
                "K86",
                "60 cn 04, 98 cn 04, 61 dec 04, 62 cn 04, 63 an 03, 64 an 03, 65 dec 03, 66 dec 03",
            ),
            _tlv(0xEF06, "", "", "PIN", "K87", "67 cn 04, 68 an 3E, 69 an 3E, 6A an 10, 6B an 3C"),
            _tlv(
                0xEF07,
                "养老保险",
                "pension insurance",
                "PIN&K84",
                "K88",
                "6C cn 04, 6D dec 04, 6E cn 04, 6F cn 04, 70 an 03, 71 dec 04, 72 dec 04, 73 cn 04",
            ),
        ),
    ),
    Directory(
        0xDF04,
        RID + b"\3",
        "社会保险2",
        "social insurance 2 (medical)",
        (
            _tlv(
                0xEF05,
                "医疗保险基本信息",
                "medical insurance",
                "PIN",
                "K85",
                "80 cn 04, 81 an 3E, 82 an 08, 83 an 09, 84 an 3E, 85 an 08, 86 an 09, 87 an 3E, "
                "88 an 08, 89 an 09, 8A an 0F, 8B an 0A, 8C an 01, 8F an 01",
            ),
            _tlv(
                0xEF06,
                "临时脱网结算",
                "offline settlement",
                "PIN&K84",
                "K86",
                "90 dec 04, 92 dec 04, 93 dec 04",
            ),
            _cyclic(0xEF08, "消费交易明细", "debit log", "PIN", "N", 10, _DEBITS),
            _ACCOUNT,
        ),
    ),
)
"""First generation, LB 002-2000 (ssse-lb002 2.3, 2.5); quotas are those of its profile."""

VERSIONS: Final[Mapping[str, tuple[Directory, ...]]] = MappingProxyType(
    {"v1": V1, "v2": V2, "v3": V3}
)

ITEM_NAMES: Final[Mapping[tuple[int, int], tuple[str, str]]] = MappingProxyType(
    {
        (SSSE_FID, 0x01): ("卡识别码", "card identification code"),
        (SSSE_FID, 0x02): ("卡的类别", "card category"),
        (SSSE_FID, 0x03): ("规范版本", "specification version"),
        (SSSE_FID, 0x04): ("初始化机构编号", "initialising organisation"),
        (SSSE_FID, 0x05): ("发卡日期", "date of issue"),
        (SSSE_FID, 0x06): ("卡有效期", "date of expiry"),
        (SSSE_FID, 0x07): ("卡号", "card number"),
        (SSSE_FID, 0x08): ("社会保障号码", "social security number"),
        (SSSE_FID, 0x09): ("姓名", "name"),
        (SSSE_FID, 0x4E): ("姓名扩展", "name extension"),
        (SSSE_FID, 0x0A): ("性别", "sex"),
        (SSSE_FID, 0x0B): ("民族", "ethnic group"),
        (SSSE_FID, 0x0C): ("出生地", "place of birth"),
        (SSSE_FID, 0x0D): ("出生日期", "date of birth"),
        (SSSE_FID, 0xEA): ("人员识别号", "person identification number"),
        (SSSE_FID, 0xEB): ("初次申领地", "region of first application"),
        (0xDF01, 0x28): ("", "telephone"),
        (0xDF01, 0x2E): ("", "name of employer"),
        (0xDF01, 0x30): ("", "organisation code"),
        (0xDF04, 0x92): ("", "amount"),
    }
)
"""Chinese and English names by (directory FID, tag), where the reference names an item."""
