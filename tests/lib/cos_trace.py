"""Random traces: sessions of the two environments, and a player that holds their keys.

A trace is data: resets, and sessions that select an environment and then do something there.
What a step sends depends only on the environment it is sent to, so that a trace with the other
environment's sessions left out sends the same commands (cos 3.6, NI-5).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from cos_bureau import (
    ADF_OF,
    PIN,
    PSE,
    SELECT,
    SSSE,
    STK,
    UK_SM4,
    Bureau,
    directory_fcp,
    fcp,
    key_fcp,
    key_header,
    master_header,
)
from cos_walk import EMK_P1, EMK_S2, UK04
from hypothesis import settings
from hypothesis import strategies as st

from sscard.card import Card, Snapshot
from sscard.cos.eeprom import Phase, Tear
from sscard.cos.layout import ExtentTable
from sscard.errors import PowerLoss

WRONG = b"TEST-NOBODYS-KEY"
NEW_MASTERS = (b"TEST-MASTER-NO-1", b"TEST-MASTER-NO-2")


def examples(count: int) -> settings:
    """Settings for `count` examples by default, in proportion more under the soak profile."""
    return settings(max_examples=count * settings.default.max_examples // 100)


class Step(NamedTuple):
    """Something to do in an environment: a name the player knows, and numbers."""

    what: str
    args: tuple[int, ...] = ()
    text: str = ""


class Session(NamedTuple):
    """Select environment `code`, then do the steps there."""

    code: int
    steps: tuple[Step, ...]


class Reset(NamedTuple):
    """A warm reset."""


class PowerCut(NamedTuple):
    """The next session's steps are torn at their `op`-th operation, if they get so far."""

    op: int
    phase: Phase
    seed: int


class Shelf(NamedTuple):
    """Take a snapshot (`put`) or go back to the last one taken."""

    put: bool


Event = Session | Reset | PowerCut | Shelf
Trace = Sequence[Event]


class Exchange(NamedTuple):
    """One command as it was answered."""

    command: bytes
    response: bytes
    session: int
    """The environment whose session it belongs to."""


