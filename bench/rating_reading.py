"""What of `denwa rate` is reading: the program starts, takes the contracts, and decodes every field of the calls."""

from __future__ import annotations

import argparse
from pathlib import Path

from denwa.cli.rate import read_subscribers
from denwa.cli.rating_data import load_rating_data
from denwa.config.settings_sources import load_settings
from denwa.rating.files.contracts import ContractsRead
from denwa.rating.files.csv_blocks import CsvBlocks
from denwa.rating.files.decoding import CALL_COLUMNS, Decoder


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--subscribers", type=Path, required=True)
    parser.add_argument("--calls", type=Path, required=True)
    arguments = parser.parse_args()
    settings = load_settings(environ={})
    contracts = ContractsRead(load_rating_data(settings).tariffs)
    if faults := read_subscribers(contracts.add, arguments.subscribers):
        raise SystemExit("\n".join(faults))
    contracts.contracts()
    decoder = Decoder()
    rows = sum(int(decoder.decode(block).ok.sum()) for block in CsvBlocks(arguments.calls, CALL_COLUMNS))
    print(rows)


if __name__ == "__main__":
    main()
