"""A voicemail service in a process that a test can kill: prints the URI of one place and goes on."""

import asyncio
import sys
from pathlib import Path

from denwa.storage.engine import open_engine
from tests.voicemail.rig import place_for, running, settings_for


async def main(folder: Path) -> None:
    engine = open_engine(f"sqlite:///{folder / 'denwa.db'}")
    async with running(settings_for(folder, max_seconds=30), engine) as service:
        place = await place_for(service)
        print(place.uri, flush=True)
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
