"""A throw-away PostgreSQL cluster: a real server on a Unix socket, gone with the process that asked for it."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

_START_SECONDS = 30
# Durability of the machine's disk is not what these tests are about; a server crash is not simulated with this cluster.
_OPTIONS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=60",
    "shared_buffers=16MB",
    "logging_collector=off",
    "autovacuum=off",
)


class PostgresMissing(RuntimeError):
    """PostgreSQL's server binaries are not on this machine."""


def postgres_binaries() -> Path:
    """Folder with `initdb` and `postgres` (newest version). Raises PostgresMissing."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise PostgresMissing(
            "PostgreSQL's initdb is not installed: run `make setup-test` (or `make test`), or apt install postgresql"
        )
    return found[-1].parent if found else Path(str(on_path)).resolve().parent


class Cluster:
    """`start()`, any number of `fresh_database()`, `stop()`. The server dies with this process, even by SIGKILL."""

    def __init__(self) -> None:
        self._names = itertools.count()
        self._server: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="denwa-pg-"))

    def start(self) -> None:
        binaries = postgres_binaries()
        prefix = self._as_ordinary_user()
        data = self.folder / "data"
        initdb = [*prefix, str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        made = subprocess.run([*initdb, "--locale=C", "--no-sync"], capture_output=True, text=True, cwd="/", timeout=60)
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stdout}{made.stderr}")
        options = [part for option in _OPTIONS for part in ("-c", option)]
        self._server = subprocess.Popen(
            [*prefix, str(binaries / "postgres"), "-D", str(data), "-k", str(self.folder), *options],
            stdout=(self.folder / "log").open("wb"),
            stderr=subprocess.STDOUT,
            cwd="/",
        )
        # The socket appears when it appears: ask until the server answers or is dead.
        for _ in range(_START_SECONDS * 20):
            if self._answers():
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(0.05)
                break
        raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")

    def fresh_database(self) -> str:
        """URL of a new, empty database."""
        name = f"test_{next(self._names)}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def drop(self, url: str) -> None:
        self._administer(f"DROP DATABASE {_name_of(url)} WITH (FORCE)")

    def stop(self) -> None:
        if self._server:
            self._server.send_signal(3)  # SIGQUIT: at once; nothing of the cluster is kept
            self._server.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            self._administer("SELECT 1")
            return True
        return False

    def _administer(self, statement: str) -> None:
        with psycopg.connect(f"postgresql://postgres@/postgres?host={self.folder}", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _as_ordinary_user(self) -> list[str]:
        """PostgreSQL refuses to run as root; and the server shall not outlive the test run."""
        if os.geteuid() != 0:
            return ["setpriv", "--pdeathsig", "QUIT"]
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        os.chown(self.folder, user.pw_uid, user.pw_gid)
        drop = ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
        return ["setpriv", *drop, "--pdeathsig", "QUIT"]


def _name_of(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]
