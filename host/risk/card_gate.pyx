# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# SPDX-License-Identifier: Apache-2.0
"""The gate on a card, as the second gate of the host's.

Commands and requests go to the card in the order in which the host's gate saw them, and the card
carries them out in that order. What the host knows of a symbol's market goes with every request:
the card has ticks of its own that may be ahead of the host, which waits where the feed has a gap.
So the host's book decides, and ``control.feed_gap`` is cleared. The card counts the silence of the
control thread with its own clock, which is set to the host's at every heartbeat and request.
"""

from dataclasses import replace

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from host.model cimport ACTION_CANCEL
from host.risk.checks cimport is_there
from host.risk.ids cimport *
from nic.clock cimport rdtsc
from nic.offload.ids cimport KILL_SCOPE_GLOBAL
from nic.offload.offload_codec cimport (
    OFFLOAD_COMMAND, OFFLOAD_COMMAND_LENGTH, OFFLOAD_REQUEST_LENGTH, OFFLOAD_WORD_BYTES,
    OffloadRequest, offload_command_put_number, offload_command_put_record_type,
    offload_command_put_words, offload_request_encode)
from nic.offload.record_stream cimport PUMPED_OUTCOME, PUMPED_VERDICT
from nic.wire.byteorder cimport store_le64

from nic.offload.card import CardMismatch
from nic.offload.limits import Limits
from nic.offload.records import COMMAND_TABLE
from nic.offload.registers import REGISTERS

cdef enum:
    POLLS = 1 << 16
    ORIGIN_HOST = 1                # of a verdict
    TOP_ARGUMENTS = 11
    LARGEST_INDEX = 0xFFFF         # of a symbol on its way to the card

cdef int64_t LARGEST_PRICE = 0xFFFFFFFF    # on its way to the card
cdef uint32_t SET_TIME = REGISTERS["control.set_time_ns"].address
cdef uint32_t CLEAR_GAP = REGISTERS["control.clear_feed_gap"].address
cdef uint32_t IS_IDLE = REGISTERS["gate.is_idle"].address
cdef uint32_t LIMITS_NUMBER = REGISTERS["gate.limits_sequence_number"].address
cdef uint32_t ARGUMENTS[COMMAND_COUNT]
for _number, _command in enumerate(COMMAND_TABLE):
    ARGUMENTS[<int> _number] = len(_command.arguments)

if [a.name for a in COMMAND_TABLE[COMMAND_SET_TOP].arguments] != [
        "symbol_index", "bid_price", "ask_price", "last_price", "updated_ns", "trading_state",
        "operational_halt", "book_state", "short_sale_state", "band_lower_price",
        "band_upper_price"]:
    raise ImportError("host.risk.card_gate: set_top has other arguments")
if max(len(command.arguments) for command in COMMAND_TABLE[:COMMAND_ARM_TRIGGER]
       if command.name != "set_top") > 5:
    raise ImportError("host.risk.card_gate: a command has more arguments than are passed on")


cdef inline uint64_t market_price(int64_t price) noexcept nogil:
    """A price of the market as the card takes it: 0 where it can't be a reference."""
    return <uint64_t> price if is_there(price) else 0


