"""A terminal's end of the PSE for tests: cards of pse-pboc 11, transactions as hex text.

`debit_card` changes single DGIs of the shipped profile; a `Desk` speaks either link style, with
the GET RESPONSE and repeated Le of a contact terminal.
"""

from functools import lru_cache

from sscard.card import Card, Link, Snapshot
from sscard.perso.profile import Profile
from sscard.perso.script import script
from sscard.perso.steps import Steps, authenticate, write_key
from sscard.sample import blank_card, new_card

PSE = "00A404000E315041592E5359532E4444463031"
ADF = "00A4040008A000000333010101"
GPO = "80A80000028300"
UN = "A1B2C3D4"
PIN_OK, PIN_BAD = "002000800826123456FFFFFFFF", "002000800826999999FFFFFFFF"
DDA = f"0088000004{UN}"
ARQC, TC, AAC = 0x80, 0x40, 0x00
CDA = 0x10
GOOD_ARPC = "008200000A16E77895E0513B623030"
"""Over the ARQC of 11.4 alone."""

RISK = "9F510201569F520282409F5601809F570201569F360200009F130200005F340100"
"""DGI 0E01 of 11.8."""
LIMITS = "9F5801039F590107"
LOG_FORMAT = "9F4F199A039F21039F02069F03069F1A025F2A029F4E149C019F3602"


def risk(ada: str = "8240", *, mandatory: str = "80", last: str = "0000", atc: str = "0000") -> str:
    """Return a DGI 0E01 like that of 11.8 with another ADA, 9F56, 9F13 and 9F36."""
    return f"9F510201569F5202{ada}9F5601{mandatory}9F570201569F3602{atc}9F1302{last}5F340100"


def debit_card(**dgis: str | None) -> Card:
    """Return a fork of the `pboc` card with some DGIs of the ADF replaced: `dgi_0E01="..."`."""
    return _personalised(tuple(sorted(dgis.items()))).fork()


@lru_cache(maxsize=128)
def _personalised(changes: tuple[tuple[str, str | None], ...]) -> Snapshot:
    settings = {f"pse.df.DF01.{key.replace('_', '.')}": value for key, value in changes}
    return new_card("pboc", settings).snapshot()


class Desk:
    """One powered card."""

    def __init__(self, card: Card | None = None, *, link: Link = "apdu") -> None:
        self.card = debit_card() if card is None else card
        self.power = self.card.power_on(link)
        self.link = link

    def __call__(self, apdu: str) -> str:
        """Send a command as a terminal does; return data and status word, capitals."""
        command = bytes.fromhex(apdu)
        if self.link == "t0" and len(command) > 5 and len(command) == command[4] + 6:
            command = command[:-1]  # case 4: Le goes into GET RESPONSE
        answer = self.power.transmit(command)
        if answer[-2] == 0x6C:
            answer = self.power.transmit(command[:-1] + answer[-1:])
        data = b""
        while answer[-2] == 0x61:
            answer = self.power.transmit(bytes((0, 0xC0, 0, 0, answer[-1])))
            data += answer[:-2]
            answer = answer[-2:] if answer[-2] == 0x61 else data + answer[-2:]
        return answer.hex().upper()

    def sw(self, apdu: str) -> str:
        """Send a command; return the status word alone."""
        return self(apdu)[-4:]

    def data(self, apdu: str) -> str:
        """Send a command that must succeed; return its data."""
        answer = self(apdu)
        assert answer.endswith("9000"), f"{apdu} -> {answer}"
        return answer[:-4]

    def play(self, steps: Steps, *, until: str = "") -> None:
        """Send steps of personalisation, which must succeed, up to the one whose name begins so."""
        step = next(steps, None)
        while step is not None and not (until and step.name.startswith(until)):
            answer = self.power.transmit(step.apdu)
            assert answer[-2:] == b"\x90\x00", (step, answer.hex())
            try:
                step = steps.send(answer[:-2])
            except StopIteration:
                return

    def reset(self) -> "Desk":
        """Reset the card."""
        self.power.reset()
        return self

    # --- a transaction ----------------------------------------------------------------------

    def begin(self) -> "Desk":
        """SELECT the application and open a transaction."""
        self.select()
        self.data(GPO)
        return self

    def select(self) -> str:
        """SELECT the application; return the status word."""
        return self.sw(ADF)

    def ac(self, p1: int, **items: str) -> str:
        """GENERATE AC; `arc="3030"` makes it a second one. Return the whole answer."""
        return self(generate(p1, **items))

    def element(self, tag: str) -> str:
        """GET DATA; return the value, or the status word."""
        answer = self(f"80CA{tag}00")
        return answer[6:-4] if answer.endswith("9000") else answer

    def log(self, number: int = 1) -> str:
        """Read a log record; return the record, or the status word."""
        answer = self(f"00B2{number:02X}5C00")
        return answer[:-4] or answer


def before(until: str, *, perso: str = "native", options: dict | None = None, **dgis: str) -> Desk:
    """Return a desk in mid-personalisation of the `pboc` profile, before the step named so."""
    settings = {f"pse.{key.replace('_', '.')}": v for key, v in dgis.items()}
    profile = Profile.load("pboc", settings | (options or {}))
    desk = Desk(blank_card(profile))
    desk.play(script(profile, perso), until=until)
    return desk


def owner_authenticates() -> Steps:
    """The steps that prove EMK-P, in the directory."""
    master = Profile.load("pboc").pse.master
    return authenticate("EMK-P", master)


def owner_replaces(key_type: int) -> Steps:
    """The steps that write a key of the application once more."""
    pse = Profile.load("pboc").pse
    key = next(key for key in pse.directories[0].keys if key.type == key_type)
    return write_key(pse.master, key, replace=True)


def terminal_data(
    *,
    amount: str = "000000012345",
    country: str = "0156",
    tvr: str = "0000008000",
    currency: str = "0156",
    un: str = UN,
) -> str:
    """Return the CDOL1 data of 11.3, some items changed."""
    merchant = b"TEST MERCHANT 000001".hex().upper()
    return f"{amount}000000000000{country}{tvr}{currency}26070100{un}103045{merchant}"


def generate(p1: int, arc: str = "", **items: str) -> str:
    """Return a GENERATE AC, with `arc` a second one."""
    data = arc + terminal_data(**items)
    return f"80AE{p1:02X}00{len(data) // 2:02X}{data}00"


def cvr(answer: str) -> str:
    """Return the CVR of a GENERATE AC answer in format 1."""
    assert answer.startswith("80"), answer
    return answer[32:40]


def cid(answer: str) -> str:
    """Return the CID of a GENERATE AC answer in format 1."""
    assert answer.startswith("80"), answer
    return answer[4:6]


def cryptogram(answer: str) -> str:
    """Return the cryptogram of a GENERATE AC answer in format 1."""
    return answer[10:26]


def data_file(card: Card) -> int:
    """Return the address of the content of the debit application's EF90."""
    tree = card._mounted().extents[2].tree
    adf = next(node for name, node in tree.directories.items() if name.startswith(b"\xa0"))
    found = adf.child(0xEF90)
    assert found is not None
    return found.body
