"""Loading the number plan: files checked against their schema, every fault told with file and line (T8)."""

from __future__ import annotations

from pathlib import Path

from denwa.numbering.plan import NumberingPlan, OwnRange
from denwa.numbering.plan_checks import check_plan
from denwa.numbering.plan_rules import DIGITS_050, dates_of, rules_of
from denwa.numbering.reading import Country
from denwa.numbering.schema import FILE_KINDS, CountriesFile, OperatorFile, PlanFile
from denwa.numbering.tables import DatedRules
from denwa.numbering.toml_source import DataFault, Fault, SourceFault, TomlSource


class PlanFault(DataFault):
    """The number plan's files cannot be used."""


def load_plan(directory: Path, operator_file: Path) -> NumberingPlan:
    """Every plan file (``*.toml``) of a directory and one operator's file. Raises PlanFault.

    Operators' files that lie in the directory are passed over, except the one that is asked for.
    """
    faults: list[Fault] = []
    files = _read_all(directory, operator_file, faults)
    rules = [rule for source, file in files for rule in rules_of(source, file)]
    faults += check_plan(files, rules)
    if faults:
        raise PlanFault(faults)
    dated = DatedRules()
    for item in rules:
        getattr(dated, item.group).append(item.rule)
    own = [found for _, file in files if isinstance(file, OperatorFile) for found in _own_ranges(file)]
    return NumberingPlan(dated, own, _countries(files))


def _read_all(directory: Path, operator_file: Path, faults: list[Fault]) -> list[tuple[TomlSource, PlanFile]]:
    wanted = operator_file.resolve()
    plan_files = sorted(path for path in directory.glob("*.toml") if path.resolve() != wanted)
    files: list[tuple[TomlSource, PlanFile]] = []
    known_japan = False  # a file that cannot be read may be the one
    for path in [*plan_files, operator_file]:
        try:
            source = TomlSource.read(path)
        except SourceFault as fault:
            faults.append(fault.fault)
            known_japan = known_japan or path is not operator_file
            continue
        known_japan = known_japan or source.data.get("kind") == "japan"
        file = _checked(source, path is operator_file, faults)
        if file:
            files.append((source, file))
    if not any(directory.glob("*.toml")):
        faults.append(Fault(directory, 1, "no number plan: the directory has no *.toml file"))
    elif not known_japan:
        faults.append(Fault(directory, 1, 'no number plan of Japan: no file has kind = "japan"'))
    return files


def _checked(source: TomlSource, operator: bool, faults: list[Fault]) -> PlanFile | None:
    kind = source.data.get("kind")
    if (kind == "operator") != operator:
        if operator:
            faults.append(source.fault(("kind",), 'an operator\'s file has kind = "operator"'))
        return None
    if not isinstance(kind, str) or kind not in FILE_KINDS:
        faults.append(source.fault(("kind",), f"kind must be one of {', '.join(sorted(FILE_KINDS))}"))
        return None
    return source.validated(FILE_KINDS[kind], faults)


def _own_ranges(file: OperatorFile) -> list[OwnRange]:
    found = []
    for own in file.own:
        rest = DIGITS_050 - len(own.prefix)
        e164 = "+81" + own.prefix[1:]
        found.append(OwnRange(e164 + "0" * rest, e164 + "9" * rest, len(e164) - 1, *dates_of(file, own)))
    return found


def _countries(files: list[tuple[TomlSource, PlanFile]]) -> list[Country]:
    """Countries and regions of the tariff in the order of the files, each once though it may have several entries."""
    found = {
        entry.code: Country(entry.code, entry.name, entry.name_en)
        for _, file in files
        if isinstance(file, CountriesFile)
        for entry in file.country
    }
    return list(found.values())
