"""The tariff and the tax rates that are shipped, loaded once for every test."""

from denwa.config.settings import DATA
from denwa.rating.tariff_files import load_tariff, load_tax_rates

TARIFFS = DATA / "tariffs"
BOOK = load_tariff(TARIFFS, "default")
TAX = load_tax_rates(TARIFFS)
