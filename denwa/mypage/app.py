"""The web application: today health and metrics; pages come on top of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Counts = dict[tuple[str, str], int]


class _Snapshot(Collector):
    """Numbers read once, shown as `denwa_…`: counters by (name, label), gauges by name."""

    def __init__(self, counters: Counts, gauges: dict[str, float]) -> None:
        self._counters = counters
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        families: dict[str, CounterMetricFamily] = {}
        for (name, label), count in sorted(self._counters.items()):
            if name not in families:
                families[name] = CounterMetricFamily(f"denwa_{name}", name.replace("_", " "), labels=["kind"])
            families[name].add_metric([label], count)
        yield from families.values()
        for name, value in sorted(self._gauges.items()):
            yield GaugeMetricFamily(f"denwa_{name}", name.replace("_", " "), value=value)


def web_application(
    health: Callable[[], dict[str, bool]],
    counters: Callable[[], Counts],
    gauges: Callable[[], Awaitable[dict[str, float]]],
) -> Starlette:
    """`health`: parts of the service and whether each works; all must for 200."""

    async def healthz(_request: Request) -> Response:
        parts = health()
        return JSONResponse(parts, status_code=200 if all(parts.values()) else 503)

    async def metrics(_request: Request) -> Response:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Snapshot(counters(), await gauges()))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/healthz", healthz), Route("/metrics", metrics)])
