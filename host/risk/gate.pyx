# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The risk gate: between execution and order management, the only way to an order on the wire.

What each check means, in which order they are made and what always passes stands in
``host/risk/reference.py`` and ``docs/risk.md``; this is the same in Cython, without allocation,
lock or clock. Only :meth:`RiskGate.submit` makes a sealed ``PassedOrder``, and the encoder of the
order-entry gateway refuses what is not sealed.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset
from host.journal.ids cimport JOURNAL_RISK_REJECT
from host.journal.journal_codec cimport (
    JOURNAL_RISK_REJECT_LENGTH, JournalRiskReject, journal_risk_reject_encode)
from host.model cimport (
    ACTION_CANCEL, ACTION_NEW, ACTION_REPLACE, BOOK_CLEAN, SIDE_BUY, SIDE_SELL, STAGE_RISK,
    TIME_IN_FORCE_DAY, TIME_IN_FORCE_IOC)
from nic.offload.enumerations import RISK
from host.risk.exposure cimport BUYS, SELLS, SideExposure, SymbolExposure
from nic.offload.ids cimport *
from nic.offload.limits import Limits
from nic.offload.limits import interval_ns, is_rate_closed, tolerance_ns
from nic.clock cimport rdtsc
from nic.prefetch cimport prefetch_object

cdef enum:
    TRADING = 84      # b"T", Stock Trading Action of ITCH 5.0


cdef inline bint is_beyond(int64_t distance, int64_t reference, int64_t basis_points,
                           int64_t price_units) noexcept nogil:
    """Whether a price is further beyond its reference than both measures of a collar allow."""
    return distance > price_units and distance * GATE_BASIS_POINTS > reference * basis_points


cdef inline bint is_reference(int64_t price) noexcept nogil:
    """Whether a price of the market can serve as a reference."""
    return 0 < price <= GATE_MAXIMUM_PRICE


