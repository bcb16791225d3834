"""Benchmarks: how fast the emulated card is, as ratios to a floor of the same run."""
