"""The overview as Prometheus metrics, collected at each scrape (Prometheus: metric and label naming)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from actors.log import stderr_lines
from supervision.console.inspection.inspector import Inspector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics(Collector):
    """Collects the metrics of the system.

    Args:
        inspector: reads them
    """

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return all metrics in the text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: without it, registration would collect before the application runs."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the current metrics."""
        seen = self._inspector.overview()
        yield _gauge("canopy_uptime_seconds", "Time since the start.", seen.uptime)
        yield _gauge("canopy_draining", "1 while the servers drain.", float(seen.is_draining))
        yield _gauge("canopy_actors", "Living actors.", seen.actors)
        yield _counter("canopy_actors_started", "Actors started.", seen.started)
        yield _counter("canopy_actor_restarts", "Actors restarted by their supervisor.", seen.restarts)
        yield _counter("canopy_actor_crashes", "Actors that crashed.", seen.crashes)
        yield _counter("canopy_messages_handled", "Messages that actors have handled.", seen.messages)
        yield _counter("canopy_turns", "Turns of actors on the run queue.", seen.turns)
        yield _gauge("canopy_mailbox_messages", "Messages that wait in all mailboxes.", seen.waiting)
        yield _gauge("canopy_event_loop_lag_seconds", "Longest recent lag of the event loop.", seen.loop_lag or 0.0)
        yield _counter(
            "canopy_log_lines_dropped", "Log lines dropped because stderr was blocked.", stderr_lines.dropped
        )
        yield from self._servers()
        limits = GaugeMetricFamily("canopy_limit_used_ratio", "Used share of a limit.", labels=["limit"])
        for usage in seen.limits:
            limits.add_metric([usage.name], usage.share)
        yield limits
        yield from self._inspector.sources.metrics()

    def _servers(self) -> Iterator[Metric]:
        servers = self._inspector.sources.all_servers()
        by_server: list[tuple[type[Any], str, str, Any]] = [
            (GaugeMetricFamily, "canopy_connections", "Open connections.", lambda s: len(s.wires)),
            (GaugeMetricFamily, "canopy_connections_limit", "Maximum number of connections.", _limit),
            (GaugeMetricFamily, "canopy_backlog_bytes", "Bytes that clients have not read yet.", _backlog),
            (CounterMetricFamily, "canopy_connections_accepted", "Connections accepted.", lambda s: s.accepted),
            (CounterMetricFamily, "canopy_received_bytes", "Bytes received from clients.", lambda s: s.bytes_in),
            (CounterMetricFamily, "canopy_sent_bytes", "Bytes sent to clients.", lambda s: s.bytes_out),
        ]
        for family, name, about, value in by_server:
            metric = family(name, about, labels=["server"])
            for server, sockets in servers.items():
                metric.add_metric([server], value(sockets))
            yield metric
        by_reason: list[tuple[str, str, str, Any]] = [
            ("canopy_connections_refused", "reason", "Connections refused.", lambda s: s.refused),
            ("canopy_connections_cut_off", "reason", "Connections cut off.", lambda s: s.cut_off),
            ("canopy_websockets_closed", "code", "WebSockets closed, by close code.", lambda s: s.closings),
        ]
        for name, label, about, counts in by_reason:
            metric = CounterMetricFamily(name, about, labels=["server", label])
            for server, sockets in servers.items():
                for reason, count in counts(sockets).items():
                    metric.add_metric([server, str(int(reason)) if label == "code" else reason], count)
            yield metric


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(name, about, value=value)


def _limit(sockets: Any) -> int:
    return int(sockets.policy.max_connections)


def _backlog(sockets: Any) -> int:
    return sum(wire.backlog for wire in sockets.wires.values())
