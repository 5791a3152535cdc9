# SPDX-License-Identifier: Apache-2.0
"""A compiled model: arrays of inputs in, arrays of outputs out, or one cycle at a time.

In cycle n the inputs of row n are applied, the outputs of the same cycle are read, and then the
clock rises. A registered output therefore shows in row n + 1 what the inputs of row n made of it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from hw.verilog import Port
from sim.gateware import rows
from sim.gateware.rows import Array
from sim.gateware.shim import Place, RowLayout

ABI = 1
CAPTURE_ROWS = 1 << 16


class _Stream(ctypes.Structure):
    _fields_ = (
        ("count", ctypes.c_int64),
        ("next", ctypes.c_int64),
        ("rows", ctypes.c_void_p),
        ("not_before", ctypes.c_void_p),
        ("taken_at", ctypes.c_void_p),
        ("valid_at", ctypes.c_int32),
        ("payload_at", ctypes.c_int32),
        ("payload_bytes", ctypes.c_int32),
        ("ready_at", ctypes.c_int32),
    )


class Feed:
    """What an input stream (``valid``, ``payload``, ``ready``) is to be given, in order.

    ``payloads`` is the array of the stream's payload port, one row per transfer; ``not_before``
    (one cycle number for all, or one each, never falling) holds a transfer back. After a run
    ``taken`` says how many were taken so far, ``taken_at`` in which cycle each was.
    A feed may be continued in further runs.
    """

    def __init__(self, payloads: Array, not_before: Array | int = 0) -> None:
        self.payloads = payloads
        count = len(payloads)
        self.not_before = np.ascontiguousarray(np.broadcast_to(not_before, count), np.int64)
        if (np.diff(self.not_before) < 0).any():
            raise ValueError("not_before falls: transfers go in order")
        self.taken = 0
        self._taken_at = np.full(count, -1, np.int64)

    @property
    def taken_at(self) -> Array:
        """The cycle of each transfer that was taken."""
        return self._taken_at[: self.taken]


class Model:
    """One instance of a compiled component; see the module's first lines.

    ``ports`` describes the component, ``path`` is the library that ``sim.gateware.harness.model``
    made of it, ``seed`` fills what has no defined start. The instance was reset.
    """

    def __init__(self, path: Path, ports: Sequence[Port], seed: int = 1) -> None:
        self.path = path
        self.ports = {port.name: port for port in ports}
        self._inputs = RowLayout.of([p for p in ports if p.is_input], False)
        self._outputs = RowLayout.of([p for p in ports if not p.is_input], True)
        self.input_type = self._inputs.dtype
        self.output_type = self._outputs.dtype
        self._library = _load(path)
        self._held = np.zeros(1, self.input_type)
        self._model = self._library.gateware_create(seed)
        self.reset()

    def close(self) -> None:
        """Give the memory back; the model is not usable after it."""
        if self._model:
            self._library.gateware_destroy(self._model)
            self._model = None

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    @property
    def cycle(self) -> int:
        """How many cycles were run; cycles under reset do not count."""
        return int(self._library.gateware_cycle(self._model))

    @property
    def address(self) -> int:
        """The instance, for a caller in C (``sim/gateware/abi.pxd``)."""
        return int(self._model)

    def function(self, name: str) -> int:
        """The address of a function of the library, for a caller in C."""
        found = ctypes.cast(getattr(self._library, name), ctypes.c_void_p).value
        assert found is not None
        return found

    def offset(self, name: str) -> int:
        """Where a port stands in its row of bytes."""
        return self._place(name).offset

    def reset(self, cycles: int = 2) -> None:
        """Hold reset for ``cycles`` with every input 0; memories keep what they hold."""
        self._library.gateware_reset(self._model, cycles)

    def hold(self, **values: Any) -> None:
        """Set inputs for every cycle from now on in which nothing else is said; at first 0."""
        for name, value in values.items():
            self._held[name] = self._array(name, value, 1)

    def inputs(self, cycles: int, values: Mapping[str, Any]) -> Array:
        """Rows of inputs for :meth:`run`, one per cycle, from one value per port.

        A value is an array with one entry per cycle, one number for every cycle, or for a port
        with a layout a dictionary of its fields' arrays and numbers. Other ports are as held.
        """
        built = np.repeat(self._held, cycles)
        for name, value in values.items():
            built[name] = self._array(name, value, cycles)
        return built

    def run(
        self,
        inputs: Array | Mapping[str, Any] | None = None,
        *,
        cycles: int | None = None,
        when: str | Iterable[str] | None = (),
        feeds: Mapping[str, Feed] | None = None,
    ) -> Array:
        """Run cycle after cycle, and return the outputs of those that are wanted.

        ``inputs`` are rows made by :meth:`inputs` or what that takes; without them every input is
        as held, for ``cycles``. ``when`` names outputs: a cycle is captured in which one of them
        is not 0; without names every cycle, with ``None`` no cycle is. ``feeds`` serve input
        streams by the name of their path. Returns one row per captured cycle: its number in
        ``cycle`` (counted since the model was made), and every output by its name.

        Raises ValueError for inputs that do not fit their ports.
        """
        if inputs is None:
            if cycles is None:
                raise ValueError("say for how many cycles")
            given, stride = self._held, 0
        else:
            given, cycles = self._rows(inputs, cycles)
            stride = self.input_type.itemsize
        names = [when] if isinstance(when, str) else list(when or ())
        looked_at = [
            place.offset + n
            for place in map(self._output, names)
            for n in range((place.port.width_bits + 7) // 8)
        ]
        places = np.array(looked_at, np.int32)
        wanted = -1 if when is None else len(places)
        feeds = feeds or {}
        streams = (_Stream * max(1, len(feeds)))()
        for stream, (name, feed) in zip(streams, feeds.items(), strict=False):
            self._connect(stream, name, feed)
        parts: list[Array] = []
        done = 0
        while done < cycles:
            room = min(cycles - done, CAPTURE_ROWS) if wanted >= 0 else 0
            part = np.zeros(room, self.output_type)
            captured = ctypes.c_int64()
            done += self._library.gateware_run(
                self._model,
                given.ctypes.data + done * stride,
                stride,
                cycles - done,
                streams,
                len(feeds),
                places.ctypes.data,
                wanted,
                part.ctypes.data,
                room,
                ctypes.byref(captured),
            )
            parts.append(part[: captured.value])
        for stream, feed in zip(streams, feeds.values(), strict=False):
            feed.taken = stream.next
        return np.concatenate(parts) if parts else np.zeros(0, self.output_type)

    def step(self, **values: Any) -> dict[str, int]:
        """Run one cycle with the given inputs, the others as held; the outputs as numbers."""
        row = self.run(self.inputs(1, values))[0]
        return {name: rows.to_int(row[name]) for name in self._outputs.places}

    def field(self, captured: Array, name: str, *path: str | int) -> Array:
        """A field of a port with a layout, in every captured row."""
        layout = self.ports[name].layout
        if layout is None:
            raise ValueError(f"{name} has no fields")
        return rows.field(captured[name], layout, *path)

    def fields(self, row: Any, name: str) -> dict[Any, Any]:
        """A port with a layout as a dictionary, out of one captured row or a result of step."""
        layout = self.ports[name].layout
        if layout is None:
            raise ValueError(f"{name} has no fields")
        value = row[name]
        return rows.unpack(layout, value if isinstance(value, int) else rows.to_int(value))

    def _place(self, name: str) -> Place:
        places = self._inputs.places if self.ports[name].is_input else self._outputs.places
        return places[name]

    def _output(self, name: str) -> Place:
        if name not in self._outputs.places:
            raise ValueError(f"no output {name}; there are {', '.join(self._outputs.places)}")
        return self._outputs.places[name]

    def _input(self, name: str) -> Place:
        if name not in self._inputs.places:
            raise ValueError(f"no input {name}; there are {', '.join(self._inputs.places)}")
        return self._inputs.places[name]

    def _array(self, name: str, value: Any, cycles: int) -> Array:
        port = self._input(name).port
        if isinstance(value, Mapping):
            if port.layout is None:
                raise ValueError(f"{name} has no fields")
            return rows.pack_rows(port.layout, value, cycles)
        if port.width_bits > 64:
            if isinstance(value, int):
                return rows.from_int(value, port.width_bits)
            given = np.asarray(value, np.uint8)
            used = -(-port.width_bits // 8)
            spare = given[:, used:].any() or (
                port.width_bits % 8 and (given[:, used - 1] >> port.width_bits % 8).any()
            )
            if spare:
                raise ValueError(f"{name}: a value does not fit into {port.width_bits} bits")
            return given
        array = np.asarray(value)
        if array.size and (int(array.min()) < 0 or int(array.max()) >> port.width_bits):
            raise ValueError(f"{name}: a value does not fit into {port.width_bits} bits")
        return array

    def _rows(self, inputs: Array | Mapping[str, Any], cycles: int | None) -> tuple[Array, int]:
        if isinstance(inputs, Mapping):
            if cycles is None:
                cycles = max((_length(value) for value in inputs.values()), default=0)
                if not cycles:
                    raise ValueError("no array among the inputs: say for how many cycles")
            return self.inputs(cycles, inputs), cycles
        if inputs.dtype != self.input_type:
            raise ValueError("rows of inputs are made by Model.inputs")
        if cycles is not None and cycles > len(inputs):
            raise ValueError(f"{cycles} cycles, but {len(inputs)} rows of inputs")
        return np.ascontiguousarray(inputs), len(inputs) if cycles is None else cycles

    def _connect(self, stream: _Stream, name: str, feed: Feed) -> None:
        payload = self._input(f"{name}__payload")
        payloads = rows.as_rows(feed.payloads)
        if payloads.shape[1] != payload.size_bytes:
            raise ValueError(f"{name}: payloads of {payloads.shape[1]} bytes")
        feed.payloads = np.ascontiguousarray(payloads)
        stream.count = len(payloads)
        stream.next = feed.taken
        stream.rows = feed.payloads.ctypes.data
        stream.not_before = feed.not_before.ctypes.data
        stream.taken_at = feed._taken_at.ctypes.data
        stream.valid_at = self._input(f"{name}__valid").offset
        stream.payload_at = payload.offset
        stream.payload_bytes = payload.size_bytes
        stream.ready_at = self._output(f"{name}__ready").offset


def _length(value: Any) -> int:
    if isinstance(value, Mapping):
        return max((_length(part) for part in value.values()), default=0)
    return len(value) if np.ndim(value) else 0


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    library.gateware_abi.restype = ctypes.c_uint32
    if library.gateware_abi() != ABI:
        raise RuntimeError(f"{path} is of another version: remove it")
    library.gateware_create.argtypes = (ctypes.c_uint32,)
    library.gateware_create.restype = pointer
    library.gateware_destroy.argtypes = (pointer,)
    library.gateware_destroy.restype = None
    library.gateware_reset.argtypes = (pointer, number)
    library.gateware_reset.restype = None
    library.gateware_cycle.argtypes = (pointer,)
    library.gateware_cycle.restype = number
    library.gateware_run.argtypes = (
        *(pointer, pointer, number, number),
        *(ctypes.POINTER(_Stream), ctypes.c_int32),
        *(pointer, ctypes.c_int32),
        *(pointer, number, ctypes.POINTER(number)),
    )
    library.gateware_run.restype = number
    return library
