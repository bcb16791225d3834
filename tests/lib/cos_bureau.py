"""A personalisation bureau: holds keys, makes the commands that need them (cos 4, 6).

Challenges are the card's own unless forced. Cards it furnished are ready for the firewall,
robustness and status-word tests: two owned environments, files of every kind in the SSSE,
a few in the PSE.
"""

from functools import lru_cache

from cos_walk import CMK, EMK_P1, EMK_S2, SELECT_PSE, SELECT_SSSE, UK04, walked

from sscard.card import Activation, Card, Snapshot
from sscard.iso.apdu import Command
from sscard.iso.tlv import encode
from sscard.keys.line import line_mac, wrap
from sscard.keys.session import cryptogram, direct_cryptogram

TDES, DES, SM4 = 0, 1, 4
TRANSPARENT, FIXED, VARIABLE, TLV, CYCLIC, INTERNAL, KEYS = 1, 2, 4, 5, 6, 9, 0x0C
SSSE, PSE = 1, 2
SELECT = {SSSE: bytes.fromhex(SELECT_SSSE), PSE: bytes.fromhex(SELECT_PSE)}
MASTER_HEADER = "00 00 {version:02X} {algorithm:02X} 88 0F 00 00 8F 00 01 10"

STK = bytes.fromhex("94328072241EA789EBF094CC11DD9808")
UK_SM4 = bytes.fromhex("25B45D17B7B3D02E96B4EC5AAFBFFACC")
AMK = b"TEST-AMK-DF05-01"
ADF_KEY = b"TEST-ADF-KEY-083"
PIN = bytes.fromhex("123456")

ADF_OF = {SSSE: bytes.fromhex("D15600000505"), PSE: bytes.fromhex("A000000333010199")}
"""Names of the ADF each environment gets in `furnished`."""


def fcp(
    kind: int,
    fid: int,
    *,
    size: int = 0,
    record: tuple[int, int] = (0, 0),
    access: str = "0000 0000 0000 0000",
    sfi: int | None = None,
) -> bytes:
    """Return the FCP of an EF: record = (length, number), `access` three AC2 and the sm bytes."""
    length, count = record
    descriptor = bytes((kind,)) + (b"\x21" + length.to_bytes(2) + bytes((count,)) if count else b"")
    inner = encode(0x82, descriptor) + encode(0x83, fid.to_bytes(2))
    if sfi is not None:
        inner += encode(0x88, bytes((sfi << 3,)))
    if size:
        inner += encode(0x80, size.to_bytes(2))
    return encode(0x62, inner + encode(0x86, bytes.fromhex(access)))


def key_fcp(slots: int = 8, add: str = "8F00") -> bytes:
    """Return the FCP of a key EF."""
    return fcp(KEYS, 0xEF80, record=(40, slots), access=f"{add} FFFF")


def directory_fcp(
    fid: int, name: bytes, quota: int, access: str = "8F00 8F00 8F00", extra: bytes = b""
) -> bytes:
    """Return the FCP of an ADF, or with A5 as `extra` of a DDF."""
    inner = encode(0x82, b"\x38") + encode(0x83, fid.to_bytes(2)) + encode(0x84, name)
    inner += encode(0x81, quota.to_bytes(3)) + encode(0x86, bytes.fromhex(access))
    return encode(0x62, inner + extra)


def key_header(
    kind: int,
    identifier: int,
    *,
    length: int = 16,
    version: int = 1,
    algorithm: int = TDES,
    tries: int = 0x33,
    grant: int = 0xFF,
    use: int = 0,
    change: int = 0x8F00,
    flags: int = 1,
) -> bytes:
    """Return the 12-byte key header of cos 4.4."""
    front = bytes((kind, identifier, version, algorithm, tries, grant))
    return front + use.to_bytes(2) + change.to_bytes(2) + bytes((flags, length))


def master_header(version: int = 1, algorithm: int = TDES, tries: int = 0x88) -> bytes:
    """Return the header of a master key."""
    return key_header(0, 0, version=version, algorithm=algorithm, tries=tries, grant=15)


