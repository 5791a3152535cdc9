# SPDX-License-Identifier: Apache-2.0
"""The orders that passed lately, to tell a duplicate."""

class RecentOrders:
    """A fixed table of what passed, and when."""

    def __init__(self) -> None: ...
