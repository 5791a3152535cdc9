# SPDX-License-Identifier: Apache-2.0
"""The ``tickwire`` command: its verbs, and how it ends.

Exit codes: 0 done, 1 done and something is wrong (a difference found, a test failed), 2 it could
not be done as asked (one line says why), 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

VERBS = {
    "demo": "the whole way once: exchange, feed, strategy, orders, captures, proof",
    "test": "the tests and the house rules",
    "replay": "a capture through feed handler, book and strategy",
    "run": "the appliance by itself, as a configuration says",
    "follow": "follow the feed that an appliance publishes in this machine",
    "exchange": "the simulated exchange by itself, as a configuration says",
    "verify": "prove that a capture holds what the journal recorded",
    "doctor": "what this machine supports, and what to do about the rest",
    "bench": "the benchmarks, each beside its peers",
    "soak": "billions of events through the broadcast ring, each checked",
    "hw": "the gateware: build, test, prove, report",
}


class Verbs(click.Group):
    """Loads a verb's module only when it is used, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order they are shown."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb; ``None`` where there is none of that name."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"tools.verbs.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tickwire")
def tickwire() -> None:
    """tickwire: from the packet to the order and back.

    Example: tickwire demo --seconds 20
    """


def main() -> None:
    """Run the command; every refusal is one line on standard error."""
    sys.path.append(os.getcwd())  # strategies named module:Class stand where the user does
    try:
        code = tickwire.main(standalone_mode=False, prog_name="tickwire")
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        print(help_wanted.format_message())
        code = 0
    except click.ClickException as error:
        print(f"tickwire: {error.format_message().splitlines()[0]}", file=sys.stderr)
        code = 2
    except (click.Abort, KeyboardInterrupt):
        print("tickwire: stopped", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone: nobody is left to tell
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
