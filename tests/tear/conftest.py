"""What the sweeps share: `fsck` looks at every image, and their cases are counted."""

import pytest

from sscard.inspect import fsck
from sscard.testing.tear import SweepResult, sweep
from sscard.testing.trial import Trial


@pytest.fixture
def tears(record_property):
    """Sweep a trial with `fsck` among the checks; any violation fails the test."""

    def run(trial: Trial, *, checks=(), **options) -> SweepResult:
        result = sweep(trial, checks=(fsck, *checks), **options)
        for what in ("operations", "cases", "distinct", "recovered"):
            record_property(f"tear {what}", getattr(result, what))
        assert not result.violations, "\n".join(map(str, result.violations))
        return result

    return run
