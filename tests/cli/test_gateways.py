"""`denwa gateways` without a service (with one: tests/live/test_gateways.py)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_without_a_running_service_it_says_so_and_is_1(tmp_path: Path) -> None:
    environment = {"DENWA_DATA_DIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-m", "denwa", "gateways"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 1
    assert "no service runs" in done.stderr
    assert "Traceback" not in done.stderr
