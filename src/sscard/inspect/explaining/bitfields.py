"""Bit fields of PBOC in words: AIP, TVR, CVR, AUC, CID, CVM list, AFL, 9F10 (pse-pboc 2.6-5.1)."""

from collections.abc import Mapping

from sscard.inspect.explanation import Explanation
from sscard.spec.contactless import CTQ_BITS, PROCESSES_BITS, TTQ_BITS
from sscard.spec.pboc import ADA_BITS, AIP_BITS, CVR_BITS, TVR_BITS

__all__ = [
    "explain_ada",
    "explain_afl",
    "explain_aip",
    "explain_auc",
    "explain_cid",
    "explain_cvm_list",
    "explain_cvr",
    "explain_iad",
    "explain_tvr",
]

_CRYPTOGRAMS = ("AAC, declined", "TC, approved", "ARQC, online requested", "RFU")
_FIRST_AC = ("AAC", "TC", "ARQC", "RFU")
_SECOND_AC = ("AAC", "TC", "not requested", "RFU")
_REASONS = {
    1: "service not allowed",
    2: "PIN try limit exceeded",
    3: "issuer authentication failed",
}
_AUC_BITS = {
    (1, 8): "domestic cash",
    (1, 7): "international cash",
    (1, 6): "domestic goods",
    (1, 5): "international goods",
    (1, 4): "domestic services",
    (1, 3): "international services",
    (1, 2): "at ATMs",
    (1, 1): "at terminals other than ATMs",
    (2, 8): "domestic cashback",
    (2, 7): "international cashback",
}
_METHODS = {
    0x00: "fail",
    0x01: "plaintext offline PIN",
    0x02: "online PIN",
    0x03: "plaintext offline PIN and signature",
    0x04: "enciphered offline PIN",
    0x05: "enciphered offline PIN and signature",
    0x1E: "signature",
    0x1F: "none required",
    0x20: "identity document shown",
}
_WHEN = {
    0: "always",
    1: "at ATM cash",
    2: "if not cash",
    3: "if the terminal supports it",
    6: "if the amount is below X",
    7: "if the amount is above X",
    8: "if the amount is below Y",
    9: "if the amount is above Y",
}
_ALGORITHMS = {1: "3DES", 2: "SSF33", 4: "SM4"}
_IDD = {
    1: (("balance", 5), ("MAC", 4)),
    2: (("CTTA", 5), ("MAC", 4)),
    3: (("balance", 5), ("CTTA", 5), ("MAC", 4)),
    4: (("CTTA", 5), ("CTTAL", 5), ("MAC", 4)),
    5: (("available offline amount", 5), ("MAC", 4)),
}


def _bits(
    label: str, data: bytes, names: Mapping[tuple[int, int], str], size: int, ref: str
) -> Explanation:
    """Explain a bit field: one part for every bit that is set."""
    if len(data) != size:
        return Explanation(label, f"not {size} bytes", data, ref=ref)
    parts = []
    for index, byte in enumerate(data, 1):
        for bit in range(8, 0, -1):
            if byte >> (bit - 1) & 1:
                name = names.get((index, bit), "reserved")
                parts.append(Explanation(f"byte {index} b{bit}", name))
    return Explanation(label, "" if parts else "no bit set", data, tuple(parts), ref)


def explain_aip(data: bytes) -> Explanation:
    """Application interchange profile, tag 82."""
    return _bits("AIP", data, AIP_BITS, 2, "pse-pboc 5.1")


def explain_tvr(data: bytes) -> Explanation:
    """Terminal verification results, tag 95; the issuer action codes have the same bits."""
    return _bits("TVR", data, TVR_BITS, 5, "pse-pboc 2.7")


def explain_ada(data: bytes) -> Explanation:
    """Application default action, tag 9F52."""
    return _bits("ADA", data, ADA_BITS, 2, "pse-pboc 5.2")


def explain_ttq(data: bytes) -> Explanation:
    """Terminal transaction qualifiers, tag 9F66."""
    return _bits("TTQ", data, TTQ_BITS, 4, "pse-pboc 6.2")


def explain_ctq(data: bytes) -> Explanation:
    """Card transaction qualifiers, tag 9F6C."""
    return _bits("CTQ", data, CTQ_BITS, 2, "pse-pboc 6.2")


def explain_processes(data: bytes) -> Explanation:
    """Card additional processes, tag 9F68."""
    return _bits("card additional processes", data, PROCESSES_BITS, 4, "pse-pboc 6.2")


