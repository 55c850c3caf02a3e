"""What the number plan's data files look like. Prefixes are dial strings at home, E.164 digits without + abroad."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, model_validator

from denwa.numbering.toml_source import spelled

HomePrefix = Annotated[str, spelled("[0-9*#][0-9]{0,10}", "the beginning of a number dialled in Japan")]
AreaCode = Annotated[str, spelled("0[1-9][0-9]{0,4}", "an area code or the beginning of one: 0 and 1 to 5 digits")]
ForeignPrefix = Annotated[
    str, spelled("[1-9][0-9]{0,11}", "a range abroad: the country code and more digits, without +")
]
Prefix050 = Annotated[str, spelled("050[0-9]{0,8}", "a range of 050 numbers: 050 and at most 8 digits")]
OwnPrefix = Annotated[str, spelled("050[0-9]{1,7}", "an own range of 050 numbers: 050 and 1 to 7 digits")]
BarredPrefix = Annotated[
    str, spelled(r"(\+[1-9]|0)[0-9]{0,11}", "a range to bar: + and the country code, or 0 and what follows")
]
CountryId = Annotated[str, spelled("[A-Z]{2}(-[A-Z]{2})?", "the code of a country (FR) or of a part of one (US-HI)")]
ShortNumber = Annotated[str, spelled("1[0-9]{2}", "a 3-digit service (1XY)")]
Digits = Annotated[tuple[int, int], Strict(False), Field(description="least and most digits")]
Name = Annotated[str, StringConstraints(min_length=1)]


class _Entry(BaseModel):
    """``valid_from`` to ``valid_to``, both days included; absent: as the file says."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_strip_whitespace=True)

    valid_from: date | None = None
    valid_to: date | None = None

    @model_validator(mode="after")
    def _ordered(self) -> _Entry:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise ValueError("valid_to is before valid_from")
        return self


class BlockEntry(_Entry):
    """A block of Japan's plan that can be called; ``digits`` counts the leading 0."""

    number_class: Literal["fixed", "mobile", "paid-050"] = Field(alias="class")
    prefixes: list[HomePrefix] = Field(min_length=1)
    digits: int = Field(ge=4, le=14)


class BarEntry(_Entry):
    """What nobody can call (N5). ``name``, ``name_en``: what it is, for the text of the refusal."""

    reason: Literal["emergency", "service", "carrier"]
    prefixes: list[HomePrefix] = Field(min_length=1)
    least: int = Field(1, ge=1, le=11, description="shorter is incomplete, not barred")
    name: str = ""
    name_en: str = ""


class AreaEntry(_Entry):
    """Area codes of fixed telephones. ``prefixes``: where one code does not cover all numbers that begin with it."""

    region: Name
    codes: list[AreaCode] = Field(min_length=1)
    prefixes: list[AreaCode] | None = None

    @model_validator(mode="after")
    def _one_code(self) -> AreaEntry:
        if self.prefixes is not None and (
            len(self.codes) != 1 or not all(p.startswith(self.codes[0]) for p in self.prefixes)
        ):
            raise ValueError("prefixes go with one area code, and begin with it")
        return self


class JapanFile(_Entry):
    """Japan's number plan. ``after_area``: short numbers behind an area code, such as 177 (N5)."""

    kind: Literal["japan"]
    valid_from: date
    after_area: list[ShortNumber] = []
    block: list[BlockEntry] = []
    bar: list[BarEntry] = []
    area: list[AreaEntry] = []


class CountryEntry(_Entry):
    """A country or region of the tariff as number ranges; ``digits`` counts the country code (N6)."""

    code: CountryId
    name: Name
    name_en: Name
    prefixes: list[ForeignPrefix] = Field(min_length=1)
    digits: Digits

    @model_validator(mode="after")
    def _lengths(self) -> CountryEntry:
        if not 7 <= self.digits[0] <= self.digits[1] <= 15:
            raise ValueError("digits must be [least, most] within 7 to 15")
        return self


class ExcludedEntry(_Entry):
    """A known range abroad that is not offered, such as another country within a country code."""

    name: Name
    name_en: Name
    prefixes: list[ForeignPrefix] = Field(min_length=1)


class CountriesFile(_Entry):
    """The countries and regions of the tariff, and what is not theirs under the same country codes."""

    kind: Literal["countries"]
    valid_from: date
    country: list[CountryEntry] = []
    excluded: list[ExcludedEntry] = []


class WorldFile(_Entry):
    """Country codes of the world that are not offered, with the names to say so."""

    kind: Literal["world"]
    valid_from: date
    codes: dict[ForeignPrefix, Name]


class OwnEntry(_Entry):
    """A range of the operator, from which subscribers get their numbers in order (N1)."""

    prefix: OwnPrefix


class PartnerEntry(_Entry):
    """050 ranges of another carrier, free (``[[partner]]``) or paid (``[[paid]]``)."""

    name: str = ""
    prefixes: list[Prefix050] = Field(min_length=1)


class OperatorBarEntry(_Entry):
    """Ranges that the operator bars, whatever else is known of them; abroad with ``+`` (N6)."""

    name: str = ""
    prefixes: list[BarredPrefix] = Field(min_length=1)


class OperatorFile(_Entry):
    """The operator's own and partner ranges, and what it bars."""

    kind: Literal["operator"]
    own: list[OwnEntry] = []
    partner: list[PartnerEntry] = []
    paid: list[PartnerEntry] = []
    bar: list[OperatorBarEntry] = []


PlanFile = JapanFile | CountriesFile | WorldFile | OperatorFile
FILE_KINDS: dict[str, type[JapanFile] | type[CountriesFile] | type[WorldFile] | type[OperatorFile]] = {
    "japan": JapanFile,
    "countries": CountriesFile,
    "world": WorldFile,
    "operator": OperatorFile,
}
