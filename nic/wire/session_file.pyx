# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""Reads ITCH 5.0 messages in BinaryFILE framing: counts them, decodes every field of them."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from nic.wire.binaryfile_codec cimport (
    BINARYFILE_BLOCK_LENGTH,
    BINARYFILE_END_OF_SESSION_LENGTH,
    binaryfile_block_message_length,
)
from nic.wire.check cimport CHECK_LENGTH, CHECK_OK
from nic.wire.itch50_record cimport Itch50Record, itch50_decode, itch50_decode_blocks

from nic.wire.reference import WireError

cdef enum:
    BATCH = 256


def count_messages(const uint8_t[::1] data):
    """Messages before the end of the session or of the data, and the bytes that they take."""
    cdef const uint8_t *start = &data[0] if data.shape[0] else NULL
    cdef const uint8_t *at = start
    cdef const uint8_t *end = start + data.shape[0]
    cdef uint64_t count = 0
    cdef uint16_t length
    with nogil:
        while end - at >= BINARYFILE_BLOCK_LENGTH:
            length = binaryfile_block_message_length(at)
            if length == BINARYFILE_END_OF_SESSION_LENGTH:
                break
            if end - at - BINARYFILE_BLOCK_LENGTH < length:
                break
            at += BINARYFILE_BLOCK_LENGTH + length
            count += 1
    return count, at - start


cdef uint64_t word_sum(const uint64_t *words, uint32_t count) noexcept nogil:
    """Sum of the words, modulo 2**64."""
    cdef uint64_t total = 0
    cdef uint32_t i
    for i in range(count):
        total += words[i]
    return total


def decode_all_fields(const uint8_t[::1] data):
    """Decode every field of every message: the number of messages and a checksum of their structs.

    The checksum is the sum of the eight 8-byte words of each record, modulo 2**64. Ends at the end
    of the session or of the data; raises :class:`nic.wire.reference.WireError` where a message is
    refused.
    """
    cdef const uint8_t *start = &data[0] if data.shape[0] else NULL
    cdef const uint8_t *at = start
    cdef const uint8_t *end = start + data.shape[0]
    cdef Itch50Record[BATCH] records
    cdef uint64_t count = 0
    cdef uint64_t total = 0
    cdef uint32_t taken = BATCH
    cdef int verdict = CHECK_OK
    with nogil:
        while taken == BATCH and verdict == CHECK_OK:
            at = itch50_decode_blocks(at, end, records, BATCH, &taken, &verdict)
            total += word_sum(&records[0].words[0], 8 * taken)
            count += taken
    if verdict != CHECK_OK:
        reason = "length" if verdict == CHECK_LENGTH else "unknown_type"
        raise WireError(reason, f"message {count} at byte {at - start} is refused")
    return count, total


def decode_record(const uint8_t[::1] message):
    """The 64 bytes that one message decodes into; raises ``WireError`` where it is refused."""
    cdef Itch50Record record
    cdef const uint8_t *m = &message[0] if message.shape[0] else NULL
    cdef uint32_t length = <uint32_t> message.shape[0]
    cdef int verdict = itch50_decode(m, length, length, &record)
    if verdict != CHECK_OK:
        raise WireError("length" if verdict == CHECK_LENGTH else "unknown_type", "refused")
    return (<const uint8_t *> &record)[:sizeof(record)]
