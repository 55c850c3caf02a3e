"""Profiles as data: `<directory>/<name>.toml`, checked against the schema; every fault with file and line (T8, L4)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path

from denwa.contracts.faults import ContractFault, Reason
from denwa.contracts.profiles.schema import DatedRule, Profile
from denwa.numbering.toml_source import DataFault, Fault, SourceFault, TomlSource, in_order

# Rules of one kind are told apart by these keys; two with the same keys must differ in their first day.
KINDS: dict[str, tuple[str, ...]] = {
    "withdrawal": ("plans",),
    "term": ("plans",),
    "late_interest": ("debt",),
    "payment": ("method",),
    "billing": ("item",),
    "plan": ("id",),
    "option": ("id",),
    "fee": ("id",),
    "outage": (),
    "dunning": (),
    "evasion": (),
}


class ProfileFault(DataFault):
    """Profiles cannot be used."""


def profile_names(directory: Path) -> list[str]:
    """Names of the profiles in `directory`, sorted."""
    return sorted(file.stem for file in directory.glob("*.toml"))


def check_known(names: Collection[str], name: str) -> None:
    """ContractFault(BAD_VALUE) unless `name` is one of `names`; "" is the service's own terms and always known."""
    if name and name not in names:
        raise _unknown(names, name)


def load_profile(directory: Path, name: str) -> Profile:
    """One profile. Raises ContractFault for a name that there is not, ProfileFault for a file that cannot be used."""
    names = profile_names(directory)
    if name not in names:
        raise _unknown(names, name)
    faults: list[Fault] = []
    profile = _read(directory / f"{name}.toml", faults)
    if profile is None or faults:
        raise ProfileFault(faults)
    return profile


def _unknown(names: Collection[str], name: str) -> ContractFault:
    known = ", ".join(names) or "none"
    return ContractFault(Reason.BAD_VALUE, f"profile: there is no {name!r} (there are: {known})")


def check_profiles(directory: Path) -> list[Fault]:
    """Every fault of every profile in `directory`; empty when all can be used."""
    if not directory.is_dir():
        return [Fault(directory, 1, "no such directory")]
    faults: list[Fault] = []
    for name in profile_names(directory):
        _read(directory / f"{name}.toml", faults)
    return in_order(faults)


def _read(file: Path, faults: list[Fault]) -> Profile | None:
    """The profile in `file`, or None with every fault added to `faults`."""
    try:
        source = TomlSource.read(file)
    except SourceFault as fault:
        faults.append(fault.fault)
        return None
    profile = source.validated(Profile, faults)
    if profile is not None:
        faults += [*_misnamed(source, profile), *_doubled(source, profile), *_misplaced(source, profile)]
    return profile


def _misnamed(source: TomlSource, profile: Profile) -> Iterator[Fault]:
    if profile.name != source.path.stem:
        yield source.fault(("name",), f"name {profile.name!r} is not the file's, {source.path.stem!r}")


def _doubled(source: TomlSource, profile: Profile) -> Iterator[Fault]:
    """Two rules for the same day would make a sum depend on their order."""
    for kind, keys in KINDS.items():
        seen: set[tuple[object, ...]] = set()
        for index, rule in enumerate(_rules(profile, kind)):
            what = tuple(_hashable(getattr(rule, key)) for key in keys)
            start = rule.valid_from or profile.valid_from
            if (what, start) in seen:
                named = f" {'/'.join(map(str, what))}" if what and what != ((),) else ""
                yield source.fault((kind, index), f"{kind}.{index}: a second rule{named} from {start}")
            seen.add((what, start))


def _misplaced(source: TomlSource, profile: Profile) -> Iterator[Fault]:
    """Dates outside the profile's life, and plans that it does not have."""
    if profile.ends and profile.ends < profile.valid_from:
        yield source.fault(("ends",), "ends is before valid_from")
    plans = {plan.id for plan in profile.plan}
    for index, option in enumerate(profile.option):
        if option.id in plans:
            yield source.fault(("option", index, "id"), f"option.{index}.id: {option.id!r} is a plan's")
    for kind in KINDS:
        for index, rule in enumerate(_rules(profile, kind)):
            if rule.valid_from and not profile.valid_from <= rule.valid_from <= (profile.ends or date.max):
                where = f"{kind}.{index}.valid_from"
                yield source.fault((kind, index, "valid_from"), f"{where}: outside the days of the profile")
            for plan in getattr(rule, "plans", ()):
                if plan not in plans:
                    yield source.fault((kind, index, "plans"), f"{kind}.{index}.plans: there is no plan {plan!r}")


def _rules(profile: Profile, kind: str) -> list[DatedRule]:
    rules: list[DatedRule] = getattr(profile, kind)
    return rules


def _hashable(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
