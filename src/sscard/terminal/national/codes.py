"""The return codes of the national reader interface and what they say (ssse-lb002 8, 3.11).

0 is success; a code of the list says what went wrong in reader, PSAM, PIN pad or arguments; any
other negative number is a status word of the card or the PSAM, as minus its decimal value.
"""

from enum import IntEnum
from types import MappingProxyType
from typing import Final

from sscard.iso.sw import SW

__all__ = ["Code", "code_of_sw", "describe"]


class Code(IntEnum):
    """The codes that are no status word."""

    OK = 0
    WRONG_CARD_TYPE = -1
    NO_CARD = -2
    NOT_POWERED = -3
    NO_RESPONSE = -4
    LIBRARY = -5
    READER = -11
    NOT_CONNECTED = -12
    UNSUPPORTED = -13
    ARGUMENT = -14
    CHECKSUM = -15
    CARD_ID_FORMAT = -20
    NOT_GENUINE = -21
    INPUT_DIFFERS = -22
    INPUT_ILLEGAL = -23
    KEY_LEVEL = -24
    PIN_CANCELLED = -31
    PIN_TIMEOUT = -32
    PIN_LENGTH = -33
    PIN_MISMATCH = -34
    PIN_INITIAL = -35
    PIN_TO_INITIAL = -36
    CRYPTO_CHARACTERS = -41
    CRYPTO_LENGTH = -42
    PIN_WRONG = -51
    PIN_LOCKED = -52
    NO_PSAM = -2201
    PSAM_ALGORITHM = -2202
    PSAM_NO_RK = -2203
    NO_HSM_NEEDED = -2204


_TEXTS: Final = MappingProxyType(
    {
        Code.OK: "成功",
        Code.WRONG_CARD_TYPE: "卡类型不对",
        Code.NO_CARD: "无卡",
        Code.NOT_POWERED: "有卡未上电",
        Code.NO_RESPONSE: "卡无应答",
        Code.LIBRARY: "加载动态库错",
        Code.READER: "读卡器连接错",
        Code.NOT_CONNECTED: "未建立连接",
        Code.UNSUPPORTED: "不支持该命令",
        Code.ARGUMENT: "命令参数错",
        Code.CHECKSUM: "信息校验和出错",
        Code.CARD_ID_FORMAT: "卡识别码格式错",
        Code.NOT_GENUINE: "内部认证失败",
        Code.INPUT_DIFFERS: "传入数据与卡内不符",
        Code.INPUT_ILLEGAL: "传入数据不合法",
        Code.KEY_LEVEL: "PSAM卡密钥级别不够",
        Code.PIN_CANCELLED: "用户取消密码输入",
        Code.PIN_TIMEOUT: "密码输入操作超时",
        Code.PIN_LENGTH: "输入密码长度错",
        Code.PIN_MISMATCH: "两次输入密码不一致",
        Code.PIN_INITIAL: "初始密码不能交易",
        Code.PIN_TO_INITIAL: "不能改为初始密码",
        Code.CRYPTO_CHARACTERS: "运算数据含非法字符",
        Code.CRYPTO_LENGTH: "运算数据长度错",
        Code.PIN_WRONG: "PIN校验失败",
        Code.PIN_LOCKED: "PIN锁定",
        Code.NO_PSAM: "无PSAM卡",
        Code.PSAM_ALGORITHM: "PSAM卡算法不支持",
        Code.PSAM_NO_RK: "PSAM卡内没有RKSSSE密钥",
        Code.NO_HSM_NEEDED: "不需要加密机认证",
    }
)
_WORDS: Final = MappingProxyType(
    {
        SW.WRONG_LENGTH: "Lc/Le不正确",
        SW.NOT_ACCEPTED: "命令不接受",
        SW.WRONG_FILE_KIND: "命令与文件结构不相符",
        SW.SECURITY_STATUS: "不满足安全条件",
        SW.BLOCKED: "密钥锁定",
        SW.NO_CHALLENGE: "引用数据无效、随机数无效",
        SW.CONDITIONS: "不满足使用条件、应用被锁定",
        SW.SM_WRONG: "安全报文数据项不正确",
        SW.WRONG_DATA: "数据域参数不正确",
        SW.NOT_SUPPORTED: "不支持该功能、卡被锁定",
        SW.FILE_NOT_FOUND: "未找到文件",
        SW.RECORD_NOT_FOUND: "未找到记录",
        SW.DATA_NOT_FOUND: "未找到密钥",
        SW.MAC_WRONG: "MAC无效",
        SW.PERMANENTLY_BLOCKED: "应用被永久锁定",
        SW.INSUFFICIENT_FUNDS: "余额不足",
        SW.COUNTER_LIMIT: "交易序号达到上限",
        SW.KEY_INDEX: "不支持消费交易",
        SW.MAC_NOT_AVAILABLE: "所需MAC不可用",
    }
)
"""The sourced list of ssse-lb002 3.11, and 9401."""
_TRIES = 0x63C0


def code_of_sw(sw: int) -> int:
    """Return a status word as a return code: 6982 is -27010."""
    return -int(sw)


def describe(code: int) -> str:
    """Return what a code says, in Chinese, a status word with its digits."""
    if code in _TEXTS:
        return _TEXTS[Code(code)]
    sw = SW(-code)
    if sw & 0xFFF0 == _TRIES:
        return f"外部认证失败，剩余次数{sw & 0x0F}次"
    return f"{_WORDS.get(sw, '卡返回错误')}（{sw}）"
