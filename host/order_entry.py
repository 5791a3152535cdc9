# SPDX-License-Identifier: Apache-2.0
"""The streams of the venues: the kernel's own, or delegated ones with the raw ports they need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from host.config import OrderEntry, Venue
from nic.link import interface_to
from nic.port import Port, PortError
from nic.tcp.delegated_stream import DelegatedStream
from nic.tcp_stream import TcpStream


class VenueStreams:
    """Makes the connections to the venues, as often as they are wanted, and counts over all.

    Venues that are reached by the same interface share a raw port. Raises
    :class:`~nic.port.PortError` in one line where a port can't be had.
    """

    def __init__(self, config: OrderEntry, venues: Sequence[Venue]) -> None:
        self.config = config
        self.ports: dict[str, Port] = {}
        self.places: dict[str, str] = {}
        self.streams: dict[str, TcpStream] = {}
        self.past: dict[str, dict[str, int]] = {venue.name: {} for venue in venues}
        if config.send == "ordinary":
            return
        try:
            for venue in venues:
                self._open_port(venue)
        except BaseException:
            self.close()
            raise

    def _open_port(self, venue: Venue) -> None:
        """The raw port of a venue, unless another venue has brought it."""
        place = self.config.device or self.config.interface
        if not place:
            try:
                place = interface_to(str(venue.address))
            except ValueError as error:
                raise PortError(f"order entry {venue.name}: {error}") from None
        self.places[venue.name] = place
        if place not in self.ports:
            self.ports[place] = open_raw(self.config, place)

    def connect(self, venue: Venue) -> TcpStream:
        """A new connection to a venue; the one before is closed, its counters are kept."""
        self._forget(venue.name)
        address = str(venue.address), venue.port
        config = self.config
        if config.send == "ordinary":
            stream = TcpStream(*address)
        else:
            stream = DelegatedStream(
                *address,
                raw=self.ports[self.places[venue.name]],
                interface=config.vlan_interface or None,
                vlan=config.vlan,
                preparation=config.preparation,
                maximum_age_ns=config.maximum_age_ns,
                follow_interval_ns=config.follow_interval_ns,
            )
        self.streams[venue.name] = stream
        return stream

    def _forget(self, name: str) -> None:
        """Add a connection's counters to those of the venue."""
        stream = self.streams.pop(name, None)
        if stream is not None:
            self.past[name] = self._total(name, stream)
            stream.close()

    def _total(self, name: str, stream: TcpStream | None) -> dict[str, int]:
        """Counters of a venue over all its connections."""
        total = dict(self.past[name])
        for key, value in (stream.counters() if stream is not None else {}).items():
            total[key] = total.get(key, 0) + value
        return total

    def report(self) -> dict[str, Any]:
        """How orders left: ``send``, ``preparation``, the raw ``ports``, counters by venue."""
        found: dict[str, Any] = {
            "send": self.config.send,
            "venues": {name: self._total(name, self.streams.get(name)) for name in self.past},
        }
        if self.config.send == "delegated":
            found["preparation"] = self.config.preparation
            found["ports"] = [
                {**port.mode(), "name": port.name, "counters": port.counters()}
                for port in self.ports.values()
            ]
        return found

    def close(self) -> None:
        """Close the connections, then the raw ports."""
        for name in list(self.streams):
            self._forget(name)
        for port in self.ports.values():
            port.close()


def open_raw(config: OrderEntry, place: str) -> Port:
    """The raw port of one interface or device; it only sends. Raises ``PortError``."""
    name = f"order entry {place}"
    if config.path == "af_packet":
        from nic.af_packet import AfPacketPort

        return AfPacketPort(place, name=name)
    try:
        if config.path == "verbs":
            from nic.verbs.port import VerbsPort

            return VerbsPort(place, receive_frames=64, name=name)
        from nic.af_xdp import AfXdpPort
    except ImportError as error:
        raise PortError(f"{name}: {config.path} was not built here ({error})") from None
    return AfXdpPort(
        place,
        queue=config.queue,
        copy_mode=config.copy_mode,
        receive_frames=64,
        transmit_frames=256,
        name=name,
    )