cdef class RiskGate(OrderEntry):
    """Decides about every order request and passes what is allowed on to ``path``.

    ``symbol_capacity``: symbols it can hold; ``order_capacity``: orders and replaces in flight that
    may be open at once, a power of two; ``seal``: makes the seal of passed orders; ``path``: the
    order management, which tells :attr:`exposures` what happens to the orders. Without a path the
    gate numbers orders by itself, from 1: a gate that audits another one. ``recorder`` gets a
    ``risk_reject`` record of every refusal.

    Before :meth:`bind_tops` (engine) the gate reads a table of its own that :meth:`set_top` fills.
    """

    def __cinit__(self, uint32_t symbol_capacity, uint32_t order_capacity, *_, **__):
        self.exposures = Exposures(symbol_capacity, order_capacity)
        self.recent = RecentOrders()
        self.own_tops = <Top *> calloc(symbol_capacity, sizeof(Top))
        self.limit_sets = <LimitSet *> calloc(symbol_capacity, sizeof(LimitSet))
        self.symbol_killed = <uint8_t *> calloc(symbol_capacity, 1)
        self.strategy_killed = <uint8_t *> calloc(GATE_STRATEGIES, 1)
        if (self.own_tops == NULL or self.limit_sets == NULL or self.symbol_killed == NULL
                or self.strategy_killed == NULL):
            raise MemoryError("risk: no memory for the tables of the gate")
        self.tops = self.own_tops
        self.symbol_count = symbol_capacity
        self.path_reason = RISK_ORDER_ENTRY_DOWN
        self.next_number = 1
        self.rate_closed = True
        self.symbol_limits = {}

    def __init__(self, symbol_capacity, order_capacity, Seal seal not None, OrderPath path=None,
                 Recorder recorder=None):
        self.seal = seal
        self.path = path
        self.recorder = recorder

    def __dealloc__(self):
        free(self.own_tops)
        free(self.limit_sets)
        free(self.symbol_killed)
        free(self.strategy_killed)

    cdef uint32_t submit(self, const OrderRequest *request, uint64_t t_ns) noexcept nogil:
        """The number of the order that was sent (or cancelled), or 0; the reason is last_reason."""
        cdef PassedOrder passed
        cdef uint64_t rate_before = self.rate_next_ns
        cdef uint32_t user_ref_num
        cdef int reason
        passed.request = request[0]
        reason = self.check(&passed.request, t_ns)
        if self.trace != NULL:
            self.trace.stamps[STAGE_RISK] = rdtsc()
        if reason != RISK_PASSED:
            self.record(request, reason, t_ns)
            return 0
        if request.action != ACTION_CANCEL:
            self.take_token(t_ns)
        if request.action == ACTION_NEW:
            self.recent.remember(&passed.request, t_ns)
        self.pass_number += 1
        passed.pass_number = self.pass_number
        passed.seal = self.seal.compute(&passed)
        if self.path is not None:
            self.path_reason = RISK_ORDER_ENTRY_DOWN
            user_ref_num = self.path.accept(&passed, t_ns)
        else:
            user_ref_num = self.number(&passed)
        if user_ref_num == 0:
            # nothing left: the next pass takes the number, so that sent passes have no holes
            self.pass_number -= 1
            self.rate_next_ns = rate_before
            if request.action == ACTION_NEW:
                self.recent.forget_latest()
            self.record(request, self.path_reason, t_ns)
            return 0
        self.last_reason = RISK_PASSED
        self.counts[RISK_PASSED] += 1
        return user_ref_num

    cdef void prefetch(self, uint32_t symbol_index) noexcept nogil:
        """An order of the symbol may come next: bring in what the checks will read."""
        if symbol_index < self.symbol_count:
            prefetch_object(&self.exposures.symbols[symbol_index], sizeof(SymbolExposure))
            prefetch_object(&self.limit_sets[symbol_index], sizeof(LimitSet))

    cdef uint32_t number(self, const PassedOrder *passed) noexcept nogil:
        """Number an order without an order management: the next number whose place is free."""
        cdef uint32_t user_ref_num = passed.request.user_ref_num
        if passed.request.action != ACTION_CANCEL:
            while self.exposures.orders[self.next_number & self.exposures.mask].user_ref_num != 0:
                self.next_number += 1
            user_ref_num = self.next_number
            self.next_number += 1
        return user_ref_num if self.exposures.on_opened(passed, user_ref_num) else 0

    cdef int check(self, OrderRequest *request, uint64_t t_ns) noexcept nogil:
        """The first reason against the request, in the order of the table RISK."""
        cdef OpenOrder *order = NULL
        cdef const LimitSet *limits
        cdef Change change
        cdef bint crosses_own
        cdef int reason
        if request.action == ACTION_REPLACE or request.action == ACTION_CANCEL:
            order = self.exposures.find(request.user_ref_num)
            if order != NULL:
                request.symbol_index = order.symbol_index
                request.side = order.side
                request.strategy_id = order.strategy_id
                request.venue = order.venue
        if request.action == ACTION_CANCEL:
            if request.venue >= GATE_VENUES or not self.session_up[request.venue]:
                return RISK_ORDER_ENTRY_DOWN
            return RISK_PASSED if order != NULL else RISK_UNKNOWN_ORDER
        reason = self.check_sendable(request, order)
        if reason != RISK_PASSED:
            return reason
        self.measure(request, order, &change)
        crosses_own = self.crosses_own(request)
        if not crosses_own and self.reduces(request, &change):
            return RISK_PASSED
        limits = &self.limit_sets[request.symbol_index]
        reason = self.check_state(request.symbol_index)
        if reason != RISK_PASSED:
            return reason
        if change.leaves > limits.values[LIMIT_MAXIMUM_QUANTITY_SHARES]:
            return RISK_MAXIMUM_QUANTITY
        if change.notional > limits.values[LIMIT_MAXIMUM_NOTIONAL]:
            return RISK_MAXIMUM_NOTIONAL
        reason = self.check_collars(request, limits, t_ns)
        if reason != RISK_PASSED:
            return reason
        reason = self.check_exposure(request, limits, &change)
        if reason != RISK_PASSED:
            return reason
        if not self.has_token(t_ns):
            return RISK_MESSAGE_RATE
        if (request.action == ACTION_NEW and self.recent.holds(
                request, t_ns, self.gate_limits.values[LIMIT_DUPLICATE_WINDOW_NS])):
            return RISK_DUPLICATE_ORDER
        return RISK_SELF_TRADE if crosses_own else RISK_PASSED

    cdef int check_sendable(self, const OrderRequest *request,
                            const OpenOrder *order) noexcept nogil:
        """What holds for every new order and replace, whether it reduces risk or not."""
        if not self.limits_were_set:
            return RISK_NO_LIMITS_SET
        if self.killed:
            return RISK_KILL_GLOBAL
        if self.strategy_killed[request.strategy_id]:
            return RISK_KILL_STRATEGY
        if request.symbol_index < self.symbol_count and self.symbol_killed[request.symbol_index]:
            return RISK_KILL_SYMBOL
        if request.venue >= GATE_VENUES or not self.session_up[request.venue]:
            return RISK_ORDER_ENTRY_DOWN
        if (request.action > ACTION_REPLACE or request.post_only > 1
                or request.quantity == 0 or request.quantity > GATE_MAXIMUM_QUANTITY_SHARES
                or request.price <= 0 or request.price > GATE_MAXIMUM_PRICE
                or (request.time_in_force != TIME_IN_FORCE_DAY
                    and request.time_in_force != TIME_IN_FORCE_IOC)):
            return RISK_INVALID_REQUEST
        if request.action == ACTION_REPLACE:
            if order == NULL:
                return RISK_UNKNOWN_ORDER
            if order.pending != 0 or order.replaces != 0 or order.cancel_in_flight:
                return RISK_ORDER_BUSY
            if request.quantity <= order.executed:
                return RISK_REPLACE_BELOW_EXECUTED
        elif request.side != SIDE_BUY and request.side != SIDE_SELL:
            return RISK_INVALID_REQUEST
        elif request.symbol_index >= self.symbol_count:
            return RISK_UNKNOWN_SYMBOL
        if self.exposures.open_orders >= self.exposures.order_capacity:
            return RISK_ORDER_TABLE_FULL
        return RISK_PASSED

    cdef void measure(self, const OrderRequest *request, const OpenOrder *order,
                      Change *change) noexcept nogil:
        """What the worst case grows by: a new order by itself, a replace by what it asks more."""
        cdef int64_t notional_before
        change.is_smaller = False
        if order == NULL:
            change.leaves = request.quantity
            change.notional = change.leaves * request.price
            change.shares_added = change.leaves
            change.notional_added = change.notional
            return
        notional_before = <int64_t> order.leaves * order.price
        change.leaves = <int64_t> request.quantity - order.executed
        change.notional = change.leaves * request.price
        change.shares_added = max(change.leaves - <int64_t> order.leaves, 0)
        change.notional_added = max(change.notional - notional_before, 0)
        change.is_smaller = (
            change.shares_added == 0 and change.notional_added == 0
            and (request.price <= order.price if request.side == SIDE_BUY
                 else request.price >= order.price))

    cdef bint reduces(self, const OrderRequest *request, const Change *change) noexcept nogil:
        """Whether a request that crosses no own order closes, or is less than what it replaces."""
        cdef const SymbolExposure *symbol = &self.exposures.symbols[request.symbol_index]
        cdef int64_t closing
        if change.is_smaller:
            return True
        if request.side == SIDE_BUY:
            closing = symbol.sides[BUYS].open_shares + change.shares_added
            return symbol.position < 0 and closing <= -symbol.position
        closing = symbol.sides[SELLS].open_shares + change.shares_added
        return symbol.position > 0 and closing <= symbol.position

    cdef int check_state(self, uint32_t symbol_index) noexcept nogil:
        """Book, feed and trading state: nothing new is risked on what is not known."""
        cdef const Top *top = &self.tops[symbol_index]
        if top.book_state != BOOK_CLEAN:
            return RISK_SYMBOL_NOT_CLEAN
        if self.stale:
            return RISK_FEED_STALE
        if top.trading_state != TRADING or top.operational_halt:
            return RISK_SYMBOL_HALTED
        return RISK_PASSED

    cdef int check_collars(self, const OrderRequest *request, const LimitSet *limits,
                           uint64_t t_ns) noexcept nogil:
        """How far the price goes beyond the opposite best price and beyond the last trade."""
        cdef const Top *top = &self.tops[request.symbol_index]
        cdef int64_t best = top.ask_price if request.side == SIDE_BUY else top.bid_price
        cdef int64_t last = top.last_price
        cdef int64_t direction = 1 if request.side == SIDE_BUY else -1
        # a time before the update makes a huge age: not fresh
        if (not is_reference(best) or not is_reference(last)
                or t_ns - top.updated_ns
                > <uint64_t> limits.values[LIMIT_REFERENCE_AGE_LIMIT_NS]):
            return RISK_NO_FRESH_REFERENCE
        if is_beyond(direction * (request.price - best), best,
                     limits.values[LIMIT_COLLAR_BEST_BASIS_POINTS],
                     limits.values[LIMIT_COLLAR_BEST_PRICE_UNITS]):
            return RISK_COLLAR_BEST_PRICE
        if is_beyond(direction * (request.price - last), last,
                     limits.values[LIMIT_COLLAR_LAST_BASIS_POINTS],
                     limits.values[LIMIT_COLLAR_LAST_PRICE_UNITS]):
            return RISK_COLLAR_LAST_TRADE
        return RISK_PASSED

    cdef int check_exposure(self, const OrderRequest *request, const LimitSet *limits,
                            const Change *change) noexcept nogil:
        """Worst-case position of the side and gross notional, where the request adds to them."""
        cdef const SymbolExposure *symbol = &self.exposures.symbols[request.symbol_index]
        if change.shares_added > 0:
            if request.side == SIDE_BUY:
                if (symbol.position + symbol.sides[BUYS].open_shares + change.shares_added
                        > limits.values[LIMIT_MAXIMUM_LONG_POSITION_SHARES]):
                    return RISK_MAXIMUM_LONG_POSITION
            elif (symbol.sides[SELLS].open_shares + change.shares_added - symbol.position
                    > limits.values[LIMIT_MAXIMUM_SHORT_POSITION_SHARES]):
                return RISK_MAXIMUM_SHORT_POSITION
        if (change.notional_added > 0
                and self.exposures.gross_notional + change.notional_added
                > self.gate_limits.values[LIMIT_MAXIMUM_GROSS_NOTIONAL]):
            return RISK_GROSS_NOTIONAL
        return RISK_PASSED

    cdef bint crosses_own(self, const OrderRequest *request) noexcept nogil:
        """Whether the price reaches the best own open order of the other side."""
        cdef const SideExposure *other
        if request.side == SIDE_BUY:
            other = &self.exposures.symbols[request.symbol_index].sides[SELLS]
            return other.best_price != 0 and request.price >= other.best_price
        other = &self.exposures.symbols[request.symbol_index].sides[BUYS]
        return other.best_price != 0 and request.price <= other.best_price

    cdef bint has_token(self, uint64_t t_ns) noexcept nogil:
        """Whether the bucket holds a token: the next message's time is near enough."""
        return not self.rate_closed and t_ns + self.rate_tolerance_ns >= self.rate_next_ns

    cdef void take_token(self, uint64_t t_ns) noexcept nogil:
        """Take a token if there is one; what reduces risk passes without."""
        if self.has_token(t_ns):
            self.rate_next_ns = max(self.rate_next_ns, t_ns) + self.rate_interval_ns

    cdef void record(self, const OrderRequest *request, int reason, uint64_t t_ns) noexcept nogil:
        """Count a refusal and write it down."""
        cdef JournalRiskReject values
        cdef uint8_t body[JOURNAL_RISK_REJECT_LENGTH]
        self.last_reason = reason
        self.counts[reason] += 1
        if self.recorder is None:
            return
        memset(&values, 0, sizeof(values))
        values.trace_line = 0xFFFF
        if self.trace != NULL:
            values.trace_sequence_number = self.trace.sequence_number
            values.trace_line = self.trace.line
            values.trace_message_index = self.trace.message_index
        values.reason = reason
        values.venue = request.venue
        values.strategy_id = request.strategy_id
        values.action = request.action
        values.side = request.side
        if request.symbol_index < self.symbol_count:
            values.symbol = self.tops[request.symbol_index].symbol
        values.quantity = request.quantity
        values.user_ref_num = request.user_ref_num
        values.price = request.price
        journal_risk_reject_encode(&values, body)
        self.recorder.record(JOURNAL_RISK_REJECT, t_ns, body, JOURNAL_RISK_REJECT_LENGTH)

    cdef void set_stale(self, bint is_stale) noexcept nogil:
        """The feed went silent, or is back."""
        self.stale = is_stale

    cdef void set_session(self, uint16_t venue, bint is_up) noexcept nogil:
        """A venue's order-entry session can take orders, or can't."""
        if venue < GATE_VENUES:
            self.session_up[venue] = is_up

    cdef void bind_tops(self, const Top *tops, uint32_t symbol_count) noexcept:
        """Read the state of the symbols from this table; symbols above the capacity are unknown."""
        self.tops = tops
        self.symbol_count = min(symbol_count, self.exposures.symbol_capacity)

    @property
    def last_reason_name(self):
        """Name of the latest verdict."""
        return RISK.name_of(self.last_reason)

    def submit_order(self, *, uint8_t action, uint64_t t_ns, uint8_t side=SIDE_BUY,
                     uint32_t quantity=0, int64_t price=0, uint32_t symbol_index=0,
                     uint8_t time_in_force=TIME_IN_FORCE_DAY, uint8_t post_only=0,
                     uint16_t strategy_id=0, uint16_t venue=0, uint32_t user_ref_num=0,
                     uint32_t parent=0):
        """Submit a request given by its fields; the order's number, or 0 when it was refused."""
        cdef OrderRequest request
        memset(&request, 0, sizeof(request))
        request.action = action
        request.side = side
        request.time_in_force = time_in_force
        request.post_only = post_only
        request.strategy_id = strategy_id
        request.venue = venue
        request.symbol_index = symbol_index
        request.quantity = quantity
        request.user_ref_num = user_ref_num
        request.parent = parent
        request.price = price
        return self.submit(&request, t_ns)

    def set_limits(self, symbol_index, limits, uint64_t sequence_number):
        """Put a whole set of limits in force: of one symbol, or for ``None`` of all the others.

        The default set comes first; until then nothing passes. ``sequence_number`` counts up over
        all sets. Raises ``ValueError`` for one that is not above the last, ``IndexError`` for an
        unknown symbol; then nothing changed.
        """
        cdef uint32_t i
        if not isinstance(limits, Limits):
            raise TypeError("limits are a nic.offload.limits.Limits")
        if sequence_number <= self.limits_sequence_number:
            raise ValueError(f"limits {sequence_number} came after {self.limits_sequence_number}")
        if symbol_index is None:
            self.default_limits = limits
            self.gate_limits = limit_set(limits)
            for i in range(self.exposures.symbol_capacity):
                if i not in self.symbol_limits:
                    self.limit_sets[i] = self.gate_limits
            self.rate_interval_ns = interval_ns(limits)
            self.rate_tolerance_ns = tolerance_ns(limits)
            self.rate_closed = is_rate_closed(limits)
            self.limits_were_set = True
        else:
            if not self.limits_were_set:
                raise ValueError("the default limits come first")
            if not 0 <= symbol_index < self.exposures.symbol_capacity:
                raise IndexError(f"no symbol {symbol_index}")
            self.symbol_limits[symbol_index] = limits
            self.limit_sets[<uint32_t> symbol_index] = limit_set(limits)
        self.limits_sequence_number = sequence_number

    def limits(self, symbol_index=None):
        """The set in force for a symbol, or the default one; ``None`` before the first."""
        return self.symbol_limits.get(symbol_index, self.default_limits)

    def kill(self, scope="global", id=None):
        """Refuse every new order and replace: of all (``global``), a ``strategy`` or a ``symbol``.

        ``id`` is the strategy's number or the symbol's index. Cancels pass. Disarms a reset.
        Raises ``ValueError`` for another scope or a missing id, ``IndexError`` for an unknown one.
        """
        self.armed = None
        self.switch(scope, id, True)

    def arm_reset(self, scope="global", id=None):
        """First step of taking a kill back; changes nothing yet. Raises as :meth:`kill` does."""
        self.kill_key(scope, id)
        self.armed = (scope, id)

    def reset_kill(self, scope="global", id=None):
        """Second step: take back the kill that :meth:`arm_reset` named just before.

        Raises ``RuntimeError`` when that one was not armed, or something was killed since.
        """
        if self.armed != (scope, id):
            raise RuntimeError(f"the reset of kill {scope} {id} is not armed")
        self.armed = None
        self.switch(scope, id, False)

    def kills(self):
        """What is killed: ``global`` as a bool, ``strategy`` and ``symbol`` as lists of numbers."""
        return {
            "global": bool(self.killed),
            "strategy": [i for i in range(GATE_STRATEGIES) if self.strategy_killed[i]],
            "symbol": [i for i in range(self.exposures.symbol_capacity) if self.symbol_killed[i]],
        }

    def kill_key(self, scope, id):
        """The number a kill concerns, 0 for the global one; raises for what can't be killed."""
        if scope == "global" and id is None:
            return 0
        sizes = {"strategy": <long> GATE_STRATEGIES, "symbol": self.exposures.symbol_capacity}
        if scope not in sizes or id is None:
            raise ValueError(f"no kill of scope {scope!r} with id {id!r}")
        if not 0 <= id < sizes[scope]:
            raise IndexError(f"no {scope} {id}")
        return id

    def switch(self, scope, id, bint value):
        """Set or clear one kill."""
        cdef uint32_t number = self.kill_key(scope, id)
        if scope == "global":
            self.killed = value
        elif scope == "strategy":
            self.strategy_killed[number] = value
        else:
            self.symbol_killed[number] = value

    def set_feed_stale(self, bint is_stale):
        """Tell that the feed went silent, or is back."""
        self.set_stale(is_stale)

    def set_session_up(self, uint16_t venue, bint is_up):
        """Tell that a venue's session can take orders, or can't."""
        self.set_session(venue, is_up)

    def set_top(self, uint32_t symbol_index, top):
        """Change a symbol in the gate's own table; ``top`` maps fields of ``Top`` to values.

        Raises ``RuntimeError`` once the engine's table is bound, ``IndexError`` for the index.
        """
        if self.tops != self.own_tops:
            raise RuntimeError("the tops are the engine's")
        if symbol_index >= self.exposures.symbol_capacity:
            raise IndexError(symbol_index)
        self.own_tops[symbol_index] = {**self.own_tops[symbol_index], **top}

    def counters(self):
        """Number of passes and of refusals by reason (:data:`~nic.offload.enumerations.RISK`)."""
        return RISK.as_dict(self.counts)

    @property
    def passes(self):
        """Pass number of the latest order that was sent."""
        return self.pass_number


cdef LimitSet limit_set(limits):
    """The C array of a set of limits."""
    cdef LimitSet found
    cdef int i
    for i, value in enumerate(limits.values()):
        found.values[i] = value
    return found
