"""`denwa`: one module per command, imported when it is used."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from denwa.config.settings import ConfigurationError, Settings
from denwa.config.settings_sources import load_settings

# command -> (module, attribute, one line for --help)
COMMANDS = {
    "serve": ("denwa.cli.serve", "serve", "run the service in the foreground"),
    "subscriber": ("denwa.cli.subscriber", "subscriber", "add, list, show, set, suspend, import subscribers"),
    "block": ("denwa.cli.block", "block", "a subscriber's blocklist"),
    "forward": ("denwa.cli.forward", "forward", "forwardings that the operator stopped"),
    "limits": ("denwa.cli.limits", "limits", "what bounds a subscriber's calls; lift a hold"),
    "congestion": ("denwa.cli.congestion", "congestion", "restrict calls at once and for a set time"),
    "gateways": ("denwa.cli.gateways", "gateways", "gateways of the running service, and how they are"),
    "calls": ("denwa.cli.calls", "calls", "call records, and calls in progress"),
    "rate": ("denwa.cli.rate", "rate", "rate files offline"),
    "dial": ("denwa.cli.dial", "dial", "how a dialled number is read"),
    "export": ("denwa.cli.export", "export", "monthly export"),
    "ledger": ("denwa.cli.ledger", "ledger", "trial balance, corrections, adjustments"),
    "month": ("denwa.cli.month", "month", "show, check or close a billing month"),
    "bill": ("denwa.cli.bill", "bill", "a subscriber's bill, and the proof of one"),
    "profile": ("denwa.cli.profile", "profile", "terms of providers, and what they come to"),
    "payments": ("denwa.cli.payments", "payments", "the billing agent's results, and what is owed"),
    "billing": ("denwa.cli.billing", "billing", "the daily step: unpaid bills, notices, suspensions"),
    "notices": ("denwa.cli.notices", "notices", "what subscribers were told beforehand"),
    "contracts": ("denwa.cli.contracts", "contracts", "suspensions and terminations; contracts without bills"),
    "numbers": ("denwa.cli.numbers", "numbers", "numbers in use, stopped, resting on a day"),
    "adjust": ("denwa.cli.adjust", "adjust", "charges and credits beside calls"),
    "voicemail": ("denwa.cli.voicemail", "voicemail", "messages of a subscriber"),
    "mail": ("denwa.cli.mail", "mail", "mails to subscribers, and a test of the mail server"),
    "config": ("denwa.cli.config", "config", "check configuration and data files"),
    "db": ("denwa.cli.db", "db", "schema migration and consistency"),
    "trace": ("denwa.cli.trace", "trace", "the message ladder of a call"),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in COMMANDS])


class StateError(Exception):
    """The data or the state does not allow it: exit code 1, the text on stderr."""


@click.group(cls=_Lazy)
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML file (or DENWA_CONFIG)")
@click.pass_context
def denwa(ctx: click.Context, config_file: Path | None) -> None:
    """Denwa: a 050 telephone service."""
    ctx.obj = {"config": config_file}


def settings_of(ctx: click.Context, *, demo: bool = False, config: Path | None = None) -> Settings:
    """Settings for a command: a data folder that the demo made is read with the demo's defaults."""
    config = config or ctx.find_root().obj.get("config")
    settings = load_settings(config, demo=demo)
    if not demo and (settings.data_dir / "demo").exists():
        settings = load_settings(config, demo=True)
    return settings


def main() -> None:
    """Exit codes: 0 done, 1 data or state does not allow it, 2 usage or configuration."""
    try:
        denwa(standalone_mode=False)
    except click.exceptions.Exit as leave:
        sys.exit(leave.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.UsageError as fault:
        fault.show()
        sys.exit(2)
    except ConfigurationError as fault:
        click.echo(f"denwa: {fault}", err=True)
        sys.exit(2)
    except (StateError, click.ClickException) as fault:
        click.echo(f"denwa: {fault.format_message() if isinstance(fault, click.ClickException) else fault}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)
