"""The metrics by Prometheus's own parser, and the dashboard that shows them."""

import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors import Ref, whereis
from actors.log import stderr_lines
from actors.stderr import MAX_WAITING
from tests.support.console import Asker, console
from tests.support.instance import mended
from tests.support.scenarios import live
from tests.support.websocket_client import WebSocketClient

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana-dashboard.json"


async def scrape(asker: Asker) -> dict[str, float]:
    """Every sample by its name and labels."""
    answer = await asker.send("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(answer.body.decode()))
    assert all(family.documentation for family in families)
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


@live
async def test_metrics_count_what_happens(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        before = await scrape(ann.reader())
        await WebSocketClient.open(ann.application)
        images = whereis("images")
        assert isinstance(images, Ref)
        await ann.ask("POST", f"actors/{images.id}/exit", {"reason": "crash"})
        await mended(ann.application)
        after = await scrape(ann.reader())
        assert after["canopy_connections server=server"] == before["canopy_connections server=server"] + 1 == 1
        assert after["canopy_connections_limit server=server"] == 15_000
        assert after["canopy_actor_restarts_total"] == 1
        assert after["canopy_connections_accepted_total server=server"] == 1
        assert after["canopy_sent_bytes_total server=server"] > 100
        assert after["canopy_messages_handled_total"] > before["canopy_messages_handled_total"] > 0
        assert after["canopy_uptime_seconds"] >= before["canopy_uptime_seconds"] >= 0
        assert after["process_resident_memory_bytes"] > 10_000_000


@live
async def test_counters_never_fall_when_actors_and_connections_end(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        bob = await WebSocketClient.open(ann.application)
        before = await scrape(ann)
        await bob.leave()
        await mended(ann.application)
        after = await scrape(ann)
        for name, value in before.items():
            if "_total" in name:
                assert (name, after[name] >= value) == (name, True)


@live
async def test_lines_of_the_log_that_were_dropped_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stderr_lines, "dropped", 7)
    monkeypatch.setattr(stderr_lines, "waiting", MAX_WAITING // 2)
    async with console(tmp_path) as ann:
        found = await scrape(ann.reader())
        assert found["canopy_log_lines_dropped_total"] == 7
        assert found["canopy_limit_used_ratio limit=log"] == 0.5


@live
async def test_metrics_need_a_token(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        assert (await ann.anonymous().send("GET", "/metrics")).status == 401


@live
async def test_names_follow_the_conventions(tmp_path: Path) -> None:
    async with console(tmp_path) as ann:
        answer = await ann.send("GET", "/metrics")
        for family in text_string_to_metric_families(answer.body.decode()):
            assert re.fullmatch(r"(canopy|process|python)_[a-z0-9_]+", family.name)
            assert not family.name.endswith("_total")
            if family.type == "counter":
                assert all(sample.name.endswith("_total") for sample in family.samples)
            assert not re.search(r"_(ms|kb|percent|millis)", family.name)


@live
async def test_every_metric_of_the_dashboard_exists(tmp_path: Path) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    used = {name for query in queries for name in re.findall(r"\b((?:canopy|process)_\w+)", query)}
    assert len(used) > 15
    async with console(tmp_path) as ann:
        text = (await ann.send("GET", "/metrics")).body.decode()
        described = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
        assert used - described == set()
        assert {name for name in described if name.startswith("canopy_")} - used == set()
