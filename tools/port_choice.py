# SPDX-License-Identifier: Apache-2.0
"""``--port PATH``, ``PATH:INTERFACE`` or ``verbs:DEVICE``: another port for the lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from host.config import Config, ConfigError, Line

PATHS: tuple[str, ...] = get_args(Line.model_fields["path"].annotation)
"""What a line's ``path`` may be."""


def line_on(line: Line, choice: str) -> Line:
    """The line with path, and interface or device where one is named; raises ConfigError."""
    path, named, interface = choice.partition(":")
    if path not in PATHS:
        raise ConfigError(f"--port {choice}: the path is none of {', '.join(PATHS)}")
    if named and not interface:
        raise ConfigError(f"--port {choice}: no interface behind the colon")
    values = line.model_dump() | {"path": path, "device": ""}
    if path == "verbs":
        if not interface:
            raise ConfigError(f"--port {choice}: needs an RDMA device: verbs:DEVICE")
        values["device"] = interface
    elif interface:
        values["interface"] = interface
    return Line.model_validate(values)


def with_ports(config: Config, choices: Sequence[str]) -> Config:
    """The configuration with other ports: none, one for all lines, or one for each in order.

    Raises :class:`~host.config.ConfigError` in one line.
    """
    lines = config.feed.lines
    if not choices:
        return config
    if len(choices) not in (1, len(lines)):
        raise ConfigError(f"--port is given {len(choices)} times for {len(lines)} lines")
    each = list(choices) if len(choices) == len(lines) else [choices[0]] * len(lines)
    changed = [line_on(line, choice) for line, choice in zip(lines, each, strict=True)]
    return config.model_copy(update={"feed": config.feed.model_copy(update={"lines": changed})})
