"""`denwa config check` (T8): what it says of each kind of fault, to the letter, and that one fault hides no other."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.terminal import Terminal, open_terminal

FILES = {
    "denwa.toml": """[sip]
port = 5060

[numbering]
directory = "{folder}/plan"
operator_file = "{folder}/operator.toml"

[rating]
tariff_directory = "{folder}/tariffs"
""",
    "plan/japan.toml": """kind = "japan"
valid_from = 2020-01-01
after_area = ["177"]

[[block]]
class = "mobile"
prefixes = ["070", "080", "090"]
digits = 11

[[block]]
class = "paid-050"
prefixes = ["050"]
digits = 11

[[bar]]
reason = "emergency"
prefixes = ["110", "119"]

[[area]]
region = "東京"
codes = ["03"]
""",
    "plan/countries.toml": """kind = "countries"
valid_from = 2020-01-01

[[country]]
code = "FR"
name = "フランス"
name_en = "France"
prefixes = ["331", "336"]
digits = [11, 11]

[[country]]
code = "FR"
name = "フランス"
name_en = "France"
prefixes = ["337"]
digits = [11, 11]

[[excluded]]
name = "フランスの特別料金"
name_en = "French special rates"
prefixes = ["338"]
""",
    "plan/world.toml": """kind = "world"
valid_from = 2020-01-01

[codes]
20 = "エジプト"
""",
    "operator.toml": """kind = "operator"

[[own]]
prefix = "0505001"

[[partner]]
name = "A"
prefixes = ["0501000"]

[[bar]]
prefixes = ["+338"]
""",
    "tariffs/consumption-tax.toml": """schema = 1

[[rate]]
valid_from = 2014-04-01
percent = 8

[[rate]]
valid_from = 2019-10-01
percent = 10
""",
    "tariffs/default/2020-01-01.toml": """schema = 1
name = "default"
valid_from = 2020-01-01

[credit]
yen = 100
"""
    + "".join(
        f'\n[[price]]\nclass = "{name}"\nunit_ms = 30000\nyen_per_unit = {yen}\ntax = "{tax}"\n'
        for name, yen, tax in [
            ("on-net", 0, "taxed"), ("partner-050", 0, "taxed"), ("paid-050", 8, "taxed"), ("fixed", 8, "taxed"),
            ("mobile", 8, "taxed"), ("international", 8, "exempt"),
        ]
    ),
}  # fmt: skip
TARIFF = "tariffs/default/2020-01-01.toml"
TAX = "tariffs/consumption-tax.toml"
LATER = FILES[TARIFF].replace("2020-01-01", "2026-01-01")


class Installation:
    """A service's files, sound until one is changed."""

    def __init__(self, folder: Path, terminal: Terminal) -> None:
        self.folder = folder
        self.terminal = terminal
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("{folder}", str(self.folder)), encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new, 1))

    def check(self) -> list[str]:
        """What is said on stderr, the folder left out; the exit code and the count of faults are looked at here."""
        ended = self.terminal("config", "check", str(self.folder / "denwa.toml"))
        lines = ended.err.replace(f"{self.folder}/", "").splitlines()
        if ended.code:
            last = lines.pop()
            assert (ended.code, last) == (2, f"denwa: {len(lines)} fault{'s' * (len(lines) > 1)} found")
        return lines


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Installation:
    return Installation(tmp_path / "service", open_terminal(tmp_path, monkeypatch, capsys))


class Row(NamedTuple):
    """A change to one file and what is said then. `old` empty: `new` is put at the end of the file."""

    file: str
    old: str
    new: str
    said: tuple[str, ...]


def row(file: str, old: str, new: str, *said: str) -> Row:
    return Row(file, old, new, said)


