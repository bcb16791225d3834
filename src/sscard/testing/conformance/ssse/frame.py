"""What the cases of the `*_RECORD` sections have in common."""

from sscard.spec.ssse import Directory, Ef
from sscard.testing.conformance.model import Case, Effect, Expect, Step
from sscard.testing.conformance.ssse.commands import enter, place_of
from sscard.testing.conformance.steps import Open

__all__ = ["NOT_FOUND", "opened_file", "record_case"]

NOT_FOUND = Expect.of(0x6A83)


def record_case(
    directory: Directory,
    name: str,
    title: str,
    source: str,
    why: str,
    steps: tuple[Step, ...],
    *,
    ef: Ef | None = None,
    effect: Effect = Effect.SAFE,
    restore: tuple[Step, ...] = (),
) -> Case:
    """Return a case of a directory, or of a file in it."""
    place = place_of(directory)
    file = "" if ef is None else f"EF{ef.fid & 0xFF:02X}"
    middle = f"{file}/" if file else ""
    return Case(
        f"{place}_RECORD/{middle}{name}",
        f"{file or place}: {title}",
        f"ssse-lb002 {source}",
        why,
        steps,
        effect,
        place,
        restore,
    )


def opened_file(directory: Directory, ef: Ef, *more: str) -> tuple[Step, ...]:
    """Return the steps to a directory in which a file may be read, and other rules are met."""
    place = place_of(directory)
    return (*enter(place), *(Open(rule, place) for rule in (ef.read, *more)))
