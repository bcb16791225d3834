"""What a conformance suite is made of: cases, the steps they take, and what an answer must be.

A case is data: a stable id, words for people, and steps; it knows neither the card nor where
its keys are. Steps run on a `Bench`. Imported by the suites and by the runner.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sscard.iso.sw import SW

if TYPE_CHECKING:
    from sscard.testing.conformance.bench import Bench

__all__ = ["DONE", "Case", "Effect", "Expect", "Form", "Step", "Suite"]


class Effect(Enum):
    """What a case does to a card that behaves.

    SAFE changes no data and burns no try. RESTORED writes, and writes back what was there;
    TRIES burns tries and gives them back by a right proof. LASTING leaves something behind: a
    record of a cyclic file cannot be taken away again. TRANSACTION begins transactions of the
    bank application: its ATC rises for good, its log and what it remembers of the last
    transaction change; RESTORED and TRIES of that application begin transactions, too. FINAL ends
    the life of an application or of the card's environment: nothing takes it back.
    """

    SAFE = "safe"
    TRANSACTION = "transaction"
    RESTORED = "restored"
    TRIES = "tries"
    LASTING = "lasting"
    FINAL = "final"


class Form(NamedTuple):
    """What the data of an answer must look like; a member that is None is not looked at.

    `tag` is the first byte, followed by the length byte and that many bytes; `length` counts
    the value of such a record, without a `tag` the whole of the data.
    """

    tag: int | None = None
    length: int | None = None
    value: bytes | None = None

    def problem(self, data: bytes) -> str:
        """Return what is wrong with the data; "" when nothing is."""
        if self.value is not None and data != self.value:
            return f"other data of {len(data)} bytes than expected"
        if self.tag is None:
            if self.length is not None and len(data) != self.length:
                return f"{len(data)} bytes of data, not {self.length}"
            return ""
        if data[:1] != bytes((self.tag,)):
            return f"tag {data[:1].hex().upper() or 'missing'}, not {self.tag:02X}"
        length = len(data) - 2 if self.length is None else self.length
        if data[1:2] != bytes((length,)) or len(data) != length + 2:
            return f"a record of {len(data)} bytes with length byte {data[1:2].hex().upper()}, not {length:02X}"  # noqa: E501
        return ""

    def __str__(self) -> str:
        if self.value is not None:
            return "the data given"
        if self.tag is None:
            return "" if self.length is None else f"{self.length} bytes"
        return f"{self.tag:02X} " + ("LL .." if self.length is None else f"{self.length:02X} ..")


class Expect(NamedTuple):
    """What an answer must be: one of `sw`, compared under `mask`, and data of a form.

    `void` is a status word that says the case has nothing to look at on this card, and why;
    such a case counts as not run.
    """

    sw: tuple[int, ...] = (0x9000,)
    form: Form | None = None
    mask: int = 0xFFFF
    void: tuple[int, str] | None = None

    @classmethod
    def of(cls, *sw: int) -> "Expect":
        """Return the expectation of exactly these status words, whatever the data."""
        return cls(sw)

    def problem(self, data: bytes, sw: SW) -> str:
        """Return what is wrong with an answer; "" when nothing is."""
        if all(sw & self.mask != wanted & self.mask for wanted in self.sw):
            return f"{sw} {sw.meaning}"
        if self.form is None or sw != SW.OK:
            return ""
        return self.form.problem(data)

    def __str__(self) -> str:
        words = " or ".join(
            f"{sw:04X}" if self.mask == 0xFFFF else f"{sw:04X}"[:3] + "x" for sw in self.sw
        )
        form = "" if self.form is None else str(self.form)
        return f"{words}, {form}" if form else words


DONE = Expect()
"""9000, whatever the data."""


class Step(Protocol):
    """One step of a case. Steps are frozen values; what they need to know is on the bench."""

    @property
    def title(self) -> str:
        """What the step does, in a few words."""
        ...

    def missing(self, bench: "Bench") -> str:
        """Return why this bench cannot take the step; "" when it can. Sends nothing to the card."""
        ...

    def run(self, bench: "Bench") -> None:
        """Take the step. Errors: `Deviation`, `NotRun`, `TransportError`."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """One case: `id` is never renumbered and never used again for something else.

    `source` is page and section of the reference, `why` says in plain words what is expected and
    why. `place` is the directory the case is about: on a card without it (`Bench.absent`) the
    case is not run. `restore` runs after the steps in any case, also after a deviation.
    """

    id: str
    title: str
    source: str
    why: str
    steps: tuple[Step, ...]
    effect: Effect = Effect.SAFE
    place: str = ""
    restore: tuple[Step, ...] = ()

    @property
    def section(self) -> str:
        """The first part of the id: the title the case stands under."""
        return self.id.partition("/")[0]

    @property
    def safe(self) -> bool:
        """Whether the case burns no try counter and changes no data."""
        return self.effect is Effect.SAFE

    @property
    def final(self) -> bool:
        """Whether the application is dead afterwards."""
        return self.effect is Effect.FINAL


def _always_there(bench: "Bench") -> str:
    return ""


class Suite(NamedTuple):
    """A suite by its name: the sections in order with their titles, and its cases.

    `cases` gives those of one of the `generations`; `survey` finds out on a bench what the
    cases need to know of the card, before any of them runs; `generation_of` tells what the card
    says it is; `absent` why the card has nothing for the suite to look at, "" when it has.
    """

    name: str
    title: str
    generations: tuple[str, ...]
    sections: Callable[[str], dict[str, str]]
    cases: Callable[[str], tuple[Case, ...]]
    survey: "Callable[[Bench], None]"
    generation_of: "Callable[[Bench], str]"
    absent: "Callable[[Bench], str]" = _always_there