def explain_auc(data: bytes) -> Explanation:
    """Application usage control, tag 9F07."""
    return _bits("AUC", data, _AUC_BITS, 2, "pse-pboc 5.1")


def explain_cvr(data: bytes) -> Explanation:
    """Card verification results: the length byte 03 and three bytes."""
    ref = "pse-pboc 4.5"
    if len(data) != 4 or data[0] != 3:
        return Explanation("CVR", "not 03 and three bytes", data, ref=ref)
    parts = [
        Explanation("second GENERATE AC", _SECOND_AC[data[1] >> 6]),
        Explanation("first GENERATE AC", _FIRST_AC[data[1] >> 4 & 3]),
    ]
    for index, lowest, highest in ((2, 1, 4), (3, 1, 8), (4, 1, 4)):
        for bit in range(highest, lowest - 1, -1):
            if data[index - 1] >> (bit - 1) & 1:
                name = CVR_BITS.get((index, bit), "reserved")
                parts.append(Explanation(f"byte {index} b{bit}", name))
    parts.append(Explanation("script commands", str(data[3] >> 4)))
    return Explanation("CVR", "", data, tuple(parts), ref)


def explain_cid(data: bytes) -> Explanation:
    """Cryptogram information data, tag 9F27."""
    if len(data) != 1:
        return Explanation("CID", "not one byte", data, ref="pse-pboc 2.6")
    words = [_CRYPTOGRAMS[data[0] >> 6]]
    if data[0] & 0x08:
        words.append("advice required")
    if data[0] & 0x07:
        words.append(_REASONS.get(data[0] & 0x07, "reserved reason"))
    return Explanation("CID", ", ".join(words), data, ref="pse-pboc 2.6")


def explain_cvm_list(data: bytes) -> Explanation:
    """Cardholder verification method list, tag 8E."""
    ref = "pse-pboc 2.7"
    if len(data) < 8 or len(data) % 2:
        return Explanation("CVM list", "not two amounts and pairs", data, ref=ref)
    parts = [
        Explanation("amount X", str(int.from_bytes(data[:4], "big")), data[:4]),
        Explanation("amount Y", str(int.from_bytes(data[4:8], "big")), data[4:8]),
    ]
    for at in range(8, len(data), 2):
        code, condition = data[at], data[at + 1]
        words = _METHODS.get(code & 0x3F, f"method {code & 0x3F:02X}")
        words += f", {_WHEN.get(condition, f'condition {condition:02X}')}"
        words += "; if it fails the next" if code & 0x40 else "; if it fails all fail"
        parts.append(Explanation(f"rule {(at - 6) // 2}", words, data[at : at + 2]))
    return Explanation("CVM list", "", data, tuple(parts), ref)


def explain_afl(data: bytes) -> Explanation:
    """Application file locator, tag 94."""
    ref = "pse-pboc 2.7"
    if len(data) % 4:
        return Explanation("AFL", "not entries of 4 bytes", data, ref=ref)
    parts = []
    for at in range(0, len(data), 4):
        sfi, first, last, signed = data[at : at + 4]
        words = f"records {first} to {last}" if last > first else f"record {first}"
        words += f", {signed} of them signed" if signed else ""
        parts.append(Explanation(f"SFI {sfi >> 3:02X}", words, data[at : at + 4]))
    return Explanation("AFL", "", data, tuple(parts), ref)


def explain_iad(data: bytes) -> Explanation:
    """Issuer application data, tag 9F10."""
    ref = "pse-pboc 4.6"
    if len(data) < 8 or data[0] != 7:
        return Explanation("issuer application data", "not of the PBOC form", data, ref=ref)
    algorithm = _ALGORITHMS.get(data[7], "unknown")
    parts = [
        Explanation("DKI", "derivation key index", data[1:2]),
        Explanation("CVN", f"cryptogram version {data[2]:02X}", data[2:3]),
        explain_cvr(data[3:7]),
        Explanation("algorithm", algorithm, data[7:8]),
    ]
    if len(data) > 8:
        parts.append(_issuer_data(data[8:]))
    return Explanation("issuer application data", "", data, tuple(parts), ref)


def _issuer_data(data: bytes) -> Explanation:
    label = "issuer discretionary data"
    form = _IDD.get(data[1], ()) if len(data) > 1 else ()
    if data[0] != len(data) - 1 or sum(size for _, size in form) != len(data) - 2:
        return Explanation(label, "", data)
    parts, at = [], 2
    for name, size in form:
        parts.append(Explanation(name, "", data[at : at + size]))
        at += size
    return Explanation(label, f"type {data[1]:02X}", data, tuple(parts))