SETTINGS = [
    row("denwa.toml", "port = 5060", "port = 0", "denwa.toml:2: sip.port: Input should be greater than or equal to 1"),
    row(
        "denwa.toml", "port = 5060", "prot = 5060", "denwa.toml:2: sip.prot: Extra inputs are not permitted"
    ),
    row("denwa.toml", "[sip]", "[sipp]", "denwa.toml:1: sipp: there is no such section or setting"),
    row(
        "denwa.toml", "port = 5060", "domains = []",
        "denwa.toml:2: sip.domains: List should have at least 1 item after validation, not 0",
    ),
    row(
        "denwa.toml", "port = 5060", "min_expires = 60\nmax_expires = 600",
        "denwa.toml:3: sip.max_expires: 600 is less than sip.default_expires, 3600",
    ),
    row(
        "denwa.toml", "port = 5060", "min_expires = 3601",
        "denwa.toml:1: sip.default_expires: 3600 is less than sip.min_expires, 3601",
    ),
    row(
        "denwa.toml", "", '\n[[gateways]]\nname = "a"\nhost = "h"\n\n[[gateways]]\nname = "a"\nhost = ""\n',
        "denwa.toml:16: gateways.1.name: there is a gateway 'a' already",
        "denwa.toml:17: gateways.1.host: the host is missing",
    ),
    row(
        "denwa.toml", "", '\n[[gateways]]\nhost = "h"\naddresses = [\n  "h:5060",\n  "h:sip",\n]\nname = "a"\n',
        "denwa.toml:15: gateways.0.addresses.1: 'h:sip' is not HOST or HOST:PORT",
    ),
    row("denwa.toml", "", '\n[[gateways]]\nhost = "h"\n', "denwa.toml:11: gateways.0.name: Field required"),
    row(
        "denwa.toml", "", '\n[media]\nrtpengine = "2223"\n',
        "denwa.toml:12: media.rtpengine: '2223' is not ADDRESS:PORT",
    ),
    row("denwa.toml", "", '\n[mail]\nfrom = "denwa"\n', "denwa.toml:12: mail.from: 'denwa' is no mail address"),
    row(
        "denwa.toml", "", '\n[mail]\nsmtp_url = "mail.example"\n',
        "denwa.toml:12: mail.smtp_url: write smtp://user:password@host:587 or smtps://user:password@host",
    ),
    row("denwa.toml", "", '\n[mail]\nca_file = "/no/ca.pem"\n',
        "denwa.toml:12: mail.ca_file: /no/ca.pem: no such file"),
    row(
        "denwa.toml", "", '\n[database]\nurl = "mysql://root:secret@db/denwa"\n',
        "denwa.toml:12: database.url: write postgresql://user:password@host/name",
    ),
    row(
        "denwa.toml", "", '\n[voicemail]\ngreeting = "/no/such.wav"\n',
        "denwa.toml:12: voicemail.greeting: /no/such.wav: No such file or directory",
    ),
    row(
        "denwa.toml", "", "\n[voicemail]\nrtp_port_min = 20000\nrtp_port_max = 20003\n",
        "denwa.toml:13: voicemail.rtp_port_max: 28 workers need 448 ports",
    ),
    row(
        "denwa.toml", "[rating]\n", '[rating]\ntariff = "gold"\n',
        "denwa.toml:9: rating.tariff: no tariff 'gold' in tariffs (there are: default)",
    ),
    row(
        "denwa.toml", "[rating]", "[rating",
        "denwa.toml:8: Expected ']' at the end of a table declaration (column 8)",
    ),
]  # fmt: skip

