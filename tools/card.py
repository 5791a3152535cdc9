# SPDX-License-Identifier: Apache-2.0
"""The card that a configuration puts into the path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from host.config import Config, ConfigError

if TYPE_CHECKING:
    from sim.offload.gateware_path import GatewarePath


def card_of(config: Config) -> GatewarePath | None:
    """The card of a configuration, ``None`` where it has none.

    Raises :class:`ConfigError` for what the card can't do, :class:`hw.tools.ToolError` where the
    model can't be built.
    """
    if config.offload is None:
        return None
    from nic.frame import address_number
    from nic.offload.card import CardMismatch
    from sim.offload.gateware_path import GatewarePath

    feed = config.feed
    is_iextp = feed.transport == "iextp"
    session = b""
    if feed.session.strip():
        session = (
            int(feed.session).to_bytes(4, "little")
            if is_iextp
            else feed.session.encode("ascii").ljust(10)
        )
    try:
        return GatewarePath(
            feed.transport,
            [(address_number(str(line.group)), line.port) for line in feed.lines],
            session=session,
            # a sequence that may begin anew is more than two lines of the card can arbitrate
            is_arbitrating=feed.restart == "strict" and not is_iextp,
            planted=config.offload.plant_difference or None,
        )
    except (CardMismatch, ValueError) as error:
        raise ConfigError(f"offload: {error}") from None
