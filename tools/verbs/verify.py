# SPDX-License-Identifier: Apache-2.0
"""``tickwire verify``: captures against the journal."""

from __future__ import annotations

from pathlib import Path

import click

from tools.report import as_json


@click.command()
@click.argument("captures", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--journal", required=True, type=click.Path(path_type=Path), help="The appliance's journal."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="TCP port of the exchange's order entry; found out by itself without it.",
)
@click.option("--json", "wants_json", is_flag=True, help="Print one JSON object.")
def command(captures: tuple[Path, ...], journal: Path, port: int | None, wants_json: bool) -> None:
    """Prove that what went over the wire is what the appliance recorded, message by message.

    CAPTURES are what tcpdump recorded of order entry (pcap or pcapng). Exit code 0: all agree, 1:
    something differs, 2: it could not be done.

    Example: tickwire verify orders.pcap --journal journal.bin
    """
    from host.journal.reader import JournalError
    from nic.port import PortError
    from tools.verify import verify

    try:
        report = verify(list(captures), journal, port)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    except (PortError, JournalError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if wants_json:
        click.echo(as_json(report.to_dict()), nl=False)
    else:
        for line in report.lines():
            click.echo(line)
    if not report.ok:
        raise click.exceptions.Exit(1)