cdef class CardGate(GateOffload):
    """Asks the gate of ``card``, whose records come by ``stream``.

    ``polls``: how often a verdict, or room for a command, is asked for before the card counts as
    gone. ``planted``: name of a limit that the card gets with another value, which a test or a
    rehearsal must find out. Raises :class:`nic.offload.card.CardMismatch` for a limit there is not.
    """

    def __init__(self, card not None, RecordStream stream not None, *, uint64_t polls=POLLS,
                 planted=None):
        if planted is not None and planted not in Limits.__dataclass_fields__:
            raise CardMismatch(f"there is no limit {planted!r} to plant a difference in")
        self.card = card
        self.stream = stream
        self.device = stream.device
        self.polls = polls
        self.planted = planted

    @property
    def symbol_capacity(self):
        """Symbols that the card can hold; the last index stands for unknown ones."""
        return (1 << self.card.identity["symbol_bits"]) - 1

    @property
    def order_capacity(self):
        """Orders and replaces in flight that may be open at once."""
        return 1 << self.card.identity["order_bits"]

    @property
    def strategy_capacity(self):
        """Strategies that the card can tell apart."""
        return 1 << self.card.identity["strategy_bits"]

    @property
    def venue_capacity(self):
        """Order-entry sessions that the card can tell apart."""
        return 1 << self.card.identity["venue_bits"]

    cdef bint decide(self, const OrderRequest *request, const Top *top, uint8_t phase,
                     uint64_t t_ns, CardVerdict *verdict) noexcept nogil:
        cdef uint64_t begin = rdtsc()
        cdef bint answered
        self.device.store(SET_TIME, t_ns)
        if request.action != ACTION_CANCEL:
            self.device.store(CLEAR_GAP, 1)
            if top != NULL:
                self.set_top(request.symbol_index, top)
            self.command(COMMAND_SET_MARKET_PHASE, phase, 0, 0, 0, 0)
        answered = self.ask(request)
        self.busy_ticks += rdtsc() - begin
        if not answered:
            return False
        verdict.passed = self.stream.verdict.passed != 0
        verdict.reason = self.stream.verdict.reason
        verdict.user_ref_num = self.stream.verdict.user_ref_num
        verdict.pass_number = self.stream.verdict.pass_number
        verdict.t_ns = self.stream.verdict.t_ns
        return True

    cdef bint ask(self, const OrderRequest *request) noexcept nogil:
        """Give the request to the card and wait for its verdict."""
        cdef OffloadRequest values
        cdef uint8_t data[OFFLOAD_REQUEST_LENGTH]
        cdef uint64_t _
        cdef int found
        self.tag += 1
        memset(&values, 0, sizeof(values))
        values.words = OFFLOAD_REQUEST_LENGTH // OFFLOAD_WORD_BYTES
        values.action = request.action
        values.side = request.side
        values.time_in_force = request.time_in_force
        values.post_only = request.post_only
        values.venue = request.venue
        values.strategy_id = request.strategy_id
        values.symbol_index = <uint16_t> min(request.symbol_index, <uint32_t> LARGEST_INDEX)
        values.quantity = request.quantity
        # what no field can hold is as invalid as 0
        values.price = <uint32_t> request.price if 0 < request.price <= LARGEST_PRICE else 0
        values.user_ref_num = request.user_ref_num
        values.tag = self.tag
        offload_request_encode(&values, data)
        if not self.give(data, OFFLOAD_REQUEST_LENGTH):
            return False
        for _ in range(self.polls):
            found = self.stream.pump()
            if self.stream.is_broken():
                self.fail(CARD_FAILURE_RECORDS)
                return False
            if found == PUMPED_VERDICT and self.stream.verdict.origin == ORIGIN_HOST:
                if self.is_ours(request):
                    return True
                self.fail(CARD_FAILURE_REQUEST_DIFFERS)
                return False
            if found == PUMPED_OUTCOME:
                self.counts[GATE_OFFLOAD_OUTCOMES] += 1
        self.fail(CARD_FAILURE_NO_ANSWER)
        return False

    cdef bint is_ours(self, const OrderRequest *request) noexcept nogil:
        """Whether the verdict is about this request; not asked of what its order overrules."""
        return (self.stream.verdict.tag == self.tag
                and self.stream.verdict.action == request.action
                and self.stream.verdict.order_user_ref_num == request.user_ref_num)

    cdef bint give(self, const uint8_t *command, uint32_t length) noexcept nogil:
        """Give a command to the card; records that come while it has no room are kept."""
        cdef uint64_t _
        if self.failure:
            return False
        for _ in range(self.polls):
            if self.device.give(command, length):
                self.counts[GATE_OFFLOAD_COMMANDS] += 1
                return True
            self.counts[GATE_OFFLOAD_WAITS] += 1
            self.stream.pump()
        self.fail(CARD_FAILURE_COMMAND_REFUSED)
        return False

    cdef void command(self, int number, uint64_t first, uint64_t second, uint64_t third,
                      uint64_t fourth, uint64_t fifth) noexcept nogil:
        cdef uint8_t data[OFFLOAD_COMMAND_LENGTH + 5 * OFFLOAD_WORD_BYTES]
        cdef uint8_t *at = data + OFFLOAD_COMMAND_LENGTH
        cdef uint32_t length = OFFLOAD_COMMAND_LENGTH + ARGUMENTS[number] * OFFLOAD_WORD_BYTES
        if number == COMMAND_TIMER:
            self.device.store(SET_TIME, first)    # it has a clock, which may have stood still
        begin_command(data, number)
        store_le64(at, first)
        store_le64(at + OFFLOAD_WORD_BYTES, second)
        store_le64(at + 2 * OFFLOAD_WORD_BYTES, third)
        store_le64(at + 3 * OFFLOAD_WORD_BYTES, fourth)
        store_le64(at + 4 * OFFLOAD_WORD_BYTES, fifth)
        self.give(data, length)

    cdef void set_top(self, uint32_t symbol_index, const Top *top) noexcept nogil:
        """Tell the card what the host knows of a symbol's market."""
        cdef uint8_t data[OFFLOAD_COMMAND_LENGTH + TOP_ARGUMENTS * OFFLOAD_WORD_BYTES]
        cdef uint64_t values[TOP_ARGUMENTS]
        cdef int i
        values[0] = symbol_index
        values[1] = market_price(top.bid_price)
        values[2] = market_price(top.ask_price)
        values[3] = market_price(top.last_price)
        values[4] = top.updated_ns
        values[5] = top.trading_state
        values[6] = top.operational_halt != 0
        values[7] = top.book_state
        values[8] = top.short_sale_state
        values[9] = market_price(top.band_lower_price)
        values[10] = market_price(top.band_upper_price)
        begin_command(data, COMMAND_SET_TOP)
        for i in range(TOP_ARGUMENTS):
            store_le64(data + OFFLOAD_COMMAND_LENGTH + i * OFFLOAD_WORD_BYTES, values[i])
        self.give(data, sizeof(data))

    cdef void heartbeat(self, uint64_t t_ns) noexcept nogil:
        """Set the card's clock, and let it hear the heartbeat at that time."""
        cdef uint64_t _
        if self.failure:
            return
        self.device.store(SET_TIME, t_ns)
        self.command(COMMAND_HEARTBEAT, t_ns, 0, 0, 0, 0)
        for _ in range(self.polls):
            if self.device.load(IS_IDLE) or self.failure:
                return
        self.fail(CARD_FAILURE_COMMAND_REFUSED)

    cdef void fail(self, int failure) noexcept nogil:
        """Out of the path; the card is killed, too, if it still listens."""
        cdef uint8_t data[OFFLOAD_COMMAND_LENGTH + 2 * OFFLOAD_WORD_BYTES]
        if self.failure != CARD_FAILURE_NONE:
            return
        GateOffload.fail(self, failure)
        memset(data, 0, sizeof(data))
        begin_command(data, COMMAND_KILL)
        store_le64(data + OFFLOAD_COMMAND_LENGTH, KILL_SCOPE_GLOBAL)
        self.device.give(data, sizeof(data))

    def set_limits(self, symbol_index, limits, uint64_t sequence_number):
        """Put a whole set of limits in force, and wait until it is."""
        cdef uint64_t _
        if self.failure:
            return
        if self.planted is not None:
            limits = replace(limits, **{self.planted: int(not getattr(limits, self.planted))})
        for _ in range(self.polls):
            if self.card.set_limits(limits, sequence_number, symbol_index):
                break
            self.stream.pump()
        for _ in range(self.polls):
            if self.device.load(LIMITS_NUMBER) == sequence_number:
                return
        self.fail(CARD_FAILURE_LIMITS_REFUSED)


cdef inline void begin_command(uint8_t *data, int number) noexcept nogil:
    """The first word of a command."""
    memset(data, 0, OFFLOAD_COMMAND_LENGTH)
    offload_command_put_record_type(data, OFFLOAD_COMMAND)
    offload_command_put_words(
        data, <uint8_t> (OFFLOAD_COMMAND_LENGTH // OFFLOAD_WORD_BYTES + ARGUMENTS[number]))
    offload_command_put_number(data, <uint8_t> number)