NUMBERING = [
    row("plan/japan.toml", 'kind = "japan"', 'kind = "nippon"',
        "plan:1: no number plan of Japan: no file has kind = \"japan\"",
        "plan/japan.toml:1: kind must be one of countries, japan, operator, world"),
    row("plan/japan.toml", "valid_from = 2020-01-01", 'valid_from = "2020-01-01"',
        "plan/japan.toml:2: valid_from: Input should be a valid date"),
    row("plan/japan.toml", "valid_from = 2020-01-01", "valid_from = 2020-01-01\nvalid_to = 2019-12-31",
        "plan/japan.toml:1: valid_to is before valid_from"),
    row("plan/japan.toml", 'class = "mobile"', 'class = "pager"',
        "plan/japan.toml:6: block.0.class: Input should be 'fixed', 'mobile' or 'paid-050'"),
    row("plan/japan.toml", 'digits = 11', "digits = 2",
        "plan/japan.toml:8: block.0.digits: Input should be greater than or equal to 4"),
    row("plan/japan.toml", '["177"]', '["1177"]',
        "plan/japan.toml:3: after_area.0: '1177' is not a 3-digit service (1XY)"),
    row("plan/japan.toml", '"090"]', '"+90"]',
        "plan/japan.toml:7: block.0.prefixes.2: '+90' is not the beginning of a number dialled in Japan"),
    row("plan/japan.toml", '["03"]', '["3"]',
        "plan/japan.toml:21: area.0.codes.0: '3' is not an area code or the beginning of one: 0 and 1 to 5 digits"),
    row("plan/japan.toml", '["03"]', '["03"]\nprefixes = ["04"]',
        "plan/japan.toml:19: area.0: prefixes go with one area code, and begin with it"),
    row("plan/japan.toml", '"119"]', '"119", "110"]',
        "plan/japan.toml:17: prefix 110 is already given in japan.toml, line 17"),
    row("plan/japan.toml", '["110", "119"]', '["090", "119"]',
        "plan/japan.toml:17: prefix 090 is already given in japan.toml, line 7"),
    row("plan/japan.toml", '[[area]]', '[[area]]\nvalid_to = 2019-01-01',
        "plan/japan.toml:19: never in force: its days and its file's days do not meet"),
    row("plan/japan.toml", 'prefixes = ["070", "080", "090"]\ndigits = 11', 'prefixes = ["09012"]\ndigits = 4',
        "plan/japan.toml:7: prefix 09012 is longer than the numbers, which have 4 digits"),
    row("plan/countries.toml", 'code = "FR"', 'code = "France"',
        "plan/countries.toml:5: country.0.code: 'France' is not the code of a country (FR) or of a part of one"
        " (US-HI)"),
    row("plan/countries.toml", '"336"', '"+336"',
        "plan/countries.toml:8: country.0.prefixes.1: '+336' is not a range abroad: the country code and more digits,"
        " without +"),
    row("plan/countries.toml", "digits = [11, 11]", "digits = [11, 9]",
        "plan/countries.toml:4: country.0: digits must be [least, most] within 7 to 15"),
    row("plan/countries.toml", '["337"]', '["336"]',
        "plan/countries.toml:15: prefix 336 is already given in countries.toml, line 8"),
    row("plan/countries.toml", '["337"]', '["8150"]',
        "plan/countries.toml:15: prefix 8150 is in Japan, which is no country abroad"),
    row("plan/countries.toml", 'name_en = "France"\nprefixes = ["337"]', 'name_en = "Frace"\nprefixes = ["337"]',
        "plan/countries.toml:11: FR is フランス (France) in an earlier entry"),
    row("plan/world.toml", "20 =", "203 =", "plan/world.toml:5: 203 is not a country code of ITU-T E.164"),
    row("plan/world.toml", '"エジプト"', '""',
        "plan/world.toml:5: codes.20: String should have at least 1 character"),
    row("operator.toml", '"operator"', '"japan"', "operator.toml:1: an operator's file has kind = \"operator\""),
    row("operator.toml", '"0505001"', '"035001"',
        "operator.toml:4: own.0.prefix: '035001' is not an own range of 050 numbers: 050 and 1 to 7 digits"),
    row("operator.toml", '"0501000"', '"0801000"',
        "operator.toml:8: partner.0.prefixes.0: '0801000' is not a range of 050 numbers: 050 and at most 8 digits"),
    row("operator.toml", '"0501000"', '"0505001"',
        "operator.toml:8: prefix 0505001 is already given in operator.toml, line 4"),
    row("operator.toml", '"0501000"', '"05050017"',
        "operator.toml:8: a partner's range 05050017 lies within own range 0505001 (operator.toml, line 4)"),
    row("operator.toml", "", '\n[[own]]\nprefix = "05050019"\n',
        "operator.toml:14: the range lies within another own range, 0505001 (operator.toml, line 4)"),
    row("operator.toml", '"+338"', '"338"',
        "operator.toml:11: bar.0.prefixes.0: '338' is not a range to bar: + and the country code, or 0 and what"
        " follows"),
    row("operator.toml", '"+338"', '"+8150"', "operator.toml:11: prefix 8150 is in Japan, which is no country abroad"),
    row("operator.toml", 'name = "A"', 'name = "A"\nfree = true',
        "operator.toml:8: partner.0.free: Extra inputs are not permitted"),
]  # fmt: skip

