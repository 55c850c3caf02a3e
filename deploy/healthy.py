"""Container health check: exit code 0 only when the service in this container can take calls (GET /healthz)."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request


def main() -> int:
    host = os.environ.get("DENWA_HTTP_BIND") or "127.0.0.1"
    if host in ("0.0.0.0", "::"):  # bound to every address: ask on loopback
        host = "127.0.0.1"
    port = os.environ.get("DENWA_HTTP_PORT") or "8050"
    host = f"[{host}]" if ":" in host else host
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/healthz", timeout=2) as answer:
            return 0 if answer.status == 200 else 1
    except (urllib.error.URLError, OSError):
        return 1


if __name__ == "__main__":
    sys.exit(main())
