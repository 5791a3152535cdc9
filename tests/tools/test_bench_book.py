# SPDX-License-Identifier: Apache-2.0
"""The benchmark beside the public books, in small: they agree with ours on every change."""

import pytest

from tools.bench_book import OURS, PEERS, installed, measure


def test_the_books_agree():
    missing = [name for name in PEERS if installed(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    report = measure(messages=60_000, rounds=1, symbols=30, live_orders=8000, seed=11)
    assert report["agree"] == {"itch-book": True, "itchcpp": True}
    assert set(report["ns_per_message"]) == {OURS, *PEERS}
    assert all(found["min"] > 0 for found in report["ns_per_message"].values())
