"""Fixtures for every test: real databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.peers.postgres import Cluster

# Wall time says nothing of the code where the other tests run beside.
settings.register_profile("denwa", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("denwa")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "postgresql: needs PostgreSQL's server programs (marked by itself)")
    config.addinivalue_line("markers", "slow: more than a few seconds of work; `make test` only")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs PostgreSQL; begin with the live tests, which take longest, so that no worker ends with one."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        callspec = getattr(item, "callspec", None)
        if "postgres_cluster" in names or (callspec and callspec.params.get("database_url") == "postgresql"):
            item.add_marker("postgresql")
    items.sort(key=lambda item: item.get_closest_marker("live") is None)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """A PostgreSQL server of this test process (one per xdist worker), started when first asked for."""
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def postgres_url(postgres_cluster: Cluster) -> Iterator[str]:
    """`postgresql://…` of a fresh, empty database; dropped after the test, open connections or not."""
    url = postgres_cluster.fresh_database()
    yield url
    postgres_cluster.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The test runs once on each database: SQLite (a file in `tmp_path`) and PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
