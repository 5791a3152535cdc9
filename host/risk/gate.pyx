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
    ACTION_CANCEL, ACTION_NEW, ACTION_REPLACE, SIDE_BUY, SIDE_SELL, SIDE_SELL_SHORT,
    SIDE_SELL_SHORT_EXEMPT, STAGE_RISK, TIME_IN_FORCE_DAY, TIME_IN_FORCE_IOC)
from host.risk.checks cimport (
    check_collars, check_counts, check_executions, check_market, check_money, check_permission,
    check_position, check_size, crosses_own, is_credit_alert, is_there, measure, reduces)
from host.risk.exposure cimport StrategyExposure, SymbolExposure
from host.risk.ids cimport *
from host.risk.limit_rows cimport GateLimits, has_token, is_enabled, take_token
from host.risk.offload cimport tell
from nic.clock cimport rdtsc
from nic.offload.enumerations import KILL_SCOPE, RISK
from nic.offload.ids cimport *
from nic.prefetch cimport prefetch_object


cdef class RiskGate(OrderEntry):
    """Decides about every order request and passes what is allowed on to ``path``.

    ``symbol_capacity``: symbols it can hold; ``order_capacity``: orders and replaces in flight that
    may be open at once, a power of two; ``seal``: makes the seal of passed orders; ``path``: the
    order management, which tells :attr:`exposures` what happens to the orders. Without a path the
    gate numbers orders by itself, from 1: a gate that audits another one. ``recorder`` gets a
    ``risk_reject`` record of every refusal. ``offload``: a card's gate, asked first, held against
    this one, and told whatever changes this one (``host/risk/offload.pyx``).

    Before :meth:`bind_tops` (engine) the gate reads a table of its own that :meth:`set_top` fills.
    """

    def __cinit__(self, uint32_t symbol_capacity, uint32_t order_capacity, *_, **__):
        self.exposures = Exposures(symbol_capacity, order_capacity)
        self.limit_rows = LimitRows(symbol_capacity)
        self.switches = Switches(symbol_capacity)
        self.recent = RecentOrders()
        self.own_tops = <Top *> calloc(symbol_capacity, sizeof(Top))
        if self.own_tops == NULL:
            raise MemoryError("risk: no memory for the tops of the gate")
        self.tops = self.own_tops
        self.market_phase = &self.own_phase
        self.symbol_count = symbol_capacity
        self.path_reason = RISK_ORDER_ENTRY_DOWN
        self.next_number = 1

    def __init__(self, symbol_capacity, order_capacity, Seal seal not None, OrderPath path=None,
                 Recorder recorder=None, GateOffload offload=None):
        self.seal = seal
        self.path = path
        self.recorder = recorder
        self.offload = offload
        self.exposures.offload = offload
        if offload is not None:
            self.watch = CardWatch(offload, self.switches, recorder)

    def __dealloc__(self):
        free(self.own_tops)

    cdef uint32_t submit(self, const OrderRequest *request, uint64_t t_ns) noexcept nogil:
        """The number of the order that was sent (or cancelled), or 0; the reason is last_reason."""
        if self.offload is None:
            return self.submit_alone(request, t_ns)
        if self.offload.failure == CARD_FAILURE_NONE:
            return self.submit_to_card(request, t_ns)
        self.fail_card(self.offload.failure, 0, t_ns)    # everything is killed: cancels pass
        return self.submit_alone(request, t_ns)

    cdef uint32_t submit_alone(self, const OrderRequest *request, uint64_t t_ns) noexcept nogil:
        """The same by this gate's decision."""
        cdef PassedOrder passed
        cdef Change change
        cdef const OpenOrder *order
        cdef int reason
        self.switches.expire(t_ns)
        passed.request = request[0]
        order = self.resolve(&passed.request)
        reason = self.check(&passed.request, order, &change, t_ns)
        if self.trace != NULL:
            self.trace.stamps[STAGE_RISK] = rdtsc()
        if reason != RISK_PASSED:
            self.record(request, reason, t_ns)
            return 0
        return self.send(request, &passed, &change, t_ns)

    cdef uint32_t send(self, const OrderRequest *request, PassedOrder *passed,
                       const Change *change, uint64_t t_ns) noexcept nogil:
        """Send what passed, and count what became of it."""
        cdef uint32_t user_ref_num = self.pass_on(passed, change, t_ns)
        if user_ref_num == 0:
            self.record(request, self.path_reason, t_ns)
        else:
            self.last_reason = RISK_PASSED
            self.counts[RISK_PASSED] += 1
        return user_ref_num

    cdef uint32_t submit_to_card(self, const OrderRequest *request, uint64_t t_ns) noexcept nogil:
        """The same by the card's verdict, held against what this gate says of that moment.

        What could not leave anyway is not asked: a pass of the card's can't be taken back.
        """
        cdef PassedOrder passed
        cdef Change change
        cdef CardVerdict verdict
        cdef const OpenOrder *order
        cdef const Top *top = NULL
        cdef uint32_t user_ref_num
        cdef int reason
        passed.request = request[0]
        order = self.resolve(&passed.request)
        user_ref_num = request.user_ref_num
        if request.action != ACTION_CANCEL:
            user_ref_num = self.exposures.free_number(self.next_number)
        if self.path is not None and not self.path.is_ready(&passed.request, user_ref_num):
            self.offload.count(GATE_OFFLOAD_NOT_ASKED)
            self.on_timer(t_ns)
            reason = self.check(&passed.request, order, &change, t_ns)
            self.record(request, reason if reason != RISK_PASSED else RISK_ORDER_ENTRY_DOWN, t_ns)
            return 0
        if passed.request.symbol_index < self.symbol_count:
            top = &self.tops[passed.request.symbol_index]
        if not self.offload.decide(&passed.request, top, self.market_phase[0], t_ns, &verdict):
            self.fail_card(self.offload.failure, 0, t_ns)
            self.record(request, RISK_KILL_GLOBAL, t_ns)
            return 0
        t_ns = verdict.t_ns
        self.switches.expire(t_ns)
        reason = self.check(&passed.request, order, &change, t_ns)
        if self.trace != NULL:
            self.trace.stamps[STAGE_RISK] = rdtsc()
        if not self.watch.agrees(&verdict, reason, user_ref_num, self.pass_number):
            self.record(request, RISK_KILL_GLOBAL, t_ns)
            return 0
        if reason != RISK_PASSED:
            self.record(request, reason, t_ns)
            return 0
        if request.action != ACTION_CANCEL:
            self.given_number = user_ref_num
            self.next_number = user_ref_num + 1
        user_ref_num = self.send(request, &passed, &change, t_ns)
        self.given_number = 0
        return user_ref_num

    cdef void fail_card(self, int failure, uint32_t user_ref_num, uint64_t t_ns) noexcept nogil:
        """The card is out of step for a reason found elsewhere; nothing without a card."""
        if self.watch is not None:
            self.watch.fail(failure, NULL, RISK_PASSED, user_ref_num, self.pass_number, t_ns)

    cdef uint32_t pass_on(self, PassedOrder *passed, const Change *change,
                          uint64_t t_ns) noexcept nogil:
        """Number, seal and send what passed; 0, and nothing is used up, when it can't be sent."""
        cdef const OrderRequest *request = &passed.request
        cdef SymbolExposure *symbol = &self.exposures.symbols[request.symbol_index]
        cdef StrategyExposure *strategy = &self.exposures.strategies[request.strategy_id]
        cdef uint64_t *session_next = &self.session_rate_next_ns[request.venue]
        cdef uint64_t session_before = session_next[0]
        cdef uint64_t symbol_before = symbol.rate_next_ns
        cdef uint64_t strategy_before = strategy.rate_next_ns
        cdef const SymbolLimits *limits = &self.limit_rows.rows[request.symbol_index]
        cdef bint is_alert = False
        cdef uint32_t user_ref_num
        cdef uint64_t opened = self.exposures.opened
        self.totals.messages += 1
        if request.action != ACTION_CANCEL:
            is_alert = is_credit_alert(request, change, self.exposures, &self.limit_rows.gate,
                                       limits)
            self.totals.daily_shares += change.shares_added
            self.totals.daily_notional += change.notional_added
            self.totals.credit_alerts += is_alert
            take_token(&self.limit_rows.gate.session_rate, session_next, t_ns)
            take_token(&limits.rate, &symbol.rate_next_ns, t_ns)
            take_token(&self.limit_rows.gate.strategy_rate, &strategy.rate_next_ns, t_ns)
            if request.action == ACTION_NEW:
                self.recent.remember(request, t_ns)
        self.pass_number += 1
        passed.pass_number = self.pass_number
        passed.seal = self.seal.compute(passed)
        if self.path is not None:
            self.path_reason = RISK_ORDER_ENTRY_DOWN
            user_ref_num = self.path.accept(passed, t_ns)
        else:
            user_ref_num = self.number(passed)
        if user_ref_num != 0:
            return user_ref_num
        if self.offload is not None and self.offload.failure == CARD_FAILURE_NONE:
            # nothing left, but the card has passed it: it ends here and there as if it had
            self.offload.count(GATE_OFFLOAD_UNSENT)
            user_ref_num = self.given_number or request.user_ref_num
            if self.exposures.opened == opened and self.exposures.on_opened(passed, user_ref_num):
                self.exposures.on_unsent(passed, user_ref_num)
            return 0
        # nothing left: the next pass takes the number, so that sent passes have no holes
        self.pass_number -= 1
        self.totals.messages -= 1
        if request.action != ACTION_CANCEL:
            self.totals.daily_shares -= change.shares_added
            self.totals.daily_notional -= change.notional_added
            self.totals.credit_alerts -= is_alert
            session_next[0] = session_before
            symbol.rate_next_ns = symbol_before
            strategy.rate_next_ns = strategy_before
            if request.action == ACTION_NEW:
                self.recent.forget_latest()
        return 0

    cdef void prefetch(self, uint32_t symbol_index) noexcept nogil:
        """An order of the symbol may come next: bring in what the checks will read."""
        if symbol_index < self.symbol_count:
            prefetch_object(&self.exposures.symbols[symbol_index], sizeof(SymbolExposure))
            prefetch_object(&self.limit_rows.rows[symbol_index], sizeof(SymbolLimits))
            # and the sums over all symbols with their limits
            prefetch_object(&self.limit_rows.gate.values[LIMIT_MAXIMUM_GROSS_NOTIONAL],
                            sizeof(GateLimits) - LIMIT_MAXIMUM_GROSS_NOTIONAL * sizeof(int64_t))
            prefetch_object(&self.exposures.open_orders,
                            <char *> &self.exposures.mask - <char *> &self.exposures.open_orders)
            prefetch_object(&self.totals, sizeof(Totals))

    cdef uint32_t number(self, const PassedOrder *passed) noexcept nogil:
        """Number an order without an order management."""
        cdef uint32_t user_ref_num = passed.request.user_ref_num
        if passed.request.action != ACTION_CANCEL:
            user_ref_num = self.given_number or self.exposures.free_number(self.next_number)
            self.next_number = user_ref_num + 1
        return user_ref_num if self.exposures.on_opened(passed, user_ref_num) else 0

    cdef OpenOrder *resolve(self, OrderRequest *request) noexcept nogil:
        """The order that a replace or cancel names; what the request says of it is overruled."""
        cdef OpenOrder *order
        if request.action != ACTION_REPLACE and request.action != ACTION_CANCEL:
            return NULL
        order = self.exposures.find(request.user_ref_num)
        if order != NULL:
            request.symbol_index = order.symbol_index
            request.side = order.side
            request.strategy_id = order.strategy_id
            request.venue = order.venue
        return order

    cdef int check(self, const OrderRequest *request, const OpenOrder *order, Change *change,
                   uint64_t t_ns) noexcept nogil:
        """The first reason against the request, in the order of the table RISK."""
        cdef const SymbolLimits *limits
        cdef const GateLimits *gate = &self.limit_rows.gate
        cdef const Top *top
        cdef const SymbolExposure *symbol
        cdef bint crosses
        cdef int reason
        if request.action == ACTION_CANCEL:
            if request.venue >= GATE_VENUES or not self.session_up[request.venue]:
                return RISK_ORDER_ENTRY_DOWN
            return RISK_PASSED if order != NULL else RISK_UNKNOWN_ORDER
        reason = self.check_always(request, order)
        if reason != RISK_PASSED:
            return reason
        symbol = &self.exposures.symbols[request.symbol_index]
        measure(request, order, change)
        crosses = crosses_own(request, symbol)
        if not crosses and reduces(request, change, symbol):
            return RISK_PASSED
        limits = &self.limit_rows.rows[request.symbol_index]
        top = &self.tops[request.symbol_index]
        reason = check_permission(request, limits, self.market_phase[0])
        if reason == RISK_PASSED:
            reason = check_market(request, top, limits, self.stale)
        if reason == RISK_PASSED:
            reason = check_size(request, change, limits)
        if reason == RISK_PASSED:
            reason = check_collars(request, top, limits, t_ns)
        if reason == RISK_PASSED:
            reason = check_position(request, change, top, symbol, limits)
        if reason == RISK_PASSED:
            reason = check_money(request, change, self.exposures, &self.totals, gate, limits)
        if reason == RISK_PASSED:
            reason = check_counts(self.exposures, gate, limits)
        if reason == RISK_PASSED:
            reason = self.check_flow(request, limits, crosses, t_ns)
        return reason

    cdef int check_always(self, const OrderRequest *request,
                          const OpenOrder *order) noexcept nogil:
        """What holds for every new order and replace, whether it reduces risk or not."""
        if not self.limit_rows.were_set:
            return RISK_NO_LIMITS_SET
        if self.switches.is_killed:
            return RISK_KILL_GLOBAL
        if self.switches.is_heartbeat_lost():
            return RISK_HEARTBEAT_LOST
        if request.venue < GATE_VENUES and self.switches.sessions[request.venue]:
            return RISK_KILL_SESSION
        if self.switches.strategies[request.strategy_id]:
            return RISK_KILL_STRATEGY
        if (request.symbol_index < self.exposures.symbol_capacity
                and self.switches.symbols[request.symbol_index]):
            return RISK_KILL_SYMBOL
        if request.venue >= GATE_VENUES or not self.session_up[request.venue]:
            return RISK_ORDER_ENTRY_DOWN
        if ((request.action != ACTION_NEW and request.action != ACTION_REPLACE)
                or request.post_only > 1
                or not 0 < request.quantity <= GATE_MAXIMUM_QUANTITY_SHARES
                or not 0 < request.price <= GATE_MAXIMUM_PRICE
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
        elif (request.side != SIDE_BUY and request.side != SIDE_SELL
                and request.side != SIDE_SELL_SHORT and request.side != SIDE_SELL_SHORT_EXEMPT):
            return RISK_INVALID_REQUEST
        elif request.symbol_index >= self.symbol_count:
            return RISK_UNKNOWN_SYMBOL
        if self.exposures.open_orders >= self.exposures.order_capacity:
            return RISK_ORDER_TABLE_FULL
        return RISK_PASSED

    cdef int check_flow(self, const OrderRequest *request, const SymbolLimits *limits,
                        bint crosses, uint64_t t_ns) noexcept nogil:
        """How fast; executions; duplicates, and trades with oneself."""
        cdef const GateLimits *gate = &self.limit_rows.gate
        cdef int reason
        if (not has_token(&gate.session_rate, self.session_rate_next_ns[request.venue], t_ns)
                and is_enabled(limits, RISK_MESSAGE_RATE)):
            return RISK_MESSAGE_RATE
        if (not has_token(&limits.rate,
                          self.exposures.symbols[request.symbol_index].rate_next_ns, t_ns)
                and is_enabled(limits, RISK_SYMBOL_MESSAGE_RATE)):
            return RISK_SYMBOL_MESSAGE_RATE
        if (not has_token(&gate.strategy_rate,
                          self.exposures.strategies[request.strategy_id].rate_next_ns, t_ns)
                and is_enabled(limits, RISK_STRATEGY_MESSAGE_RATE)):
            return RISK_STRATEGY_MESSAGE_RATE
        reason = check_executions(request, self.exposures, &self.totals, gate, limits)
        if reason != RISK_PASSED:
            return reason
        if (request.action == ACTION_NEW
                and self.recent.holds(request, t_ns, gate.values[LIMIT_DUPLICATE_WINDOW_NS])
                and is_enabled(limits, RISK_DUPLICATE_ORDER)):
            return RISK_DUPLICATE_ORDER
        if crosses and is_enabled(limits, RISK_SELF_TRADE):
            return RISK_SELF_TRADE
        return RISK_PASSED

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
        tell(self.offload, COMMAND_SET_FEED_STALE, is_stale)

    cdef void set_session(self, uint16_t venue, bint is_up) noexcept nogil:
        """A venue's order-entry session can take orders, or can't."""
        if venue < GATE_VENUES:
            self.session_up[venue] = is_up
            tell(self.offload, COMMAND_SET_SESSION_UP, venue, is_up)

    cdef void on_timer(self, uint64_t t_ns) noexcept nogil:
        """It is ``t_ns``; every request says so too."""
        cdef bint was_silent = self.switches.is_silent
        self.switches.expire(t_ns)
        if self.switches.is_silent and not was_silent:
            tell(self.offload, COMMAND_TIMER, t_ns)

    cdef void on_heartbeat(self, uint64_t t_ns) noexcept nogil:
        """The control thread lives."""
        self.switches.expire(t_ns)
        self.switches.heartbeat_ns = t_ns
        if self.offload is not None:
            self.offload.heartbeat(t_ns)

    cdef void mark(self, uint32_t symbol_index) noexcept nogil:
        """Value a symbol's position at what closing it would get now, else at the last trade."""
        cdef const Top *top
        cdef int64_t position, price
        if symbol_index >= self.symbol_count:
            return
        position = self.exposures.symbols[symbol_index].position
        if position == 0:
            return
        top = &self.tops[symbol_index]
        price = top.bid_price if position > 0 else top.ask_price
        if not is_there(price):
            price = top.last_price
        if is_there(price):
            self.exposures.on_mark(symbol_index, price)

    cdef void bind_tops(self, const Top *tops, uint32_t symbol_count,
                        const uint8_t *market_phase) noexcept:
        """Read the state of the symbols and the market's phase from here.

        Symbols above the capacity are unknown.
        """
        self.tops = tops
        self.market_phase = market_phase
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
        self.limit_rows.set(symbol_index, limits, sequence_number)
        self.switches.timeout_ns = self.limit_rows.gate.values[LIMIT_HEARTBEAT_TIMEOUT_NS]
        if self.offload is not None:
            self.offload.set_limits(symbol_index, limits, sequence_number)

    @property
    def limits_sequence_number(self):
        """Sequence number of the latest set of limits; 0 before the first."""
        return self.limit_rows.sequence_number

    def limits(self, symbol_index=None):
        """The set in force for a symbol, or the default one; ``None`` before the first."""
        return self.limit_rows.get(symbol_index)

    def kill(self, scope="global", id=None):
        """Refuse every new order and replace: of all (``global``), or of one ``session`` (its
        venue), ``strategy`` or ``symbol``.

        ``id`` is its number. Cancels pass. Disarms a reset. Raises ``ValueError`` for another scope
        or a missing id, ``IndexError`` for an unknown one.
        """
        self.switches.kill(scope, id)
        self.tell_scope(COMMAND_KILL, scope, id)

    def arm_reset(self, scope="global", id=None):
        """First step of taking a kill back; changes nothing yet. Raises as :meth:`kill` does.

        Scope ``heartbeat`` is what a lost heartbeat killed.
        """
        self.switches.arm_reset(scope, id)
        self.tell_scope(COMMAND_ARM_RESET, scope, id)

    def reset_kill(self, scope="global", id=None):
        """Second step: take back the kill that :meth:`arm_reset` named just before.

        Raises ``RuntimeError`` when that one was not armed, or something was killed since; and of
        the global one when a card fell out of step: only a new start helps then.
        """
        if scope == "global" and self.card_failure():
            raise RuntimeError("the card in the path is out of step: start anew")
        self.switches.reset_kill(scope, id)
        self.tell_scope(COMMAND_RESET_KILL, scope, id)

    def tell_scope(self, int command, scope, id):
        """Tell the card of a kill, or of a step of taking it back."""
        tell(self.offload, command, KILL_SCOPE.value(scope), id or 0)

    def card_failure(self):
        """Why the card in the path is out of it, by names; ``None`` while it is in step."""
        return None if self.watch is None else self.watch.failure()

    def kills(self):
        """What is killed: ``global`` and ``heartbeat`` as bools, the others as lists of ids."""
        return self.switches.killed()

    def kill_state(self, scope="global", id=None):
        """``running``, ``draining`` (killed, orders of the scope are open) or ``drained``.

        Raises as :meth:`arm_reset` does.
        """
        if not self.switches.is_killed_now(scope, id):
            return "running"
        keys = {"session": "venue", "strategy": "strategy_id", "symbol": "symbol_index"}
        orders = (self.exposures.open_orders_of(**{keys[scope]: id}) if scope in keys
                  else self.exposures.open_orders)
        return "draining" if orders else "drained"

    def heartbeat(self, uint64_t t_ns):
        """The control thread lives. Takes no kill back, not even one for its own silence."""
        self.on_heartbeat(t_ns)

    def timer(self, uint64_t t_ns):
        """It is ``t_ns``: kill when the latest heartbeat is too old."""
        self.on_timer(t_ns)

    def set_market_phase(self, uint8_t phase):
        """The market is in another phase, a number of ``MARKET_PHASE``.

        Raises ``RuntimeError`` once the engine's is bound, ``ValueError`` for another number.
        """
        if self.market_phase != &self.own_phase:
            raise RuntimeError("the market phase is the engine's")
        if phase >= MARKET_PHASE_COUNT:
            raise ValueError(f"no market phase {phase}")
        self.own_phase = phase

    def release_strategy(self, uint16_t strategy_id):
        """Let a strategy execute again as often as it may."""
        self.exposures.on_strategy_released(strategy_id)
        tell(self.offload, COMMAND_RELEASE_STRATEGY, strategy_id)

    def start_day(self):
        """What is summed since the start of the day begins anew; positions and cash stay."""
        self.totals.daily_shares = 0
        self.totals.daily_notional = 0
        self.totals.messages = 0
        self.exposures.on_day_started()
        tell(self.offload, COMMAND_START_DAY, 0)

    def daily_totals(self):
        """What passed since the start of the day, and ``credit_alerts`` since ever."""
        return self.totals

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
        """Number of passes and of refusals by reason (table ``RISK`` of ``nic/offload``)."""
        return RISK.as_dict(self.counts)

    @property
    def passes(self):
        """Pass number of the latest order that was sent."""
        return self.pass_number
