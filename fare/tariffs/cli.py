"""`mancard tariff`: check, quote, diff and publish a tariff folder."""

from __future__ import annotations

import typer

from fare.tariffs.checking import check_command
from fare.tariffs.diffing import diff_command
from fare.tariffs.publication.cli import publish_command
from fare.tariffs.quoting import quote_command

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
app.command("check")(check_command)
app.command("quote")(quote_command)
app.command("diff")(diff_command)
app.command("publish")(publish_command)
