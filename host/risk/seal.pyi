# SPDX-License-Identifier: Apache-2.0
"""A keyed 64-bit mix over a passed order: only what the gate passed can be encoded."""

class SealChecker:
    """Says whether the gate sealed an order; made with the key of the gate (an int, 128 bits)."""

    def __init__(self, key: int) -> None: ...
    def is_valid(self, passed: bytes) -> bool:
        """Whether the bytes of a ``PassedOrder`` carry the seal that fits them."""

class Seal(SealChecker):
    """Makes seals; only the risk gate holds one."""

    def passed_order(
        self,
        *,
        pass_number: int,
        action: int,
        side: int,
        quantity: int,
        price: int,
        time_in_force: int = ...,
        post_only: bool = ...,
        strategy_id: int = ...,
        venue: int = ...,
        symbol_index: int = ...,
        user_ref_num: int = ...,
        parent: int = ...,
    ) -> bytes:
        """A sealed ``PassedOrder`` as the bytes of the struct, for tools that hold the key."""
