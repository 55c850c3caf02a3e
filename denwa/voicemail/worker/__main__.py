"""`python -m denwa.voicemail.worker`: started by the service, which talks to it on stdin and stdout."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from denwa.voicemail.worker.lines import Lines


def main() -> int:
    arguments = _arguments()
    if not arguments.greeting.is_file():
        print(f"denwa voicemail worker: no greeting at {arguments.greeting}", file=sys.stderr)  # noqa: T201
        return 2
    os.umask(0o077)  # recordings are read by the service only
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches the service, which stops us

    from denwa.voicemail.worker.desk import Desk
    from denwa.voicemail.worker.endpoint import Options

    options = Options(
        spool=arguments.spool,
        greeting=arguments.greeting,
        tone=arguments.tone,
        saved=arguments.saved,
        max_seconds=arguments.max_seconds,
        silence_seconds=arguments.silence_seconds,
        clock_rate=arguments.clock_rate,
        media_address=arguments.media_address,
        rtp_first=arguments.rtp_first,
        rtp_last=arguments.rtp_last,
    )
    desk = Desk(options, Lines(stdout=_keep_stdout()))
    # A service manager ends all processes of a service at once: the calls go on until the service says otherwise.
    signal.signal(signal.SIGTERM, lambda *_: desk.leave())
    desk.run()
    desk.close()
    return 0


def _keep_stdout() -> int:
    """A descriptor for our lines; the library, which prints its own to descriptor 1, gets the null device there."""
    ours = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    return ours


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="denwa.voicemail.worker")
    parser.add_argument("--spool", type=Path, required=True)
    parser.add_argument("--greeting", type=Path, required=True)
    parser.add_argument("--tone", type=Path, required=True)
    parser.add_argument("--saved", type=Path, required=True)
    parser.add_argument("--max-seconds", type=int, required=True)
    parser.add_argument("--silence-seconds", type=float, required=True)
    parser.add_argument("--clock-rate", type=int, required=True)
    parser.add_argument("--media-address", required=True)
    parser.add_argument("--rtp-first", type=int, required=True)
    parser.add_argument("--rtp-last", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # the library's own exit handlers abort when an object of it is still known to the interpreter
