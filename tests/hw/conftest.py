# SPDX-License-Identifier: Apache-2.0
"""Tests of the gateware: whichever comes first compiles a model, or the tools themselves."""

from pathlib import Path

import pytest

COMPILING_SECONDS = 900
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(COMPILING_SECONDS))
