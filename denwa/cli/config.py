"""`denwa config check`: configuration, numbering plan, tariffs and profiles, each fault with file and line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from denwa.cli.box_wiring import access_number_fault
from denwa.cli.demo import MARKER
from denwa.cli.desk import utc_now
from denwa.cli.limits_feed import unknown_countries
from denwa.config.settings import ConfigurationError
from denwa.config.settings_sources import SettingsReading, read_settings
from denwa.contracts.desk import TOKYO
from denwa.contracts.profiles.files import check_profiles
from denwa.numbering.plan import NumberingPlan
from denwa.numbering.plan_files import PlanFault, load_plan
from denwa.rating.tariff_files import check_tariffs, tariff_names
from denwa.voicemail.faults import VoicemailSettingsFault
from denwa.voicemail.mail.templates import read_templates
from denwa.voicemail.setup import open_sounds, pool_options
from denwa.voicemail.transport import SmtpServer, SmtpTransport
from denwa.voip.listen.tls import CertificateFault, Certificates


@click.group()
def config() -> None:
    """The configuration and the data files that it names."""


@config.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.pass_context
def check(ctx: click.Context, file: Path | None) -> None:
    """Check configuration FILE (or the one in force) and every data file: all faults at once, with file and line."""
    path = file or ctx.find_root().obj.get("config") or _from_environment()
    reading = read_settings(path)
    if (reading.settings.data_dir / MARKER).exists():
        reading = read_settings(path, demo=True)
    # What a faulty section names is not known: the data files of the default are looked at instead.
    faults = [*reading.faults, *_certificates(reading), *_voicemail(reading), *_mail(reading), *_data(reading)]
    faults += map(str, check_profiles(reading.settings.billing.profile_directory))
    for text in faults:
        click.echo(text, err=True)
    if faults:
        raise ConfigurationError("1 fault found" if len(faults) == 1 else f"{len(faults)} faults found")
    click.echo(f"{path or 'built-in configuration'}: configuration, numbering plan, tariffs and profiles are sound")


def _from_environment() -> Path | None:
    return Path(os.environ["DENWA_CONFIG"]) if os.environ.get("DENWA_CONFIG") else None


def _certificates(reading: SettingsReading) -> Iterator[str]:
    sip = reading.settings.sip
    if sip.tls_certificate is not None and sip.tls_key is not None:
        try:
            Certificates(sip.tls_certificate, sip.tls_key, sip.tls_ca_file)
        except CertificateFault as fault:
            yield reading.fault(("sip", "tls_certificate"), str(fault))


def _voicemail(reading: SettingsReading) -> Iterator[str]:
    try:
        pool_options(reading.settings, Path())
        open_sounds(reading.settings)
    except VoicemailSettingsFault as fault:
        yield _at_setting(reading, fault)


def _mail(reading: SettingsReading) -> Iterator[str]:
    mail = reading.settings.mail
    if mail.templates is not None and not mail.templates.is_dir():
        yield reading.fault(("mail", "templates"), f"{mail.templates}: no such folder")
    else:
        yield from read_templates(mail.templates)[1]
    if mail.ca_file is not None and not mail.ca_file.is_file():
        yield reading.fault(("mail", "ca_file"), f"{mail.ca_file}: no such file")
    elif mail.smtp_url:
        try:
            SmtpTransport(SmtpServer.from_url(mail.smtp_url), mail.ca_file)
        except VoicemailSettingsFault as fault:
            yield _at_setting(reading, fault)


def _at_setting(reading: SettingsReading, fault: VoicemailSettingsFault) -> str:
    """The fault's text begins with the setting: `voicemail.greeting: …`."""
    setting, _, reason = str(fault).partition(": ")
    return reading.fault(tuple(setting.split(".")), reason)


def _data(reading: SettingsReading) -> Iterator[str]:
    numbering = reading.settings.numbering
    plan = None
    try:
        plan = load_plan(numbering.directory, numbering.operator_file)
    except PlanFault as fault:
        yield from map(str, fault.faults)
    yield from _tariffs(reading, plan)
    if plan is not None:
        if wrong := access_number_fault(reading.settings, plan, utc_now().astimezone(TOKYO).date()):
            yield reading.fault(("voicemail", "access_number"), wrong)
        for key in ("countries_allowed", "countries_denied"):
            for code in unknown_countries(getattr(reading.settings.limits, key), plan):
                yield reading.fault(("limits", key), f"no country {code!r} in the country data")


def _tariffs(reading: SettingsReading, plan: NumberingPlan | None) -> Iterator[str]:
    rating = reading.settings.rating
    names = tariff_names(rating.tariff_directory)
    if rating.tariff not in names:
        known = ", ".join(names) or "none"
        yield reading.fault(
            ("rating", "tariff"), f"no tariff {rating.tariff!r} in {rating.tariff_directory} (there are: {known})"
        )
    yield from map(str, check_tariffs(rating.tariff_directory, plan))