class Bureau:
    """One powered card and what is known about its keys."""

    def __init__(self, card: Card, *, link: str = "apdu") -> None:
        self.card = card
        self.power: Activation = card.power_on(link)

    def send(self, apdu: bytes | str) -> bytes:
        """Send a command, as bytes or hex text; return the answer."""
        return self.power.transmit(bytes.fromhex(apdu) if isinstance(apdu, str) else apdu)

    def sw(self, apdu: bytes | str) -> str:
        """Send a command; return the status word as four hex digits."""
        return self.send(apdu)[-2:].hex().upper()

    def data(self, apdu: bytes | str) -> bytes:
        """Send a command that must succeed; return its data."""
        answer = self.send(apdu)
        assert answer[-2:] == b"\x90\x00", answer[-2:].hex()
        return answer[:-2]

    def ok(self, *apdus: bytes | str) -> None:
        """Send commands that must succeed."""
        for apdu in apdus:
            assert self.sw(apdu) == "9000", apdu if isinstance(apdu, str) else apdu.hex(" ")

    def select(self, code: int) -> "Bureau":
        """Select an environment by name."""
        self.ok(SELECT[code])
        return self

    # --- commands that need a key ---------------------------------------------------------

    def challenge(self, length: int = 8, value: str = "") -> bytes:
        """GET CHALLENGE, with `value` forced if given; zeros if the card refuses."""
        if value:
            self.card.env.force_random(bytes.fromhex(value))
            length = len(bytes.fromhex(value))
        answer = self.send(bytes((0, 0x84, 0, 0, length)))
        return answer[:-2] or bytes(length)

    def proof(
        self,
        key: bytes,
        kid: int = 0,
        *,
        algorithm: int = TDES,
        session: bool = False,
        length: int = 8,
        version: bytes = b"",
    ) -> bytes:
        """Draw a challenge and return the EXTERNAL AUTHENTICATE that answers it."""
        challenge = self.challenge(length)
        if session:
            data = cryptogram(algorithm, key, challenge, challenge) + challenge + version
        else:
            data = direct_cryptogram(algorithm, key, challenge)
        return Command(0x00, 0x82, 0x00, kid, data).build()

    def prove(self, key: bytes, kid: int = 0, **form) -> str:
        """EXTERNAL AUTHENTICATE; return the status word."""
        return self.sw(self.proof(key, kid, **form))

    def protected(
        self,
        header: str,
        data: bytes,
        key: bytes,
        *,
        algorithm: int = TDES,
        encipher: bool = False,
        length: int = 4,
        value: str = "",
        le: int | None = None,
    ) -> bytes:
        """Draw a challenge and return a command with line protection in the form of cos 6.1."""
        challenge = self.challenge(length, value)
        if encipher:
            data = wrap(algorithm, key, data)
        front = bytes.fromhex(header)
        block = 16 if algorithm == SM4 else 8
        mac = line_mac(algorithm, key, challenge[:block], front + bytes((len(data) + 4,)) + data)
        return Command(*front, data + mac, le).build()

    def key_command(
        self,
        parent: bytes,
        header: bytes,
        value: bytes,
        *,
        replace: bool = False,
        algorithm: int = TDES,
        length: int = 4,
    ) -> bytes:
        """Return the WRITE KEY of a key under its parent (cos 4.3)."""
        return self.protected(
            f"84D40{int(replace)}00",
            header + value,
            parent,
            algorithm=algorithm,
            encipher=True,
            length=length,
        )

    def write_key(self, parent: bytes, header: bytes, value: bytes, **form) -> str:
        """WRITE KEY; return the status word."""
        return self.sw(self.key_command(parent, header, value, **form))

    def create(self, parameters: bytes) -> str:
        """CREATE FILE; return the status word."""
        return self.sw(Command(0x80, 0xE0, 0x00, 0x00, parameters).build())

    def act(self, ins: int, key: bytes) -> str:
        """END PERSONALISATION, ERASE, TERMINATE: a command of nothing but a MAC."""
        return self.sw(self.protected(f"84{ins:02X}0000", b"", key))


# --- cards --------------------------------------------------------------------------------------