class Player:
    """Plays traces on a card.

    `only` leaves out the sessions of other environments; `key` makes every cryptogram under
    one key, whatever it claims to be; `observe` is called around each command.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        only: Iterable[int] = (SSSE, PSE),
        key: bytes | None = None,
        observe: Callable[[Bureau, bytes, Callable[[], bytes]], bytes] | None = None,
        link: str = "apdu",
    ) -> None:
        self.bureau = Bureau(snapshot.fork(), link=link)
        self.only = set(only)
        self.key = key
        self.observe = observe
        self.masters = {SSSE: EMK_S2, PSE: EMK_P1}
        self.log: list[Exchange] = []
        self._shelf: tuple[Snapshot, dict[int, bytes]] | None = None
        self._tear: Tear | None = None
        self._code = 0
        self._plain_send = self.bureau.send
        self.bureau.send = self._send  # every command of the bureau passes here

    @property
    def card(self) -> Card:
        """The card in play."""
        return self.bureau.card

    def responses(self, session: int | None = None) -> list[bytes]:
        """The answers so far, or those of the sessions of one environment."""
        return [each.response for each in self.log if session in (None, each.session)]

    def extent(self, code: int) -> bytes:
        """The pages of an environment as they are now."""
        pages = extents(self.card.image)[code]
        return self.card.image[pages.start * 64 : pages.stop * 64]

    # --- playing ----------------------------------------------------------------------------

    def play(self, trace: Trace) -> "Player":
        """Play the events in order."""
        for event in trace:
            match event:
                case Session(code, steps):
                    if code in self.only:
                        self._session(code, steps)
                case Reset():
                    self.bureau.power.reset()
                case PowerCut():
                    self._tear = Tear(*event)
                case Shelf():
                    self._use_shelf(put=event.put)
        return self

    def _session(self, code: int, steps: Sequence[Step]) -> None:
        tear, self._tear = self._tear, None
        self._code = code
        if self.bureau.send(SELECT[code])[-2] not in (0x90, 0x61, 0x62):
            return
        if tear is not None:
            self.card.eeprom.arm(tear)
        try:
            for step in steps:
                self.step(code, step)
        except PowerLoss:
            self.log.append(Exchange(b"", b"torn", code))
            self.bureau.power = self.card.power_on()
        finally:
            self.card.eeprom.arm(None)

    def _use_shelf(self, *, put: bool) -> None:
        if put:
            self._shelf = (self.card.snapshot(), dict(self.masters))
        elif self._shelf is not None:
            snapshot, masters = self._shelf
            self.card.restore(snapshot)
            self.masters = dict(masters)
            self.bureau.power = self.card.power_on()

    def _send(self, apdu: bytes | str) -> bytes:
        raw = bytes.fromhex(apdu) if isinstance(apdu, str) else apdu
        if self.observe is None:
            response = self._plain_send(raw)
        else:
            response = self.observe(self.bureau, raw, lambda: self._plain_send(raw))
        self.log.append(Exchange(raw, response, self._code))
        return response

    # --- steps --------------------------------------------------------------------------------

    def step(self, code: int, step: Step) -> None:
        """Do one step in environment `code`, which is current."""
        getattr(self, "_" + step.what)(code, *step.args, *((step.text,) if step.text else ()))

    def _secret(self, honest: bytes, good: int = 1) -> bytes:
        return self.key if self.key is not None else honest if good else WRONG

    def _raw(self, code: int, text: str) -> None:
        self.bureau.send(bytes.fromhex(text))

    def _challenge(self, code: int, length: int) -> None:
        self.bureau.challenge(length)

    def _prove(self, code: int, good: int) -> None:
        self.bureau.prove(self._secret(self.masters[code], good))

    def _prove_key(self, code: int, kid: int, good: int) -> None:
        session = kid in (4, 5)
        key, algorithm = (UK_SM4, 4) if kid == 6 else (UK04, 0)
        self.bureau.prove(self._secret(key, good), kid, session=session, algorithm=algorithm)

    def _write_key(self, code: int, index: int, replace: int, good: int) -> None:
        header, value = WRITABLE[index]
        parent = self._secret(self.masters[code], good)
        self.bureau.write_key(parent, header, value, replace=bool(replace))

    def _new_master(self, code: int, which: int, good: int) -> None:
        value = NEW_MASTERS[which]
        parent = self._secret(self.masters[code], good)
        done = self.bureau.write_key(parent, master_header(2 + which), value, replace=True)
        if done == "9000":
            self.masters[code] = value

    def _create(self, code: int, index: int) -> None:
        self.bureau.create(creatable(code)[index])

    def _create_protected(self, code: int, index: int, good: int) -> None:
        key = self._secret(self.masters[code], good)
        self.bureau.send(self.bureau.protected("84E00000", creatable(code)[index], key))

    def _act(self, code: int, ins: int, good: int) -> None:
        self.bureau.act(ins, self._secret(self.masters[code], good))

    def _delete_protected(self, code: int, fid: int, good: int) -> None:
        key = self._secret(self.masters[code], good)
        self.bureau.send(self.bureau.protected("84E40000", fid.to_bytes(2), key))

    def _update_protected(self, code: int, sfi: int, encipher: int, good: int) -> None:
        self.bureau.send(
            self.bureau.protected(
                f"04D6{0x80 | sfi:02X}00",
                b"protected",
                self._secret(STK, good),
                encipher=bool(encipher),
            )
        )

    def _block(self, code: int, ins: int, p2: int, good: int) -> None:
        key = self._secret(STK, good)
        self.bureau.send(self.bureau.protected(f"84{ins:02X}00{p2:02X}", b"", key, length=8))


WRITABLE = (
    (key_header(0x0D, 0x09, grant=9), UK04[::-1]),
    (key_header(0x0D, 0x04, grant=4), UK04),
    (key_header(0x07, 0x02, tries=0xFF), STK),
    (key_header(0x0D, 0x0A, algorithm=4, grant=10), UK_SM4),
    (key_header(0x0D, 0x00), UK04),  # id 00 is the master key's: 6A80
)


def creatable(code: int) -> tuple[bytes, ...]:
    """What traces create: names differ between the environments (6A8A is card-wide)."""
    name = b"TRACE" + bytes((code,))
    return (
        fcp(1, 0xEF1A, size=40),
        fcp(5, 0xEF1B, size=100, record=(30, 4)),
        fcp(1, 0xEF1C, size=6000),
        fcp(6, 0xEF1D, record=(8, 3)),
        directory_fcp(0xDF0A, name, 400),
        key_fcp(2),
        fcp(1, 0xEF0A, size=16),  # exists in the furnished SSSE
        fcp(1, 0xEF1E, size=10, access="1234 0000 0000 0000"),  # 6A80
    )


def extents(image: bytes) -> dict[int, range]:
    """The page ranges of the image's extents, by domain."""
    table = ExtentTable.parse(image[0x140:0x180])
    return {entry.domain: entry.page_range for entry in table.entries}


