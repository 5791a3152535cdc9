# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The order desk: takes the requests of strategy hosts to the feed host's own risk gate.

For the engine the desk is one more strategy, the last one: it is enabled and stopped as they are,
and gets the events of its orders. Each strategy host has a seat with a strategy number of its own,
so that limits and kill switches of a strategy hold for a host; every other limit holds for all
of them, and the feed host's own strategies, together. The loop lets the desk take requests between
packets, from every seat in turn and no more than a few at once.
"""

from host.model cimport OrderEvent, Top
from host.remote.seat cimport Numbers
from host.strategy.strategy cimport Orders

from host.ipc.enumerations import DESK, LINE_REFUSAL

cdef enum:
    SEAT_REQUESTS = 8       # that one seat may have at once
    TURN_REQUESTS = 32      # that one turn of the loop takes

_WENT_AWAY = LINE_REFUSAL.value("went_away")
_NO_SEAT = LINE_REFUSAL.value("no_seat")
_STOPPED = LINE_REFUSAL.value("stopped")


cdef class OrderDesk(FastStrategy):
    """Seats for ``hosts`` strategy hosts, whose strategies are numbered from ``first_strategy_id``.

    ``silence_ns``: a host from which nothing is heard for so long is cut off, 0 for never;
    ``cancels_on_disconnect``: the open orders of a host that is gone are cancelled.
    Raises ``ValueError`` for a number of hosts that can't be.
    """

    def __init__(self, RiskGate gate not None, OrderManager oms not None, int first_strategy_id, *,
                 uint32_t hosts=4, uint64_t silence_ns=2_000_000_000,
                 bint cancels_on_disconnect=True):
        super().__init__()
        if not 1 <= hosts <= LARGEST_SEATS:
            raise ValueError(f"hosts: 1 to {LARGEST_SEATS}, not {hosts}")
        numbers = Numbers(gate.exposures.order_capacity)
        self.seats = [Seat(first_strategy_id + number, numbers, gate, oms.table)
                      for number in range(hosts)]
        for number, seat in enumerate(self.seats):
            self.seat_table[<int> number] = <PyObject *> seat
        self.seat_count = hosts
        self.servers = []
        self.silence_ns = silence_ns
        self.cancels_on_disconnect = cancels_on_disconnect

    cdef void attach(self, Orders orders, const Top *tops, uint32_t symbol_capacity):
        cdef Seat seat
        FastStrategy.attach(self, orders, tops, symbol_capacity)
        for seat in self.seats:
            seat.orders = orders
            seat.tops = tops
            seat.symbol_capacity = symbol_capacity

    # ------------------------------------------------------------------ on the hot thread

    cdef bint follows(self, uint32_t symbol_index) noexcept nogil:
        """The desk follows nothing by itself."""
        return False

    cdef void order_to_owner(self, const OrderEvent *event, uint64_t t_ns) noexcept nogil:
        """Take an event to its seat."""
        cdef uint32_t number = <uint32_t> event.strategy_id - self.orders.strategy_id
        if event.strategy_id >= self.orders.strategy_id and number < self.seat_count:
            (<Seat> self.seat_table[number]).on_event(event)
        elif self.following is not None:
            self.following.order_to_owner(event, t_ns)

    cdef void poll(self, uint64_t t_ns) noexcept nogil:
        """Take requests, a few from each seat; who was first is last in the next turn."""
        cdef uint32_t _, count = 0
        cdef uint32_t number = self.first_served
        for _ in range(self.seat_count):
            if count >= TURN_REQUESTS:
                break
            count += (<Seat> self.seat_table[number]).poll(
                min(<uint32_t> SEAT_REQUESTS, TURN_REQUESTS - count), t_ns)
            number = number + 1 if number + 1 < self.seat_count else 0
        if count:
            self.first_served = (self.first_served + 1 if self.first_served + 1 < self.seat_count
                                 else 0)

    cdef void on_timer(self) noexcept nogil:
        """Cut off who has been silent for too long."""
        cdef uint32_t i
        if self.silence_ns == 0:
            return
        for i in range(self.seat_count):
            (<Seat> self.seat_table[i]).listen(self.orders.t_ns, self.silence_ns)

    # ------------------------------------------------------------------ between slices of the loop

    def serve(self, server):
        """Take the lines that arrive at a server (``arrived``, ``close``), closed with the desk."""
        self.servers.append(server)

    def joined(self, line):
        """A line is there: it gets a seat, or is told that there is none and closed (False).

        Its silence counts from the first timer that sees it.
        """
        cdef Seat seat
        for seat in self.seats:
            if seat.is_free():
                seat.sit(line)
                return True
        self.turned_away += 1
        seat = Seat(0, Numbers(1), seat.gate, seat.table)
        seat.sit(line)
        seat.leave(_NO_SEAT)
        return False

    def parted(self, line, str why not None):
        """A line is gone; who watches it says so before its memory goes."""
        cdef Seat seat
        for seat in self.seats:
            if seat.line is line:
                seat.leave(_WENT_AWAY, why)

    def service(self, uint64_t t_ns):
        """Give seats to those that arrived; cancel for those that went."""
        cdef Seat seat
        for server in self.servers:
            while server.arrived:
                self.joined(server.arrived.popleft())
        for seat in self.seats:
            seat.service(t_ns, self.cancels_on_disconnect)

    def take_news(self):
        """Who came and who went since the last call, as dicts: whose the orders are."""
        return [news for seat in self.seats for news in seat.take_news()]

    def take(self, uint64_t t_ns):
        """:meth:`poll`, from Python: for tests."""
        self.poll(t_ns)

    def close(self):
        """Tell everybody that this is the end, and take nobody in any more; once."""
        cdef Seat seat
        for server in self.servers:
            server.close()
        self.servers = []
        for seat in self.seats:
            seat.leave(_STOPPED)

    def report(self):
        """Totals of all seats, refusals by name, and each seat that was ever taken."""
        cdef Seat seat
        seats = [seat.report() for seat in self.seats]
        totals = {entry.name: sum(found[entry.name] for found in seats)
                  for entry in DESK.entries}
        refusals = {}
        for found in seats:
            for name, count in found["refusals"].items():
                refusals[name] = refusals.get(name, 0) + count
        if self.turned_away:
            refusals["no_seat"] = self.turned_away
        return {**totals, "refusals": refusals, "hosts": [s for s in seats if s["joined"]]}
