# SPDX-License-Identifier: Apache-2.0
"""Types of :mod:`nic.framing.parser`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nic.framing.reference import LineSettings, ParsedFrame

class LineParser:
    """One line's parser, as :class:`nic.framing.reference.ReferenceParser`."""

    settings: LineSettings
    def __init__(self, settings: LineSettings) -> None: ...
    @property
    def counters(self) -> dict[str, int]: ...
    def frame(self, frame: bytes | bytearray | memoryview, error: bool = False) -> ParsedFrame: ...
    def frames(
        self,
        data: bytes | bytearray | memoryview | NDArray[np.uint8],
        lengths: NDArray[np.uint32],
        errors: NDArray[np.uint8] | None = None,
    ) -> dict[str, NDArray[Any]]: ...