SM_BOTH = "0000 0000 FFFF {read:02X} {write:02X}"
FILES = {
    "transparent": fcp(TRANSPARENT, 0xEF0A, size=64, sfi=10),
    "fixed": fcp(FIXED, 0xEF0B, record=(6, 4), sfi=11),
    "variable": fcp(VARIABLE, 0xEF0C, size=60, record=(20, 5), sfi=12),
    "TLV": fcp(TLV, 0xEF0D, size=60, record=(20, 5), sfi=13),
    "cyclic": fcp(CYCLIC, 0xEF0E, record=(5, 3), sfi=14),
    "internal": fcp(INTERNAL, 0xEF0F, size=32, sfi=15, access="FFFF FFFF FFFF 0000"),
    "guarded": fcp(TRANSPARENT, 0xEF10, size=48, sfi=16, access="8400 8400 FFFF 0000"),
    "never": fcp(TRANSPARENT, 0xEF11, size=8, sfi=17, access="FFFF FFFF FFFF 0000"),
    "MAC": fcp(TRANSPARENT, 0xEF12, size=64, sfi=18, access="0000 0000 FFFF 0082"),
    "enciphered": fcp(TRANSPARENT, 0xEF13, size=64, sfi=19, access="0000 0000 FFFF 00C2"),
    "answer MAC": fcp(TRANSPARENT, 0xEF14, size=64, sfi=20, access="0000 0000 FFFF A200"),
}
"""The files of the furnished SSSE, all in its DDF; UK04 has grant 4, the STK id 02."""


@lru_cache(maxsize=1)
def furnished() -> Snapshot:
    """Return a card whose environments are both OWNED, with keys, files and data.

    SSSE: the walk up to row 20, the `FILES`, an ADF DF05 with its own master key, a key 83 and
    a guarded file. PSE: a key EF with one more key, two record files, an ADF.
    """
    bureau = Bureau(walked("20").fork())
    bureau.select(SSSE)
    assert bureau.prove(EMK_S2) == "9000"
    for parameters in FILES.values():
        assert bureau.create(parameters) == "9000"
    for header, value in (
        (key_header(0x07, 0x02, tries=0xFF), STK),
        (key_header(0x01, 0x00, length=3, tries=0x66, grant=1), PIN),
        (key_header(0x0E, 0x00, tries=0xFF), UK04[::-1]),
        (key_header(0x0D, 0x05, grant=5, flags=3), UK04),
        (key_header(0x0D, 0x06, grant=6, algorithm=SM4), UK_SM4),
    ):
        assert bureau.write_key(EMK_S2, header, value) == "9000"
    bureau.ok(
        "00D68A0008 5353534500010203",
        "00E2005806 111111111111",
        "00E2005806 222222222222",
        "00E2006003 A1A2A3",
        "00E2006805 0103414243",
        "00E2007005 0102030405",
        "00E2007005 0607080910",
        "00D6900004 47554152",
    )
    assert bureau.create(directory_fcp(0xDF05, ADF_OF[SSSE], 2048)) == "9000"
    bureau.ok("00A4000002DF05")
    assert bureau.create(key_fcp(4)) == "9000"
    assert bureau.write_key(EMK_S2, master_header(), AMK) == "9000"
    assert bureau.prove(AMK) == "9000"
    assert bureau.write_key(AMK, key_header(0x0D, 0x83, grant=3), ADF_KEY) == "9000"
    guarded = fcp(TRANSPARENT, 0xEF06, size=16, access="8300 8300 FFFF 0000")
    assert bureau.create(guarded) == "9000"
    furnish_pse(bureau)
    return bureau.card.snapshot()


def furnish_pse(bureau: Bureau) -> None:
    """Give an OWNED PSE (EMK-P v1) a key, two record files and an ADF."""
    bureau.select(PSE)
    assert bureau.prove(EMK_P1) == "9000"
    assert bureau.create(fcp(VARIABLE, 0xEF02, size=200, record=(60, 6), sfi=2)) == "9000"
    assert bureau.create(fcp(FIXED, 0xEF03, record=(10, 3), sfi=3)) == "9000"
    assert bureau.write_key(EMK_P1, key_header(0x0D, 0x04, grant=4), UK04) == "9000"
    assert bureau.create(directory_fcp(0xDF05, ADF_OF[PSE], 1024)) == "9000"


@lru_cache(maxsize=1)
def operational() -> Snapshot:
    """Return the furnished card with both environments OPERATIONAL."""
    bureau = Bureau(furnished().fork())
    for code, key in ((SSSE, EMK_S2), (PSE, EMK_P1)):
        assert bureau.select(code).act(0x1C, key) == "9000"
    return bureau.card.snapshot()


@lru_cache(maxsize=1)
def created() -> Snapshot:
    """Return a card with an MF and two environments that have key EFs but no owner."""
    return walked("9a")


MASTER = {SSSE: EMK_S2, PSE: EMK_P1, 0: CMK}
"""The master keys of `furnished` and `operational`."""
