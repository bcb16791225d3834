"""A bank terminal at work, for tests: real cards in memory, and a card on paper.

`PaperCard` is a port that answers what a test writes on it, signs with keys of a test CA, and
knows no rule of the terminal: with it a test sets every bit. `till` puts a card into a terminal.
"""

import random
from dataclasses import replace
from datetime import datetime
from functools import cache
from math import gcd, prod

from pse_desk import debit_card, risk

from sscard.card import Card, Link
from sscard.errors import TransportError
from sscard.iso.tlv import encode, parse
from sscard.keys.pboc import arpc, session_key
from sscard.keys.rsa import RsaKey, digest, recover
from sscard.spec.banking import Acknowledgement, AuthorisationResponse, ClearingResult
from sscard.spec.ca_keys import CaKey
from sscard.spec.pboc import DEBIT_AID, PSE_NAME, RID
from sscard.terminal.bank import POS, BankTerminal, KeyedPad
from sscard.transport.memory import MemoryPort, PoweredSlot

h = bytes.fromhex
AT = datetime(2026, 7, 1, 10, 30, 45)
UN = h("A1B2C3D4")
PAN = "6210950000000000017"

CA_11_7 = CaKey(
    RID,
    0x80,
    int(
        "AC21424B6D34741A6AF72EEB1F5E478AF32196496CF3C0E2365FA0D256CA40B45192DA547BE7DCDC1C9C9AA1"
        "68DEF63DD353141695A3671514904607296DB918472F2BAA03E06FF125529098B19EEE1D44398DB42CF5F099"
        "6FB017A07292B0C37C8EF5ADC0D509159A99D6525F583A781C89277E456AF763F3DD07C1AA819B03CACDC2F0"
        "A26861A892415D80B623F837",
        16,
    ),
    3,
)
"""The CA key of pse-pboc 11.7."""

PLAIN_PIN_POS = replace(POS, capabilities=h("E0A8C8"))
"""The terminal of pse-pboc 11.3: plaintext offline PIN, signature, no CVM."""


def unpredictable(size: int) -> bytes:
    """The bytes of 11.3, then x."""
    return UN[:size].ljust(size, b"x")


def port(card, link: Link = "apdu"):
    return MemoryPort(PoweredSlot(card, link=link)) if isinstance(card, Card) else card


def till(card, terminal=PLAIN_PIN_POS, *, pin="123456", link: Link = "apdu", **settings):
    """Return a terminal with a card in it: 11.3's random bytes, chance never strikes."""
    usual = {"pad": KeyedPad.of(pin), "random": unpredictable, "draw": lambda: 99}
    keys = settings.pop("ca_keys", (CA_11_7, test_ca()))
    return BankTerminal(port(card, link), terminal, keys, **(usual | settings))


def quiet(terminal=PLAIN_PIN_POS):
    """Return a terminal that has nothing against anything, up to 10,000.00."""
    return with_aid(
        terminal,
        floor_limit=1_000_000,
        tac_default=bytes(5),
        tac_denial=bytes(5),
        tac_online=bytes(5),
    )


def with_aid(terminal, **changes):
    """Return a terminal whose settings for its application are changed."""
    return replace(terminal, aids=(replace(terminal.aids[0], **changes),))


# ---- a CA, an issuer and a card of the tests' own ------------------------------------------------


_SMALL = prod(range(3, 400, 2))


def _prime(source: random.Random, bits: int) -> int:
    while True:
        found = source.getrandbits(bits) | 3 << bits - 2 | 1
        if found % 3 != 1 and gcd(found, _SMALL) == 1 and pow(2, found - 1, found) == 1:
            return found


