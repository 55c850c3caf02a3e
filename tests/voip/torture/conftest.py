"""How a message of the torture tests arrives."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["udp", "tcp"])
def transport(request: pytest.FixtureRequest) -> str:
    """A datagram, or a connection."""
    return str(request.param)
