"""`denwa config check`: configuration, numbering plan and tariffs, each fault with file and line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from denwa.cli.main import settings_of
from denwa.config.settings import ConfigurationError, Settings
from denwa.numbering.plan_files import PlanFault, load_plan
from denwa.numbering.toml_source import SourceFault, TomlSource
from denwa.rating.tariff_files import TariffFault, check_tariffs, load_tariff


@click.group()
def config() -> None:
    """The configuration and the data files that it names."""


@config.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.pass_context
def check(ctx: click.Context, file: Path | None) -> None:
    """Check configuration FILE (or the one in force), numbering plan and tariffs."""
    path = file or ctx.find_root().obj.get("config") or _from_environment()
    faults: list[str] = []
    try:
        settings = settings_of(ctx, config=path)
    except ConfigurationError as fault:
        faults += [_with_line(line, path) for line in str(fault).splitlines()]
    else:
        faults += [*_files(settings, path), *_plan(settings), *_tariffs(settings)]
    for text in faults:
        click.echo(text, err=True)
    if faults:
        raise ConfigurationError(f"{len(faults)} faults found")
    click.echo(f"{path or 'built-in configuration'}: configuration, numbering plan and tariffs are sound")


def _from_environment() -> Path | None:
    return Path(os.environ["DENWA_CONFIG"]) if os.environ.get("DENWA_CONFIG") else None


def _with_line(text: str, path: Path | None) -> str:
    """Put the line into `file: a.b.c: problem`, where a, b, c lead to a value of the file."""
    where, _, rest = text.partition(": ")
    if path is None or where != str(path):
        return text
    try:
        source = TomlSource.read(path)
    except SourceFault as fault:
        return str(fault)
    steps = rest.partition(": ")[0].split(".")
    return str(source.fault(tuple(int(step) if step.isdigit() else step for step in steps), rest))


def _files(settings: Settings, path: Path | None) -> Iterator[str]:
    for key, file in (("voicemail.greeting", settings.voicemail.greeting), ("mail.ca_file", settings.mail.ca_file)):
        if file is not None and not file.is_file():
            text = f"{key}: {file}: no such file"
            yield _with_line(f"{path}: {text}", path) if path else text


def _plan(settings: Settings) -> Iterator[str]:
    try:
        load_plan(settings.numbering.directory, settings.numbering.operator_file)
    except PlanFault as fault:
        yield from map(str, fault.faults)


def _tariffs(settings: Settings) -> Iterator[str]:
    directory = settings.rating.tariff_directory
    faults = check_tariffs(directory)
    yield from map(str, faults)
    if not faults:
        try:
            load_tariff(directory, settings.rating.tariff)
        except TariffFault as fault:
            yield from map(str, fault.faults)
