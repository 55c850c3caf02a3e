"""Mails as template files (M3-M5): `ja/NAME.txt`, `en/NAME.txt`; the operator's folder comes before the shipped one.

A file begins with `Subject: …` and an empty line; the rest is the text. Placeholders are Jinja's: `{{ caller }}`.
Everything is read and tried once, when the service starts: a fault is named by file and line, and never met by a mail.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2 import Template as Compiled
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from denwa.config.settings import DATA
from denwa.voicemail.letters import LetterFault
from denwa.voicemail.mail.words import EVERYWHERE, PLACEHOLDERS, SAMPLE, placeholders

SHIPPED = DATA / "mail"
LANGUAGES = ("ja", "en")
_HEAD = "Subject: "
_SUFFIX = ".txt"

_environment = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
)


@dataclass(frozen=True, slots=True)
class Template:
    """One file."""

    path: Path
    names: frozenset[str]  # the placeholders it uses
    lines: Mapping[str, int]  # where each is used first
    _subject: Compiled
    _text: Compiled

    def render(self, values: Mapping[str, Any]) -> tuple[str, str]:
        """(subject on one line, text). Raises LetterFault with file and line."""
        try:
            subject = " ".join(self._subject.render(values).split())
            return subject, self._text.render(values).removeprefix("\n\n")
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as fault:
            raise LetterFault(f"{self.path}:{_line(fault, self.path)}: {fault}") from None


class Templates:
    """Every mail of both languages; made by `read_templates`."""

    def __init__(self, files: Mapping[tuple[str, str], Template]) -> None:
        self._files = files

    def render(self, kind: str, language: str, values: Mapping[str, Any]) -> tuple[str, str] | None:
        """(subject, text) in one language; None when there is no such file. Raises LetterFault."""
        template = self._files.get((kind, language))
        return template.render(values) if template is not None else None


def read_templates(own: Path | None) -> tuple[Templates, list[str]]:
    """The templates of the operator's folder `own` and, for the others, the shipped ones; a line for each fault."""
    shipped, faults = _read_folder(SHIPPED)
    files = dict(shipped)
    if own is not None:
        if not own.is_dir():
            return Templates(files), [f"{own}: no such folder"]
        found, faults_of_own = _read_folder(own)
        faults += faults_of_own
        known = {kind for kind, _ in shipped}
        for (kind, language), template in found.items():
            if kind not in known:
                faults.append(f"{template.path}:1: there is no mail {kind}; there are {', '.join(sorted(known))}")
            files[kind, language] = template
    for (kind, language), template in files.items():
        faults += _faults_of(template, language, _allowed(kind, shipped))
    return Templates(files), faults


def shipped_templates() -> Templates:
    """Those without an operator's folder."""
    return read_templates(None)[0]


def _read_folder(folder: Path) -> tuple[dict[tuple[str, str], Template], list[str]]:
    files: dict[tuple[str, str], Template] = {}
    faults = []
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.name.startswith("."):
            continue
        if path.suffix != _SUFFIX or path.parent.parent != folder or path.parent.name not in LANGUAGES:
            faults.append(f"{path}: not a template: those are {' and '.join(f'{one}/NAME.txt' for one in LANGUAGES)}")
            continue
        try:
            files[path.stem, path.parent.name] = _read(path)
        except LetterFault as fault:
            faults.append(str(fault))
    return files, faults


def _read(path: Path) -> Template:
    """Raises LetterFault with file and line."""
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as fault:
        raise LetterFault(f"{path}: {fault.strerror}") from None
    except UnicodeDecodeError as fault:
        line = path.read_bytes()[: fault.start].count(b"\n") + 1
        raise LetterFault(f"{path}:{line}: not UTF-8") from None
    head, _, rest = source.partition("\n")
    if not head.startswith(_HEAD) or not head.removeprefix(_HEAD).strip():
        raise LetterFault(f"{path}:1: the first line must be {_HEAD}…")
    empty, _, text = rest.partition("\n")
    if empty.strip():
        raise LetterFault(f"{path}:2: an empty line must follow the subject")
    subject, text = head.removeprefix(_HEAD), "\n\n" + text  # lines keep their numbers
    try:
        trees = [_environment.parse(part, filename=str(path)) for part in (subject, text)]
        compiled = [_compile(part, path) for part in (subject, text)]
    except TemplateSyntaxError as fault:
        raise LetterFault(f"{path}:{fault.lineno}: {fault.message}") from None
    names = frozenset(name for tree in trees for name in find_undeclared_variables(tree))
    return Template(path, names, dict(_first_lines(trees)), *compiled)


def _compile(source: str, path: Path) -> Compiled:
    code = _environment.compile(source, name=str(path), filename=str(path))
    return Compiled.from_code(_environment, code, {})


def _first_lines(trees: Iterable[nodes.Template]) -> Iterator[tuple[str, int]]:
    for tree in reversed(list(trees)):
        for name in reversed(list(tree.find_all(nodes.Name))):
            yield name.name, name.lineno


def _allowed(kind: str, shipped: Mapping[tuple[str, str], Template]) -> frozenset[str]:
    """Of kinds that other parts of the program write, those that the shipped files use."""
    used = [shipped[kind, language].names for language in LANGUAGES if (kind, language) in shipped]
    return EVERYWHERE | PLACEHOLDERS.get(kind, frozenset().union(*used))


def _faults_of(template: Template, language: str, allowed: frozenset[str]) -> Iterator[str]:
    unknown = sorted(template.names - allowed, key=lambda name: template.lines[name])
    for name in unknown:
        where, known = f"{template.path}:{template.lines[name]}", ", ".join(sorted(allowed))
        yield f"{where}: there is no {{{{ {name} }}}} in this mail; there are {known}"
    if unknown:
        return
    try:
        for attached in (True, False):
            anything = dict.fromkeys(allowed, "x")
            subject, _ = template.render(anything | placeholders(SAMPLE, language, "Denwa", attached=attached))
            if not subject:
                yield f"{template.path}:1: the subject comes out empty"
                return
    except LetterFault as fault:
        yield str(fault)


def _line(fault: BaseException, path: Path) -> int:
    lines = [frame.lineno for frame in traceback.extract_tb(fault.__traceback__) if frame.filename == str(path)]
    return (lines[-1] if lines else None) or 1
