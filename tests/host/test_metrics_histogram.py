# SPDX-License-Identifier: Apache-2.0
"""The histogram against HdrHistogram and against exact percentiles."""

from random import Random

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.metrics.histogram import Histogram

PERCENTILES = (0, 1, 25, 50, 75, 90, 99, 99.9, 99.99, 100)


def samples(seed, count=20_000):
    random = Random(seed)
    return [int(random.lognormvariate(7, 2)) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("digits", [1, 2, 3, 4])
def test_percentiles_equal_hdrhistogram(seed, digits):
    hdrh = pytest.importorskip("hdrh.histogram")
    other = hdrh.HdrHistogram(1, 1 << 62, digits)
    ours = Histogram(digits)
    for value in samples(seed):
        ours.add(value)
        other.record_value(value)
    for percent in PERCENTILES:
        expected = min(other.get_value_at_percentile(percent), ours.maximum)
        assert ours.percentile(percent) == expected, (seed, percent)


@pytest.mark.parametrize("seed", range(5))
def test_percentiles_are_within_the_precision(seed):
    values = numpy.array(samples(seed))
    histogram = Histogram(3)
    for value in values.tolist():
        histogram.add(value)
    for percent in PERCENTILES:
        exact = int(numpy.percentile(values, percent, method="inverted_cdf"))
        got = histogram.percentile(percent)
        # the nearest rank of a rounded share may be one value off, the bucket 1 part in 1,024
        ranks = sorted(values.tolist())
        at = ranks.index(exact)
        low, high = (
            ranks[max(0, at - 1)],
            ranks[min(len(ranks) - 1, at + values.tolist().count(exact))],
        )
        assert low <= got <= high + high // 1024, (seed, percent)
    summary = histogram.summary()
    assert summary["min"] == values.min()
    assert summary["max"] == values.max()
    assert summary["count"] == len(values)
    assert summary["mean"] == pytest.approx(values.mean())
    assert list(summary) == ["min", "p50", "p99", "p99_9", "max", "count", "mean"]


@given(st.integers(0, (1 << 64) - 1), st.integers(1, 4))
def test_any_value_is_known_to_its_digits(value, digits):
    histogram = Histogram(digits)
    histogram.add(value)
    histogram.add((1 << 64) - 1)
    got = histogram.percentile(50)
    assert value <= got <= value + value // 10**digits
    assert histogram.percentile(100) == (1 << 64) - 1


def test_merge_is_recording_both():
    first, second, both = Histogram(), Histogram(), Histogram()
    for index, value in enumerate(samples(9, 1_000)):
        (first if index % 3 else second).add(value)
        both.add(value)
    first.merge(second)
    assert first.summary() == pytest.approx(both.summary())
    assert [first.percentile(p) for p in PERCENTILES] == [both.percentile(p) for p in PERCENTILES]
    with pytest.raises(ValueError):
        first.merge(Histogram(2))


def test_reset_and_empty():
    histogram = Histogram()
    empty = histogram.summary()
    assert set(empty.values()) == {0}
    histogram.add(5, 3)
    assert histogram.summary()["count"] == 3
    histogram.reset()
    assert histogram.summary() == empty
    histogram.add(7)
    assert (histogram.minimum, histogram.maximum) == (7, 7)


@pytest.mark.parametrize("digits", [0, 5])
def test_precision_out_of_range(digits):
    with pytest.raises(ValueError):
        Histogram(digits)


@pytest.mark.parametrize("percent", [-1, 101])
def test_percentage_out_of_range(percent):
    with pytest.raises(ValueError):
        Histogram().percentile(percent)
