"""Settings out of their sources, later ones winning, and every fault named by where it is written.

Built-in default < demo file (``--demo``) < ``DENWA_CONFIG`` / ``--config`` < environment: the short names
(``DENWA_SIP_BIND``, ``DENWA_SIP_PORT``, ``DENWA_HTTP_BIND``, ``DENWA_HTTP_PORT``), then ``DENWA_SECTION__KEY`` and
``DENWA_DATA_DIR``. A list in the environment is written in JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from denwa.config.settings import DEMO_FILE, ConfigurationError, Settings
from denwa.config.settings_checks import check_settings
from denwa.numbering.toml_lines import Location
from denwa.numbering.toml_source import SourceFault, TomlSource

_PREFIX = "DENWA_"
_SHORT_NAMES = {
    "DENWA_SIP_BIND": ("sip", "bind"),
    "DENWA_SIP_PORT": ("sip", "port"),
    "DENWA_HTTP_BIND": ("http", "bind"),
    "DENWA_HTTP_PORT": ("http", "port"),
}


class SettingsReading(NamedTuple):
    """``settings`` can be used only when there are no ``faults``; each is one line for a person.

    With faults, ``settings`` has its defaults where a section is faulty, so that what it names can be checked too.
    """

    settings: Settings
    faults: tuple[str, ...]
    sources: Sources

    def fault(self, location: Location, reason: str) -> str:
        """A fault of a setting, at the place where it was set."""
        return self.sources.fault(location, reason)


class Sources:
    """What each source gives, and all of it together (``values``)."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._files: list[TomlSource] = []
        self._variables: dict[Location, str] = {}

    def add_file(self, source: TomlSource) -> None:
        self._files.append(source)
        _merge(self.values, source.data)

    def add_variable(self, name: str, location: tuple[str, ...], value: Any) -> None:
        self._variables[location] = name
        for key in reversed(location):
            value = {key: value}
        _merge(self.values, value)

    def fault(self, location: Location, reason: str) -> str:
        """One line: where the value comes from, the setting, the reason."""
        setting = ".".join(map(str, location))
        for end in range(len(location), 0, -1):
            if variable := self._variables.get(location[:end]):
                return f"{variable}: {setting}: {reason}"
            for source in reversed(self._files):
                if _has(source.data, location[:end]):
                    return str(source.fault(location, f"{setting}: {reason}"))
        for place, variable in self._variables.items():
            if place[: len(location)] == location:
                return f"{variable}: {setting}: {reason}"
        where = f"{self._files[-1].path}:1" if self._files else "settings"
        return f"{where}: {setting}: {reason}"


def load_settings(
    config: Path | None = None, *, demo: bool = False, environ: Mapping[str, str] | None = None
) -> Settings:
    """Read all sources. Raises ConfigurationError with a text for a person: a line for each fault."""
    reading = read_settings(config, demo=demo, environ=environ)
    if reading.faults:
        raise ConfigurationError("\n".join(reading.faults))
    return reading.settings


def read_settings(
    config: Path | None = None, *, demo: bool = False, environ: Mapping[str, str] | None = None
) -> SettingsReading:
    """Read all sources and gather every fault."""
    env = os.environ if environ is None else environ
    config = config or (Path(env["DENWA_CONFIG"]) if env.get("DENWA_CONFIG") else None)
    sources = Sources()
    faults: list[str] = []
    for path in [DEMO_FILE] * demo + ([config] if config else []):
        try:
            sources.add_file(TomlSource.read(path))
        except SourceFault as fault:
            faults.append(str(fault))
    faults += _add_environment(sources, env)
    for name in sources.values.keys() - Settings.model_fields.keys():
        faults.append(sources.fault((name,), "there is no such section or setting"))
        sources.values.pop(name)
    if demo:
        sources.values["demo"] = True
    try:
        settings = Settings.model_validate(sources.values)
    except ValidationError as invalid:
        faults += _explained(sources, invalid)
        settings = _usable(sources.values)
    faults += [sources.fault(location, reason) for location, reason in check_settings(settings)]
    return SettingsReading(settings, tuple(sorted(faults, key=_by_line)), sources)


def _add_environment(sources: Sources, env: Mapping[str, str]) -> Iterator[str]:
    for name, short in _SHORT_NAMES.items():
        if env.get(name):
            sources.add_variable(name, short, env[name])
    for name, text in sorted(env.items()):
        location = tuple(name.removeprefix(_PREFIX).lower().split("__"))
        if not name.startswith(_PREFIX) or (len(location) == 1 and location[0] not in Settings.model_fields):
            continue
        value: Any = text
        if _written_in_json(location):
            try:
                value = json.loads(text)
            except ValueError as fault:
                yield f"{name}: {'.'.join(location)}: not JSON: {fault}"
                continue
        sources.add_variable(name, location, value)


def _written_in_json(location: tuple[str, ...]) -> bool:
    """Whether a setting is a list, or a whole section: what one piece of text cannot spell."""
    kind: Any = Settings
    for key in location:
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)) or key not in kind.model_fields:
            return False
        kind = kind.model_fields[key].annotation
    return get_origin(kind) is list or (isinstance(kind, type) and issubclass(kind, BaseModel))


def _explained(sources: Sources, invalid: ValidationError) -> Iterator[str]:
    for error in invalid.errors():
        yield sources.fault(error["loc"], error["msg"].removeprefix("Value error, "))


def _usable(values: Mapping[str, Any]) -> Settings:
    """The sections without a fault; the others as they are by default."""
    usable: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        try:
            kind: Any = field.annotation
            section: TypeAdapter[Any] = TypeAdapter(kind)
            usable[name] = section.validate_python(values[name])
        except (KeyError, ValidationError):
            continue
    return Settings.model_construct(**usable)


def _by_line(fault: str) -> tuple[str, int, str]:
    """Files in order, lines of a file in order of their numbers."""
    where, _, rest = fault.partition(": ")
    file, colon, line = where.rpartition(":")
    return (file, int(line), rest) if colon and line.isdigit() else (where, 0, rest)


def _has(data: Any, location: Iterable[str | int]) -> bool:
    for step in location:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, dict) else value
