"""A PSAM on a desk: APDUs as hex text over either link, answers fetched as a terminal would."""

from sscard.card import Card, Link
from sscard.perso.psam import PsamProfile
from sscard.sample import new_psam

SELECT = "00A4040006 D15600000590"
CSN8 = "86FE990100000001"
CITY, PROVINCE = "3939303130307378", "3939303030307368"
"""The factors of cos 0: card, city 990100, its province."""

NO_CARDS = {"cards": ""}
PROVINCE_KEYS = {  # cos 4.6, after PF
    "UK04": ("48", "12", "C2AF24BA962CBDA7FEC3A0A22A5B6577"),
    "IRK": ("48", "08", "F6BC56921596D5E64AF79C615ECBC7FA"),
    "STK": ("45", "09", "035DB79B8762AB9A8CD88BCA024CF548"),
    "DPK": ("42", "01", "A61133D3CB9D4CB31671F280F851C361"),
}


def listed(keys, algorithm="3des"):
    """Return the settings of a PSAM profile that give it these keys: usage, id, value by name."""
    settings = {}
    for name, (usage, number, value) in keys.items():
        row = {"usage": usage, "id": number, "value": value, "algorithm": algorithm}
        settings |= {f"key.{name}.{word}": item for word, item in row.items()}
    return settings


def psam_of(keys, algorithm="3des", **settings):
    """Return a PSAM with just these working keys."""
    named = {name.replace("__", "."): value for name, value in settings.items()}
    return new_psam(PsamProfile.load("psam", NO_CARDS | listed(keys, algorithm) | named))


class SamDesk:
    """One powered PSAM; `select` makes its application current."""

    def __init__(self, card: Card, *, link: Link = "apdu", select: bool = True) -> None:
        self.card = card
        self.link = link
        self.power = card.power_on(link)
        if select:
            self.ok(SELECT)

    def __call__(self, apdu: str) -> str:
        """Send a command; return data and status word, fetched with GET RESPONSE if they wait."""
        answer = self.power.transmit(bytes.fromhex(apdu))
        if answer[-2] == 0x61:
            answer = self.power.transmit(bytes((0, 0xC0, 0, 0, answer[-1])))
        return answer.hex().upper()

    def sw(self, apdu: str) -> str:
        """Send a command; return the status word alone."""
        return self(apdu)[-4:]

    def ok(self, *apdus: str) -> str:
        """Send commands that must succeed; return the data of the last."""
        answer = ""
        for apdu in apdus:
            answer = self(apdu)
            assert answer.endswith("9000"), f"{apdu} -> {answer}"
        return answer[:-4]

    def challenge(self, value: str) -> None:
        """GET CHALLENGE, with the value it is to be."""
        self.card.env.force_random(bytes.fromhex(value))
        self.ok(f"00840000{len(value.replace(' ', '')) // 2:02X}")

    def number(self) -> int:
        """The terminal transaction number as EF 0019 has it."""
        return int(self.ok("00B0990004"), 16)
