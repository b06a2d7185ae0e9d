"""The overview for Prometheus, read when it is scraped (Prometheus: metric and label naming)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from actors.log import stderr_lines
from supervision.console.inspection.snapshot import Snapshot

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics(Collector):
    """What Prometheus sees of the system.

    Args:
        snapshot: where it looks
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """All metrics in the text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing: what is collected before the application runs would be nothing, too."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Look now."""
        seen = self._snapshot.overview()
        yield _gauge("canopy_uptime_seconds", "Time since the start.", seen.uptime)
        yield _gauge("canopy_draining", "1 while nobody new is let in.", float(seen.is_draining))
        yield _gauge("canopy_actors", "Living actors.", seen.actors)
        yield _counter("canopy_actors_started", "Actors that were started.", seen.started)
        yield _counter("canopy_actor_restarts", "Actors that were started in the place of another.", seen.restarts)
        yield _counter("canopy_actor_crashes", "Actors that ended by a mistake of their own.", seen.crashes)
        yield _counter("canopy_messages_handled", "Messages that actors took.", seen.messages)
        yield _counter("canopy_turns", "Turns that actors had on the run queue.", seen.turns)
        yield _gauge("canopy_mailbox_messages", "Messages that wait in all mailboxes.", seen.waiting)
        yield _gauge("canopy_event_loop_lag_seconds", "How late the event loop was lately.", seen.loop_lag or 0.0)
        yield _counter("canopy_log_lines_dropped", "Lines of the log that stderr did not take.", stderr_lines.dropped)
        yield from self._servers()
        limits = GaugeMetricFamily("canopy_limit_used_ratio", "How full a limit is.", labels=["limit"])
        for usage in seen.limits:
            limits.add_metric([usage.name], usage.share)
        yield limits
        yield from self._snapshot.sources.metrics()

    def _servers(self) -> Iterator[Metric]:
        servers = self._snapshot.sources.all_servers()
        by_server: list[tuple[type[Any], str, str, Any]] = [
            (GaugeMetricFamily, "canopy_connections", "Open connections.", lambda s: len(s.wires)),
            (GaugeMetricFamily, "canopy_connections_limit", "Connections that there may be.", _limit),
            (GaugeMetricFamily, "canopy_backlog_bytes", "Bytes that clients have not taken yet.", _backlog),
            (CounterMetricFamily, "canopy_connections_accepted", "Connections that were let in.", lambda s: s.accepted),
            (CounterMetricFamily, "canopy_received_bytes", "Bytes that came from clients.", lambda s: s.bytes_in),
            (CounterMetricFamily, "canopy_sent_bytes", "Bytes that went to clients.", lambda s: s.bytes_out),
        ]
        for family, name, about, value in by_server:
            metric = family(name, about, labels=["server"])
            for server, sockets in servers.items():
                metric.add_metric([server], value(sockets))
            yield metric
        by_reason: list[tuple[str, str, str, Any]] = [
            ("canopy_connections_refused", "reason", "Connections that were turned away.", lambda s: s.refused),
            ("canopy_connections_cut_off", "reason", "Connections that were dropped.", lambda s: s.cut_off),
            ("canopy_websockets_closed", "code", "WebSockets that have ended, by close code.", lambda s: s.closings),
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
