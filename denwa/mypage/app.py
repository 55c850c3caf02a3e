"""The web application: today health and metrics; pages come on top of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Counts = dict[tuple[str, str], int]
Levels = dict[tuple[str, str], float]
# Labels of the families that have others than `kind`; what a count is kept under has them with a space between.
LABELS: Final = {
    "gateway_calls": ("gateway", "kind"),
    "gateway_refusals": ("gateway", "status"),
    "gateway_failures": ("gateway",),
    "gateway_in_service": ("gateway",),
}
_KIND: Final = ("kind",)


class _Snapshot(Collector):
    """Numbers read once, shown as `denwa_…`: counters and levels by (name, label), gauges by name."""

    def __init__(self, counters: Counts, gauges: dict[str, float], levels: Levels) -> None:
        self._counters = counters
        self._gauges = gauges
        self._levels = levels

    def collect(self) -> Iterable[Metric]:
        families: dict[str, CounterMetricFamily] = {}
        for (name, label), count in sorted(self._counters.items()):
            labels = LABELS.get(name, _KIND)
            if name not in families:
                families[name] = CounterMetricFamily(f"denwa_{name}", name.replace("_", " "), labels=labels)
            families[name].add_metric(label.rsplit(" ", len(labels) - 1), count)
        yield from families.values()
        levels: dict[str, GaugeMetricFamily] = {}
        for (name, label), value in sorted(self._levels.items()):
            if name not in levels:
                levels[name] = GaugeMetricFamily(
                    f"denwa_{name}", name.replace("_", " "), labels=LABELS.get(name, _KIND)
                )
            levels[name].add_metric([label], value)
        yield from levels.values()
        for name, value in sorted(self._gauges.items()):
            yield GaugeMetricFamily(f"denwa_{name}", name.replace("_", " "), value=value)


def web_application(
    health: Callable[[], dict[str, bool]],
    counters: Callable[[], Counts],
    gauges: Callable[[], Awaitable[dict[str, float]]],
    levels: Callable[[], Levels] = dict,
) -> Starlette:
    """`health`: parts of the service and whether each works; all must for 200. `levels`: gauges of parts that have
    names."""

    async def healthz(_request: Request) -> Response:
        parts = health()
        return JSONResponse(parts, status_code=200 if all(parts.values()) else 503)

    async def metrics(_request: Request) -> Response:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Snapshot(counters(), await gauges(), levels()))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/healthz", healthz), Route("/metrics", metrics)])
