"""Prices and tax rates for the commands."""

from __future__ import annotations

from dataclasses import dataclass

from denwa.config.settings import ConfigurationError, Settings
from denwa.rating.tariff import TariffBook
from denwa.rating.tariff_files import TariffFault, load_tariff, load_tax_rates
from denwa.rating.tax import TaxRates


@dataclass(frozen=True, slots=True)
class RatingData:
    """Prices and tax rates, checked."""

    tariffs: TariffBook
    tax: TaxRates


def load_rating_data(settings: Settings, tariff: str | None = None) -> RatingData:
    """Raises ConfigurationError that names file and line of every fault (T8)."""
    directory = settings.rating.tariff_directory
    try:
        return RatingData(load_tariff(directory, tariff or settings.rating.tariff), load_tax_rates(directory))
    except TariffFault as fault:
        raise ConfigurationError(str(fault)) from None