# --- strategies ---------------------------------------------------------------------------------

_mostly = st.sampled_from((1, 1, 1, 0))
_bit = st.integers(0, 1)


def _step(what: str, *args: st.SearchStrategy[int]) -> st.SearchStrategy[Step]:
    return st.tuples(*args).map(lambda values: Step(what, values))


def _raw(*choices: str) -> st.SearchStrategy[Step]:
    return st.sampled_from(choices).map(lambda text: Step("raw", (), text.replace(" ", "")))


_management = st.one_of(
    _step("challenge", st.sampled_from((4, 8, 16))),
    _step("prove", _mostly),
    _step("prove", _mostly),
    _step("write_key", st.integers(0, len(WRITABLE) - 1), _bit, _mostly),
    _step("new_master", _bit, _mostly),
    _step("create", st.integers(0, 7)),
    _step("create_protected", st.integers(0, 7), _mostly),
    _step("delete_protected", st.sampled_from((0xEF1A, 0xEF1C, 0xDF0A)), _mostly),
    _step("act", st.just(0x1C), _mostly),
    _raw(
        "80CA00C300", "80CA00D000", "80CA00D100", "80CA00D200", "80CA00D500",
        "80E4000002EF1A", "80E4000002EF1C", "80E4000002DF0A", "0088000000", "8050000000",
        "00B2011400", "00B2021400", "00B2011C00", "00B2010400", "00C0000000",
    ),
)  # fmt: skip
_drastic = st.one_of(
    _step("act", st.just(0xE6), _mostly),
    _step("act", st.sampled_from((0xE6, 0x0E)), st.just(0)),
)
_erasure = _step("act", st.just(0x0E), _mostly)
_social = st.one_of(
    _step("prove_key", st.sampled_from((4, 5, 6, 9)), _mostly),
    _step("update_protected", st.sampled_from((18, 19)), _bit, _mostly),
    _step("block", st.sampled_from((0x1E, 0x18)), _bit, _mostly),
    _raw(
        "00A4000002DF05", "00A4000002EF0A", "00A4000002EF10", "00A4020002EF12", "00A40300",
        "00A4040006" + ADF_OF[SSSE].hex(), "00A4000402EF0A", "00A4000002DDF1",
        "00A4040406" + ADF_OF[SSSE].hex(), "00A4000002EF99", "00A4000002DDF2",
    ),
    _raw(
        "00B08A0000", "00B0900000", "00B0910000", "00B0920008", "00B0001008", "00B08F0000",
        "00B2015C00", "00B2016C00", "00B2017400", "00B2057400", "00B2056800", "00B2018400",
    ),
    _raw(
        "00D68A0204CAFEBABE", "00D6900004CAFEBABE", "00DC015C06303132333435",
        "00E2005806303132333435", "00DC017006303132333435", "00E20070050908070605",
        "00E200680402020102", "00DC036005A1A2A3A4A5",
        "00DC016003B1B2B3",
    ),
    _raw("0020000003" + PIN.hex(), "0020000003654321", "00200000", "0088000010" + "11" * 16),
)  # fmt: skip


def steps(code: int, *, erasing: bool = True) -> st.SearchStrategy[Step]:
    """What may happen in an environment; the SSSE's own commands in the SSSE alone.

    Once erased it has no owner and leans on the CMK, whose one counter is the card's (F8).
    """
    choices = [_management, _management, _drastic]
    if code == SSSE:
        choices += [_social, _social]
    if erasing:
        choices.append(_erasure)
    return st.one_of(choices)


def sessions(*codes: int, erasing: bool = True) -> st.SearchStrategy[Session]:
    """Sessions of the given environments."""
    return st.one_of(
        [
            st.lists(steps(code, erasing=erasing), min_size=1, max_size=7).map(
                lambda found, code=code: Session(code, tuple(found))
            )
            for code in codes or (SSSE, PSE)
        ]
    )


def traces(*codes: int, erasing: bool = True, rig: bool = False) -> st.SearchStrategy[list[Event]]:
    """Traces of the given environments; with `rig` power cuts, snapshots and restores too."""
    events: list[st.SearchStrategy[Event]] = [
        sessions(*codes, erasing=erasing),
        sessions(*codes, erasing=erasing),
        sessions(*codes, erasing=erasing),
        st.just(Reset()),
    ]
    if rig:
        events += [
            st.booleans().map(Shelf),
            st.builds(PowerCut, st.integers(0, 30), st.sampled_from(Phase), st.integers(0, 3)),
        ]
    return st.lists(st.one_of(events), min_size=2, max_size=8)