TARIFFS = [
    row(TARIFF, "yen = 100", "yen = -1", f"{TARIFF}:6: credit.yen: Input should be greater than or equal to 0"),
    row(TARIFF, "yen = 100", "yen = 99.5", f"{TARIFF}:6: credit.yen: Input should be a valid integer"),
    row(TARIFF, "unit_ms = 30000", "unit_ms = 0",
        f"{TARIFF}:10: price.0.unit_ms: Input should be greater than or equal to 1"),
    row(TARIFF, "yen_per_unit = 8", "yen_per_unit = true",
        f"{TARIFF}:23: price.2.yen_per_unit: Input should be a valid integer"),
    row(TARIFF, '"mobile"', '"satellite"',
        f"{TARIFF}:33: price.4.class: Input should be 'on-net', 'partner-050', 'paid-050', 'fixed', 'mobile' or "
        "'international'"),
    row(TARIFF, '"mobile"', '"fixed"', f"{TARIFF}:1: no price for mobile", f"{TARIFF}:33: fixed has two prices"),
    row(TARIFF, '"exempt"', '"none"', f"{TARIFF}:42: price.5.tax: Input should be 'taxed' or 'exempt'"),
    row(TARIFF, "valid_from = 2020-01-01", "valid_from = 2020-02-01",
        f"{TARIFF}:3: valid_from 2020-02-01 is not the file name's"),
    row(TARIFF, 'name = "default"', 'name = "other"', f"{TARIFF}:2: name 'other' is not the folder's, 'default'"),
    row(TARIFF, "valid_from = 2020-01-01", "valid_from = 2020-01-01\nvalid_to = 2019-01-01",
        f"{TARIFF}:4: valid_to is before valid_from"),
    row(TARIFF, "schema = 1\n", "", f"{TARIFF}:1: schema: Field required"),
    row(TARIFF, "", '\n[[price]]\nclass = "international"\nranges = ["852"]\nunit_ms = 1\n'
        'yen_per_unit = 1\ntax = "exempt"\n',
        f"{TARIFF}:46: price.6.ranges.0: '852' is not a range of numbers: + and the country code, and more digits"),
    row(TARIFF, "", '\n[[price]]\nclass = "international"\nranges = ["+331", "+8133", "+331"]\nunit_ms = 1\n'
        'yen_per_unit = 1\ntax = "exempt"\n',
        f"{TARIFF}:46: range +331 of international has two prices",
        f"{TARIFF}:46: no number in +8133 is of class international"),
    row(TARIFF, "", '\n[[price]]\nclass = "mobile"\nranges = ["+33"]\nunit_ms = 1\nyen_per_unit = 1\ntax = "taxed"\n',
        f"{TARIFF}:46: no number in +33 is of class mobile"),
    row(TARIFF, "", '\n[[price]]\nclass = "international"\nranges = ["+3", "+852"]\nunit_ms = 1\nyen_per_unit = 1\n'
        'tax = "exempt"\n',
        f"{TARIFF}:46: no number in +852 is of class international"),
    row("tariffs/gold.toml", "", "schema = 1\n",
        "tariffs/gold.toml:1: not read: a tariff is a folder NAME with files DATE.toml"),
    row("tariffs/gold/readme.txt", "", "",
        "tariffs/gold:1: the tariff has no file: DATE.toml, the date being its first day"),
    row(TAX, "2019-10-01", "2014-04-01", f"{TAX}:8: 2014-04-01 comes twice"),
    row(TAX, "2019-10-01", "1997-04-01", f"{TAX}:8: 1997-04-01 stands after 2014-04-01: oldest first"),
    row(TAX, "percent = 10", "percent = 101", f"{TAX}:9: rate.1.percent: Input should be less than or equal to 100"),
    row(TAX, "percent = 10", "procent = 10",
        f"{TAX}:7: rate.1.percent: Field required", f"{TAX}:9: rate.1.procent: Extra inputs are not permitted"),
]  # fmt: skip


@pytest.mark.parametrize("change", [*SETTINGS, *NUMBERING, *TARIFFS], ids=lambda change: change.said[0])
def test_a_fault_is_told_with_file_line_and_reason(installation: Installation, change: Row) -> None:  # T8
    if change.old:
        installation.change(change.file, change.old, change.new)
    else:
        installation.write(change.file, FILES.get(change.file, "") + change.new)
    assert installation.check() == list(change.said)


def test_what_is_sound_is_said_to_be_sound(installation: Installation) -> None:
    assert installation.check() == []


