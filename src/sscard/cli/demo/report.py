"""What happened in the demo, as data: chapters of steps, data items and checks.

Shapes: hex is upper case; times are virtual microseconds.
"""

from dataclasses import dataclass, field

from sscard.cli.demo.client import Exchange

__all__ = ["Chapter", "Check", "Item", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One exchange worth showing; `note` says why it matters."""

    exchange: Exchange
    note: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the step as plain data, secret bytes left out."""
        done = self.exchange
        return {
            "name": done.name,
            "command": done.shown_command,
            "data": done.data.hex().upper(),
            "sw": str(done.sw),
            "meaning": done.sw.meaning,
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of data the card gave: where it stands, what it is called, what it says."""

    place: str
    name: str
    value: str
    raw: bytes = b""

    def to_json(self) -> dict[str, object]:
        """Return the item as plain data."""
        return {
            "place": self.place,
            "name": self.name,
            "value": self.value,
            "hex": self.raw.hex().upper(),
        }


@dataclass(frozen=True, slots=True)
class Check:
    """Something the other side computed itself and compared: always true in a finished report."""

    what: str
    computed: bytes

    def to_json(self) -> dict[str, object]:
        """Return the check as plain data."""
        return {"what": self.what, "computed": self.computed.hex().upper()}


@dataclass(slots=True)
class Chapter:
    """A part of the story, filled while it happens.

    `commands` counts APDUs on the wire, `operations` those of the EEPROM.
    """

    title: str
    lead: str = ""
    steps: list[Step] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    commands: int = 0
    elapsed_us: int = 0
    operations: int = 0

    def step(self, exchange: Exchange, note: str = "") -> None:
        """Add a step."""
        self.steps.append(Step(exchange, note))

    def item(self, place: str, name: str, value: str, raw: bytes = b"") -> None:
        """Add a data item."""
        self.items.append(Item(place, name, value, raw))

    def check(self, what: str, computed: bytes) -> None:
        """Add a check that held."""
        self.checks.append(Check(what, computed))

    def to_json(self) -> dict[str, object]:
        """Return the chapter as plain data."""
        return {
            "title": self.title,
            "lead": self.lead,
            "steps": [step.to_json() for step in self.steps],
            "items": [item.to_json() for item in self.items],
            "checks": [check.to_json() for check in self.checks],
            "commands": self.commands,
            "virtual_us": self.elapsed_us,
            "eeprom_operations": self.operations,
        }