@cache
def rsa_key(name: str, bits: int) -> RsaKey:
    """Return a key that only tests know, always the same one."""
    source = random.Random(name)
    return RsaKey.from_primes(_prime(source, bits // 2), _prime(source, bits // 2), 3)


CA, ISSUER, ICC, PIN_KEY = (
    rsa_key("ca", 1024),
    rsa_key("issuer", 1024),
    rsa_key("icc", 768),
    rsa_key("pin", 1024),
)


def test_ca() -> CaKey:
    """The CA key of paper cards, index 99."""
    return CaKey(RID, 0x99, CA.modulus, 3)


test_ca.__test__ = False


def block(fields: bytes, size: int, appended: bytes, *, header=0x6A, trailer=0xBC, spoil=False):
    """Return a block to sign; the keywords plant what a terminal must find."""
    filled = fields.ljust(size - 22, b"\xbb")
    hashed = digest(filled + appended + bytes(spoil))
    return bytes((header,)) + filled + hashed + bytes((trailer,))


def certificate(
    signer: RsaKey,
    holder: RsaKey,
    *,
    form=0x02,
    identifier="621095ff",
    expiry="1230",
    hash_id=1,
    key_id=1,
    static=b"",
    exponent=b"\x03",
    length=None,
    **plant,
):
    """Return certificate, remainder and exponent of a key."""
    modulus = holder.modulus.to_bytes(holder.size, "big")
    head = bytes((form,)) + h(identifier) + h(expiry) + h("123456")
    head += bytes((hash_id, key_id, holder.size if length is None else length, len(exponent)))
    room = signer.size - 22 - len(head)
    remainder = modulus[room:]
    fields = head + modulus[:room]
    signed = signer.sign(block(fields, signer.size, remainder + exponent + static, **plant))
    return signed, remainder, exponent


CDOL1 = h("9F02069F03069F1A0295055F2A029A039C019F3704")
CDOL2 = h("8A0295059F3704")

OBJECTS = {
    0x5A: h("6210950000000000017F"),
    0x5F24: h("301231"),
    0x5F25: h("200101"),
    0x5F28: h("0156"),
    0x5F34: h("00"),
    0x8C: CDOL1,
    0x8D: CDOL2,
    0x8E: bytes(8) + h("1F00"),
    0x9F07: h("FFC0"),
    0x9F08: h("0020"),
    0x9F42: h("0156"),
    0x9F49: h("9F3704"),
    0x9F4A: h("82"),
    0x9F0D: bytes(5),
    0x9F0E: bytes(5),
    0x9F0F: bytes(5),
}
"""A card that has nothing against anything: no CVM, action codes of zeros."""

AAC, TC, ARQC = 0x00, 0x40, 0x80


class PaperCard:
    """A card by its data: `objects` over `OBJECTS` (None leaves one out), AIP, what GET DATA has.

    `answers` are the kinds its GENERATE ACs give, `sw` status words by INS, `replace` whole
    answers by the beginning of a command in hex (bytes, or a function of the command).
    """

    def __init__(
        self, objects=None, *, aip="0800", data=None, answers=(TC,), name=DEBIT_AID, **more
    ):
        held = OBJECTS | (objects or {})
        self.objects = {tag: value for tag, value in held.items() if value is not None}
        self.aip, self.name = h(aip), name
        self.data = data or {}
        self.answers = list(answers)
        self.pin, self.tries = more.pop("pin", "1234"), more.pop("tries", 3)
        self.replace = more.pop("replace", {})
        self.fci = more.pop("fci", b"")
        self.plant = more.pop("plant", {})
        self.unsigned = more.pop("unsigned", b"")
        self.wrapped = more.pop("wrapped", None)
        assert not more, more
        self.log = []
        self.sent = b""
        self.challenge = b""
        self.resets = 0

    # ---- a port ----

    def reset(self):
        self.resets += 1
        return h("3B00")

    def close(self):
        self.log.append("close")

    def transmit(self, apdu):
        self.log.append(apdu.hex().upper())
        for start, answer in self.replace.items():
            if apdu.hex().upper().startswith(start):
                return answer(apdu) if callable(answer) else h(answer)
        found = getattr(self, f"_{apdu[1]:02x}", None)
        return h("6D00") if found is None else found(apdu)

    def commands(self, ins):
        return [line for line in self.log if line[2:4] == ins]

    # ---- the commands ----

    def _a4(self, apdu):
        wanted = apdu[5 : 5 + apdu[4]]
        if wanted == PSE_NAME or not self.name.startswith(wanted) or apdu[3]:
            return h("6A82")
        inner = encode(0x50, b"PAPER") + self.fci
        return encode(0x6F, encode(0x84, self.name) + encode(0xA5, inner)) + h("9000")

    def _a8(self, apdu):
        self.sent = apdu[7:-1]
        return encode(0x80, self.aip + h("0801010110010200")) + h("9000")

    @property
    def static(self):
        body = b"".join(encode(tag, value) for tag, value in self.objects.items())
        return body + (self.aip if self.objects.get(0x9F4A) == b"\x82" else b"")

    def _b2(self, apdu):
        if apdu[3] == 0x0C:
            body = b"".join(encode(tag, value) for tag, value in self.objects.items())
            return encode(0x70, body) + h("9000")
        parts = (self.certificates(), {0x93: self.ssad()} | self.icc())[apdu[2] - 1]
        body = b"".join(encode(tag, value) for tag, value in parts.items() if value)
        body += self.unsigned if apdu[2] == 1 else b""
        return encode(0x70, body) + h("9000")

    def _ca(self, apdu):
        tag = int.from_bytes(apdu[2:4], "big")
        if tag == 0x9F17 and 0x9F17 not in self.data:
            return encode(tag, bytes((self.tries,))) + h("9000")
        found = self.data.get(tag)
        return h("6A88") if found is None else encode(tag, found) + h("9000")

    def _84(self, apdu):
        self.challenge = h("1122334455667788")
        return self.challenge + h("9000")

    def _20(self, apdu):
        value = apdu[5 : 5 + apdu[4]]
        if apdu[3] == 0x88:
            key = PIN_KEY if 0x9F2D in self.icc() else ICC
            plain = key.decrypt(value)
            assert plain[0] == 0x7F
            assert plain[9:17] == self.challenge
            value = plain[1:9]
        if not self.tries:
            return h("6983")
        if value == h(f"2{len(self.pin)}{self.pin}".ljust(16, "F")):
            return h("9000")
        self.tries -= 1
        return h(f"63C{self.tries}")

    def _88(self, apdu):
        fields = h("050103020001")
        signed = block(fields, ICC.size, apdu[5:-1], **self.plant.get("dda", {}))
        return encode(0x80, ICC.sign(signed)) + h("9000")

    def _82(self, apdu):
        return h("9000")

    def _ae(self, apdu):
        kind = self.answers.pop(0)
        self.sent += apdu[5:-1]
        head = encode(0x9F27, bytes((kind,))) + h("9F36020001")
        tail = encode(0x9F10, h("07010103A4000001"))
        if not apdu[2] & 0x10 or kind & 0xC0 == AAC:
            return encode(0x80, bytes((kind,)) + h("0001") + b"C" * 8) + h("9000")
        plant = dict(self.plant.get("cda", {}))
        cid, hashed = (
            plant.pop("cid", kind),
            digest(self.sent + plant.pop("more", b"") + head + tail),
        )
        fields = h("050120020001") + bytes((cid,)) + b"S" * 8 + hashed
        signed = ICC.sign(block(fields, ICC.size, UN, **plant))
        return encode(0x77, head + encode(0x9F4B, signed) + tail) + h("9000")

    # ---- what it is signed with ----

    def certificates(self):
        signed, remainder, exponent = certificate(CA, ISSUER, **self.plant.get("issuer", {}))
        parts = {0x8F: h("99"), 0x90: signed, 0x92: remainder, 0x9F32: exponent}
        return parts | self.plant.get("without", {})

    def icc(self):
        plant = {"form": 4, "identifier": "6210950000000000017f", "static": self.static}
        made = certificate(ISSUER, ICC, **(plant | self.plant.get("icc", {})))
        parts = dict(zip((0x9F46, 0x9F48, 0x9F47), made, strict=True))
        if "pin" in self.plant:
            made = certificate(ISSUER, PIN_KEY, **(plant | {"static": b""} | self.plant["pin"]))
            parts |= zip((0x9F2D, 0x9F2F, 0x9F2E), made, strict=True)
        return parts | self.plant.get("without", {})

    def ssad(self):
        plant = {"dac": "DAC1", "static": self.static} | self.plant.get("sda", {})
        form, hash_id = plant.pop("form", 3), plant.pop("hash_id", 1)
        fields = bytes((form, hash_id)) + h(plant.pop("dac"))
        return ISSUER.sign(block(fields, ISSUER.size, plant.pop("static"), **plant))


STATIC_11_7 = h(
    "5A0A6210950000000000017F5F24033012315F25032001015F280201565F3401009F0702AB809F0D05D86004A800"
    "9F0E0500100000009F0F05D86004F8008E100000000000000000420341031E031F00"
)
"""Record 1 of SFI 2, the signed one, of the card of pse-pboc 11.3."""


def signed_card(aip="7D00", static=STATIC_11_7, ada="0000", **dgis):
    """Return an emulated card like that of section 11, signed anew by the tests' CA.

    It wants nothing online of its own accord; `dgis` as `debit_card` takes them.
    """
    issuer, remainder, exponent = certificate(CA, ISSUER)
    plant = {"form": 4, "identifier": "6210950000000000017f", "static": static + h(aip)}
    icc, icc_rest, icc_exponent = certificate(ISSUER, ICC, **plant)
    ssad = ISSUER.sign(block(h("0301DAC1"), ISSUER.size, static + h(aip)))
    records = {
        "0201": [(None, static)],
        "0301": [(0x8F, h("99")), (0x9F32, exponent), (0x92, remainder), (0x90, issuer)],
        "0302": [(0x9F46, icc), (0x9F47, icc_exponent), (0x9F48, icc_rest)],
        "0303": [(0x93, ssad)],
    }
    made = {f"dgi_{dgi}": _record(parts) for dgi, parts in records.items()}
    made |= {f"dgi_82{n:02}": part.hex() for n, part in enumerate(ICC.crt_parts(), 1)}
    made["dgi_9104"] = f"8202{aip}940C080101001001020118010300"
    made["dgi_0E01"] = risk(ada)
    return debit_card(**(made | dgis))


def _record(parts):
    body = b"".join(value if tag is None else encode(tag, value) for tag, value in parts)
    return encode(0x70, body).hex().upper()


assert recover(CA.modulus, 3, CA.sign(bytes(CA.size))) == bytes(CA.size)


class Bank:
    """A host as tests want it: what it answers, and what it was told.

    `authentication` is tag 91, None for a right one; `before` and `after` script templates;
    `down` counts the messages that do not get through, True for all.
    """

    def __init__(self, arc="00", *, authentication=None, before=(), after=(), balance=None,
                 down=False, spoil=False, issuer_data=None):  # fmt: skip
        self.arc, self.authentication = arc, authentication
        self.before, self.after, self.balance = before, after, balance
        self.down, self.spoil, self.issuer_data = down, spoil, issuer_data
        self.requests, self.completions, self.reversals, self.batches = [], [], [], []

    def _line(self):
        if self.down is True or self.down:
            self.down = self.down if self.down is True else self.down - 1
            raise TransportError("no line")

    def authorise(self, request):
        self._line()
        self.requests.append(request)
        data = self.issuer_data
        if data is None:
            parts = {0x91: (self._arpc(request),), 0x71: self.before, 0x72: self.after}
            data = b"".join(
                encode(tag, value) for tag, values in parts.items() for value in values if value
            )
        code = "A00001" if self.arc == "00" else ""
        return AuthorisationResponse(self.arc, "", data, code, self.balance)

    def _arpc(self, request):
        if self.authentication is not None:
            return self.authentication
        elements = dict(parse(request.icc))
        key = session_key(h("B92C67C30286B8C739D70B1BF6C7D510"), int(elements[0x9F36].hex(), 16))
        right = arpc(key, elements[0x9F26], self.arc.encode())
        return (bytes(8) if self.spoil else right) + self.arc.encode()

    def complete(self, completion):
        self._line()
        self.completions.append(completion)
        return Acknowledgement(accepted=True)

    def reverse(self, reversal):
        self._line()
        self.reversals.append(reversal)
        return Acknowledgement(accepted=True)

    def clear(self, batch):
        self._line()
        self.batches.append(batch)
        total = sum(item.amount_fen for item in batch.items)
        return ClearingResult(batch.batch, len(batch.items), total)

    @property
    def elements(self):
        """What the last request says of the transaction, by tag."""
        found = parse(self.requests[-1].icc)
        return {f"{tag:02X}": value.hex().upper() for tag, value in found}

    @property
    def script_results(self):
        return b"".join(self.completions[-1].script_results)
