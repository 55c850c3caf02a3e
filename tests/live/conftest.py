"""A running service for each module of live tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.service import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """`denwa serve --demo`, shared by the tests of one module."""
    with Service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def own_service(tmp_path: Path) -> Service:
    """Not started: for tests that kill it or set it up in their own way."""
    return Service(tmp_path / "service")
