# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# SPDX-License-Identifier: Apache-2.0
"""Messages of a Nasdaq BinaryFILE, one after the other; plain or gzipped.

Every message stands behind its length; a length of zero ends the session, and what follows it is
not read. A file without that mark is incomplete, which is counted. Source: Nasdaq BinaryFILE 1.00.
"""

from libc.string cimport memset
from nic.ids cimport (
    CAPTURE_BAD_GZIP, CAPTURE_MISSING_END, CAPTURE_READ_FAILED, CAPTURE_TRUNCATED_GZIP,
    CAPTURE_TRUNCATED_RECORD)
from nic.wire.binaryfile_codec cimport (
    BINARYFILE_BLOCK_LENGTH, BINARYFILE_END_OF_SESSION_LENGTH, binaryfile_block_message_length)

from nic.enumerations import CAPTURE

cdef enum:
    PYTHON_BURST = 64


cdef class BinaryFile:
    """The messages of ``path``; raises ``OSError`` where it can't be opened."""

    def __cinit__(self, *args, **kwargs):
        """No errors."""
        memset(self.errors_met, 0, sizeof(self.errors_met))

    def __init__(self, path):
        self.source = ByteSource(path)

    cdef bint next_message(self, FileMessage *out, bint may_refill) noexcept nogil:
        """Whether there was a message; reading on invalidates those before."""
        cdef size_t have
        cdef uint32_t length = 0
        while not self.finished:
            have = <size_t> (self.source.end - self.source.at)
            if have >= BINARYFILE_BLOCK_LENGTH:
                length = binaryfile_block_message_length(self.source.at)
                if length == BINARYFILE_END_OF_SESSION_LENGTH:
                    self.session_ended = self.finished = True
                    return False
                if have >= BINARYFILE_BLOCK_LENGTH + length:
                    out.data = self.source.at + BINARYFILE_BLOCK_LENGTH
                    out.length = length
                    self.source.at += BINARYFILE_BLOCK_LENGTH + length
                    self.messages += 1
                    return True
            if not may_refill or not self.source.refill():
                return self.run_out()
        return False

    cdef bint run_out(self) noexcept nogil:
        """The window holds no whole message: the end of the file, or of the window only."""
        if self.source.ended:
            self.finished = True
            self.errors_met[CAPTURE_MISSING_END] += 1
            self.errors_met[CAPTURE_TRUNCATED_GZIP] += self.source.gzip_truncated
            self.errors_met[CAPTURE_BAD_GZIP] += self.source.gzip_damaged
            self.errors_met[CAPTURE_READ_FAILED] += self.source.read_failed
            if self.source.at != self.source.end:
                self.errors_met[CAPTURE_TRUNCATED_RECORD] += 1
        return False

    cdef int read_burst(self, FileMessage *messages, int maximum) noexcept nogil:
        """The next messages, fewer than asked for where the window ends; 0 at the end."""
        cdef int count = 0
        while count < maximum and self.next_message(&messages[count], count == 0):
            count += 1
        return count

    def read(self, int maximum=PYTHON_BURST):
        """A list of at most ``maximum`` messages, empty at the end."""
        cdef FileMessage burst[PYTHON_BURST]
        cdef int i, count
        count = self.read_burst(burst, min(maximum, PYTHON_BURST))
        taken = []
        for i in range(count):
            taken.append(burst[i].data[:burst[i].length])
        return taken

    def __iter__(self):
        """Every message that was not read yet."""
        while burst := self.read():
            yield from burst

    def errors(self):
        """Faults of the file met so far, by the names of ``nic.enumerations.CAPTURE``."""
        return CAPTURE.as_dict([self.errors_met[i] for i in range(CAPTURE_COUNT)])

    def close(self):
        """Close the file."""
        self.finished = True
        self.source.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
