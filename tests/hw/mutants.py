# SPDX-License-Identifier: Apache-2.0
"""Components with a fault: the same source with one place changed."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any


def mutant(component: Any, old: str, new: str) -> Any:
    """A class or function of a module in which the one occurrence of ``old`` says ``new``."""
    module = sys.modules[component.__module__]
    source = inspect.getsource(module)
    if source.count(old) != 1:
        raise ValueError(f"{old!r} occurs {source.count(old)} times in {module.__name__}")
    changed = ModuleType(f"{module.__name__}_mutant")
    changed.__dict__["__file__"] = module.__file__
    sys.modules[changed.__name__] = changed
    code = compile(source.replace(old, new), str(module.__file__), "exec", dont_inherit=True)
    exec(code, changed.__dict__)
    return getattr(changed, component.__name__)