@pytest.mark.parametrize(
    ("ends", "starts", "said"),
    [
        ("2025-12-31", "2026-01-01", None),
        (None, "2026-01-01", None),
        ("2026-01-01", "2026-01-01", "two tariffs from 2026-01-01 to 2026-01-01: {later} starts before the end"),
        ("2026-06-30", "2026-01-01", "two tariffs from 2026-01-01 to 2026-06-30: {later} starts before the end"),
        ("2025-12-30", "2026-01-01",
         "no tariff from 2025-12-31 to 2025-12-31: {later} starts later than the day after"),
        ("2025-10-31", "2026-01-01",
         "no tariff from 2025-11-01 to 2025-12-31: {later} starts later than the day after"),
    ],
)  # fmt: skip
def test_tariffs_meet_without_a_day_between_or_in_common(
    installation: Installation, ends: str | None, starts: str, said: str | None
) -> None:  # T8
    if ends:
        installation.change(TARIFF, "valid_from = 2020-01-01", f"valid_from = 2020-01-01\nvalid_to = {ends}")
    installation.write(f"tariffs/default/{starts}.toml", FILES[TARIFF].replace("2020-01-01", starts))
    assert installation.check() == ([f"{TARIFF}:4: {said.format(later=f'{starts}.toml')}"] if said else [])


def test_the_faults_of_every_file_come_in_one_run(installation: Installation) -> None:  # T8
    installation.change("denwa.toml", "port = 5060", "port = 0\nring_time = 99")
    installation.change("plan/japan.toml", "[[bar]]", "[[bar]")
    installation.change("plan/world.toml", "20 =", "203 =")
    installation.change("operator.toml", '"0501000"', '"05050017"')
    installation.change(TARIFF, "schema = 1", "schema =")
    installation.write("tariffs/default/2026-01-01.toml", LATER.replace("yen = 100", "yen = -1"))
    installation.change(TAX, "percent = 8", "percent = 8.5")
    assert installation.check() == [
        "denwa.toml:2: sip.port: Input should be greater than or equal to 1",
        "denwa.toml:3: sip.ring_time: Input should be less than or equal to 60",
        "operator.toml:8: a partner's range 05050017 lies within own range 0505001 (operator.toml, line 4)",
        "plan/japan.toml:15: Expected ']]' at the end of an array declaration (column 6)",
        "plan/world.toml:5: 203 is not a country code of ITU-T E.164",
        f"{TAX}:5: rate.0.percent: Input should be a valid integer",
        f"{TARIFF}:1: Invalid value (column 9)",
        "tariffs/default/2026-01-01.toml:6: credit.yen: Input should be greater than or equal to 0",
    ]


def test_a_configuration_that_cannot_be_read_hides_no_fault_of_the_data(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:  # T8
    monkeypatch.setenv("DENWA_NUMBERING__OPERATOR_FILE", str(installation.folder / "operator.toml"))
    monkeypatch.setenv("DENWA_SIP__RING_TIME", "99")
    monkeypatch.setenv("DENWA_SIP__DOMAINS", "denwa.example")
    monkeypatch.setenv("DENWA_COLOUR__SKY", "blue")
    monkeypatch.setenv("DENWA_HTTP_PORT", "http")
    installation.change("denwa.toml", "port = 5060", "port 5060")
    installation.change("operator.toml", '"0505001"', '"03"')
    assert installation.check() == [
        "denwa.toml:2: Expected '=' after a key in a key/value pair (column 6)",
        "DENWA_COLOUR__SKY: colour: there is no such section or setting",
        "DENWA_HTTP_PORT: http.port: Input should be a valid integer, unable to parse string as an integer",
        "DENWA_SIP__DOMAINS: sip.domains: not JSON: Expecting value: line 1 column 1 (char 0)",
        "DENWA_SIP__RING_TIME: sip.ring_time: Input should be less than or equal to 60",
        "operator.toml:4: own.0.prefix: '03' is not an own range of 050 numbers: 050 and 1 to 7 digits",
    ]


def test_a_password_in_a_setting_is_not_repeated(installation: Installation) -> None:
    installation.write(
        "denwa.toml", FILES["denwa.toml"] + '\n[database]\nurl = "mysql://root:secret@db/denwa"\n'
        '\n[mail]\nsmtp_url = "pop://root:secret@mail"\n'
    )  # fmt: skip
    said = installation.check()
    assert len(said) == 2
    assert not any("secret" in line for line in said)
