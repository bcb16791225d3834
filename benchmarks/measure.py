"""Timing: medians of repeated batches, and a case that is checked before it is timed."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Case", "Result", "measure"]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure: `run()` does `per_run` of it; `goal` is the aim, per second."""

    name: str
    run: Callable[[], object]
    goal: float | None = None
    per_run: int = 1
    note: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured: a rate, and its spread between the batches' quartiles."""

    name: str
    per_second: float
    spread: float
    goal: float | None
    note: str

    @property
    def microseconds(self) -> float:
        """Time of one, in microseconds."""
        return 1e6 / self.per_second


def measure(case: Case, *, seconds: float = 1.0, batches: int = 15) -> Result:
    """Time a case in `batches` batches that together take about `seconds`; report the median."""
    once = _time(case.run, 1)
    size = max(1, int(seconds / batches / max(once, 1e-7)))
    gc.collect()
    gc.disable()
    try:
        times = sorted(_time(case.run, size) / size / case.per_run for _ in range(batches))
    finally:
        gc.enable()
    middle = statistics.median(times)
    spread = (times[3 * batches // 4] - times[batches // 4]) / middle
    return Result(case.name, 1 / middle, spread, case.goal, case.note)


def _time(run: Callable[[], object], count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        run()
    return time.perf_counter() - begin
