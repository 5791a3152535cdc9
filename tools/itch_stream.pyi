# SPDX-License-Identifier: Apache-2.0
import numpy as np
from numpy.typing import NDArray

def generate(
    messages: int, symbols: int = 500, live_orders: int = 220_000, seed: int = 1
) -> NDArray[np.uint8]: ...
