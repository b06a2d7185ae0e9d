"""The snapshot of a running system: pages of thousands of actors, the tree, rates and windows. In virtual time."""

import asyncio
import dataclasses
from types import SimpleNamespace
from typing import Any
from typing import cast as cast_to

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import GenServer, Ref, call, cast, down, register
from actors.debug import find, suspend
from actors.testing import Kit
from canvas.live.room import Peer
from registry import Keys, Registry, Table
from supervision import DynamicSupervisor, Restart, child, start_dynamic_child, terminate_child, which_children
from supervision.console.api.encoding import encode_tree, to_json
from supervision.console.api.live import MAX_STARTED, Audience, LiveHandler
from supervision.console.api.principals import Access, Principal
from supervision.console.api.sampler import Sampler
from supervision.console.inspection.inspector import Inspector
from supervision.console.inspection.model.actors import Actor, Node
from supervision.console.inspection.paging import CHUNK, SLICE, Inspection, Inspections
from supervision.console.inspection.samples import BEAT, BEATS_PER_SAMPLE, KEPT, VIEWER_TIMEOUT, Samples
from supervision.console.inspection.sources import Sources
from supervision.console.inspection.tracing import Traces
from supervision.server import Connection

MANY = 3_000


class Worker(GenServer):
    """Works."""

    def init(self, number: int) -> None:
        self.label = f"worker {number:05}"
        self.number = number
        self.padding = b"x" * number

    def handle_cast(self, request: Any) -> Any:
        if request == "fail":
            raise ValueError("bad luck")

    def handle_call(self, request: Any, from_: Any) -> Any:
        return request


class Clock:
    """Each look at it takes a millisecond."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


async def pool(kit: Kit, count: int) -> tuple[Ref, Inspector]:
    """A supervisor of so many workers, and a snapshot of it."""
    top: Ref = await kit.start_supervised(
        child(DynamicSupervisor, child(Worker, restart=Restart.PERMANENT), label="pool", kwargs={"intensity": 100})
    )
    for number in range(count):
        await start_dynamic_child(top, number)
    return top, Inspector(Sources("test", lambda: top, clock=Clock(), wall_clock=lambda: 1_700_000_000.0), Samples())


def glance(snapshot: Inspector) -> Inspection:
    """A look for which nobody else has to wait."""
    return snapshot.inspections.turn("ann")


async def workers(snapshot: Inspector, **options: Any) -> list[str]:
    page = await snapshot.actors(glance(snapshot), kind="Worker", **options)
    return [actor.label for actor in page.actors]


async def worker(snapshot: Inspector, number: int) -> Ref:
    page = await snapshot.tree(glance(snapshot), search=f"worker {number:05}")
    assert page is not None
    ref = find(int(page.children[0].ref))
    assert ref is not None
    return ref


@pytest.mark.seeds(1)
async def test_pages_of_thousands_of_actors_leave_nobody_out(kit: Kit) -> None:
    _, snapshot = await pool(kit, MANY)
    seen: list[str] = []
    while True:
        page = await snapshot.actors(glance(snapshot), sort="label", kind="Worker", offset=len(seen), limit=700)
        assert page.total == MANY
        if not page.actors:
            break
        seen += [actor.label for actor in page.actors]
    assert seen == [f"worker {number:05}" for number in range(MANY)]
    assert await workers(snapshot, sort="label", descending=True, limit=2) == ["worker 02999", "worker 02998"]
    assert await workers(snapshot, sort="memory", descending=True, limit=1) == ["worker 02999"]
    assert await workers(snapshot, search="0299", limit=2) == ["worker 00299", "worker 02990"]


@pytest.mark.seeds(1)
async def test_others_run_while_thousands_of_actors_are_looked_at(kit: Kit) -> None:
    """The clock of the snapshot goes on by a millisecond with each look at it: each chunk is a slice."""
    _, snapshot = await pool(kit, MANY)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(SLICE)
            turns += 1

    counting = asyncio.ensure_future(count())
    for ask in (
        lambda look: snapshot.actors(look, sort="memory"), snapshot.tree, lambda look: snapshot.tree(look, search="29")
    ):  # fmt: skip
        turns = 0
        async with snapshot.inspections.turn("ann") as look:
            await ask(look)
        assert turns >= MANY // CHUNK
    counting.cancel()


@pytest.mark.seeds(1)
@pytest.mark.parametrize("moment", range(12))
async def test_actors_may_end_while_they_are_looked_at(kit: Kit, moment: int) -> None:
    top, snapshot = await pool(kit, 500)
    for ask in (
        lambda look: snapshot.actors(look, sort="kind", search="worker", limit=1_000), snapshot.tree,
        lambda look: snapshot.tree(look, search="worker"), lambda look: snapshot.tree(look, only="waiting"),
    ):  # fmt: skip
        async with snapshot.inspections.turn("ann") as look:
            asked = asyncio.ensure_future(ask(look))
            await asyncio.sleep(2 * moment * SLICE)
            for worker in (await which_children(top))[moment::20]:
                assert isinstance(worker.ref, Ref)
                await terminate_child(top, worker.ref)
            await asked


@pytest.mark.seeds(1)
async def test_every_column_can_be_sorted_by(kit: Kit) -> None:
    _, snapshot = await pool(kit, 5)
    for column in (field.name for field in dataclasses.fields(Actor)):
        first, last = [await workers(snapshot, sort=column, descending=way) for way in (False, True)]
        assert sorted(first) == sorted(last)
        assert len(first) == 5


async def test_longest_mailbox_is_first_and_in_the_overview(kit: Kit) -> None:
    _, snapshot = await pool(kit, 20)
    busy = await worker(snapshot, 7)
    suspend(busy)
    for number in range(50):
        busy.tell(number)
    page = await snapshot.actors(glance(snapshot), sort="mailbox", descending=True, limit=1)
    assert (page.actors[0].label, page.actors[0].mailbox) == ("worker 00007", 50)
    seen = snapshot.overview()
    assert (seen.longest_mailbox, seen.waiting) == (str(busy.id), 50)
    assert next(usage for usage in seen.limits if usage.name == "longest mailbox").share == 50 / 10_000


@pytest.mark.seeds(1)
async def test_tree_is_cut_to_depth_and_limit_and_says_how_many_there_are(kit: Kit) -> None:
    top, snapshot = await pool(kit, 30)
    whole = await snapshot.tree(glance(snapshot))
    assert whole is not None
    assert (whole.count, len(whole.children)) == (30, 30)
    some = await snapshot.tree(glance(snapshot), limit=4)
    assert some is not None
    assert (some.count, [node.label[-2:] for node in some.children]) == (30, ["00", "01", "02", "03"])
    root = await snapshot.tree(glance(snapshot), depth=0)
    assert root == Node(str(top.id), "pool", "DynamicSupervisor", "idle", 0, 0, [], 30)
    found = await snapshot.tree(glance(snapshot), search="worker 00017")
    assert found is not None
    assert [node.label for node in found.children] == ["worker 00017"]
    nothing = await snapshot.tree(glance(snapshot), search="nobody")
    assert nothing is not None
    assert nothing.children == []


@given(st.recursive(st.just([]), lambda trees: st.lists(trees, max_size=4), max_leaves=40), st.text(min_size=1))
def test_tree_is_encoded_in_slices_as_it_is_at_once(shape: list[Any], label: str) -> None:
    def tree(below: list[Any]) -> Node:
        return Node("1", label, "Worker", "idle", 0, 0, [tree(each) for each in below], len(below))

    at_once = to_json(tree(shape))
    assert asyncio.run(encode_tree(Inspections(lambda: 0.0).turn("ann"), tree(shape))) == at_once


@pytest.mark.seeds(1)
async def test_others_run_while_a_tree_is_encoded(kit: Kit) -> None:
    _, snapshot = await pool(kit, MANY)
    async with snapshot.inspections.turn("ann") as look:
        top = await snapshot.tree(look)
        assert top is not None
        before = kit.loop.time()
        await encode_tree(look, top)
    assert kit.loop.time() - before >= MANY / CHUNK * SLICE  # each chunk is a slice, see above


async def test_tree_is_narrowed_down_to_some_and_those_above_them(kit: Kit) -> None:
    top, snapshot = await pool(kit, 4)

    async def shown(only: str, search: str = "") -> list[str]:
        tree = await snapshot.tree(glance(snapshot), only=only, search=search)
        assert tree is not None
        return [node.label for node in tree.children]

    assert await shown("supervisors") == []
    assert await shown("restarted") == []
    kit.expect_crash("worker 00001")
    failing, waiting = await worker(snapshot, 1), await worker(snapshot, 2)
    ended = down(failing)
    cast(failing, "fail")
    await ended
    await which_children(top)
    suspend(waiting)
    cast(waiting, "wait")
    assert await shown("restarted") == ["worker 00001"]
    assert await shown("suspended") == ["worker 00002"]
    assert await shown("waiting") == ["worker 00002"]
    assert await shown("waiting", "00001") == []


@pytest.mark.seeds(1)
async def test_others_run_between_any_two_values_of_the_registry(kit: Kit) -> None:
    _, snapshot = await pool(kit, 1)
    ref, table = await worker(snapshot, 0), Table[int]("jobs", Keys.DUPLICATE)
    await kit.start_supervised(Registry, table)
    for number in range(4 * CHUNK):
        table.register(str(number), number, ref)
    snapshot.sources.tables = (table,)
    before = kit.loop.time()
    async with snapshot.inspections.turn("ann") as look:
        page = await snapshot.names(look, table="jobs", limit=4 * CHUNK)
    assert len(page.entries) == 4 * CHUNK
    assert kit.loop.time() - before >= 4 * CHUNK * SLICE


async def test_one_actor_is_shown_with_all_that_it_has_to_do_with(kit: Kit) -> None:
    top, snapshot = await pool(kit, 1)
    ref = await worker(snapshot, 0)
    register("only", ref)
    table = Table[str]("jobs", Keys.DUPLICATE)
    await kit.start_supervised(Registry, table)
    table.register("digging", "a spade", ref)
    snapshot.sources.tables = (table,)
    await call(ref, "anything")  # the registry has had its turn to watch it
    shown = snapshot.actor(ref)
    assert shown is not None
    assert (shown.name, shown.path[-2:], shown.keys) == ("only", ["pool", "worker 00000"], ["jobs: digging"])
    assert [peer.label for peer in shown.links] == ["pool"]
    assert shown.spec is not None
    assert (shown.spec.restart, shown.spec.type, shown.spec.shutdown) == ("permanent", "worker", "5.0")
    assert shown.spec.start.endswith("Worker")
    above = snapshot.actor(top)
    assert above is not None
    assert (above.is_root, shown.is_root, above.children) == (True, False, 1)
    names = await snapshot.names(glance(snapshot), table="jobs")
    (entry,) = names.entries
    assert (entry.key, entry.label, entry.value) == ("digging", "worker 00000", "str(7)")
    topics = await snapshot.topics(glance(snapshot))
    assert [(topic.table, topic.key, topic.members) for topic in topics.topics] == [("jobs", "digging", 1)]
    kernel = await snapshot.names(glance(snapshot), table="", search="only")
    assert [entry.ref for entry in kernel.entries] == [str(ref.id)]


@pytest.mark.parametrize(("value", "seen", "structure"), [
    (None, None, None), ("it's", "str(4)", "str(4)"), (Peer("192.0.2.1:5"), "192.0.2.1:5", "Peer(11)"),
    (Peer("a\nb"), r"a\nb", "Peer(3)"), (True, "True", "True"), (7, "int", "int"),
])  # fmt: skip
async def test_value_beside_a_name_is_a_text_without_quotes_if_it_may_be_seen(
    kit: Kit, value: object, seen: str | None, structure: str | None
) -> None:
    _, snapshot = await pool(kit, 1)
    ref = await worker(snapshot, 0)
    table = Table[object]("jobs", Keys.DUPLICATE)
    await kit.start_supervised(Registry, table)
    snapshot.sources.tables = (table,)
    table.register("key", value, ref)
    for shows_values, shown in ((True, seen), (False, structure)):
        async with snapshot.inspections.turn("ann") as look:
            (entry,) = (await snapshot.names(look, table="jobs", shows_values=shows_values)).entries
        assert entry.value == shown


async def test_crash_is_shown_with_why_and_how_to_repeat_it(kit: Kit) -> None:
    kit.expect_crash("worker 00000")
    top, snapshot = await pool(kit, 1)
    ref = await worker(snapshot, 0)
    ended = down(ref)
    cast(ref, "fail")
    await ended
    (row,) = snapshot.crashes(shows_values=True).crashes
    assert (row.label, row.kind, row.reason) == ("worker 00000", "Worker", "ValueError: bad luck")
    assert row.at <= 1_700_000_000.0
    crash = snapshot.crash(row.number, shows_values=True)
    assert crash is not None
    assert crash.message == "Cast('fail')"
    assert crash.state["number"] == "0"
    assert 'raise ValueError("bad luck")' in crash.traceback
    assert "cast(subject, 'fail')" in crash.case
    assert snapshot.crash(row.number + 1) is None
    await which_children(top)
    seen = snapshot.overview()
    assert (seen.crashes, seen.restarts) == (1, 1)


# What the sampler keeps up.


async def sampled(kit: Kit) -> tuple[Ref, Inspector, Audience]:
    top, snapshot = await pool(kit, 3)
    audience = Audience(snapshot)
    traces = Traces(audience.tell_trace)
    await kit.start_supervised(child(Sampler, snapshot, snapshot.history, audience, traces, id="sampler"))
    return top, snapshot, audience


@pytest.mark.seeds(1)
async def test_one_hour_is_kept_and_not_more(kit: Kit) -> None:
    _, snapshot, _ = await sampled(kit)
    assert snapshot.overview().messages_per_second is None
    await asyncio.sleep(3 * BEATS_PER_SAMPLE * BEAT + 0.5)
    assert len(snapshot.history.samples) == 3
    await asyncio.sleep(3_700)
    assert len(snapshot.history.samples) == KEPT
    assert snapshot.history.samples[-1].actors == snapshot.overview().actors


async def test_rates_are_those_of_the_last_seconds(kit: Kit) -> None:
    _, snapshot, _ = await sampled(kit)
    await asyncio.sleep(30.2)
    busy = await worker(snapshot, 1)
    for number in range(1_000):
        busy.tell(number)
    await call(busy, "done")
    await asyncio.sleep(1.0)
    rate = snapshot.overview().messages_per_second
    assert rate is not None
    assert 1_000 / 11 < rate < 1_000
    await asyncio.sleep(60)
    calm = snapshot.overview().messages_per_second
    assert calm is not None
    assert calm < 5


@pytest.mark.seeds(1)
async def test_turns_are_timed_only_while_somebody_looks(kit: Kit) -> None:
    _, snapshot, _ = await sampled(kit)
    busy = await worker(snapshot, 2)
    await call(busy, "unseen")
    await asyncio.sleep(2 * BEAT)
    assert snapshot.rows([busy])[0].used == 0
    snapshot.history.note_viewer(asyncio.get_running_loop().time())
    await asyncio.sleep(2 * BEAT)
    for number in range(200):
        busy.tell(number)
    await call(busy, "seen")
    (row,) = snapshot.rows([busy])
    assert row.used > 0
    assert row.recent == 201
    assert row.recently_used == pytest.approx(row.used)
    await asyncio.sleep(VIEWER_TIMEOUT + 2 * BEAT)
    assert snapshot.rows([busy])[0].used == 0


@pytest.mark.seeds(1)
async def test_late_beat_shows_as_lag_of_the_loop(kit: Kit) -> None:
    _, snapshot, _ = await sampled(kit)
    await asyncio.sleep(1.5)
    assert snapshot.overview().loop_lag == pytest.approx(0, abs=1e-6)
    kit.jump(3.0)
    await asyncio.sleep(0.1)
    assert snapshot.overview().loop_lag == pytest.approx(2.5, abs=1e-6)


async def test_window_begins_with_the_first_look(kit: Kit) -> None:
    _, snapshot, _ = await sampled(kit)
    assert (await snapshot.actors(glance(snapshot))).window == 0
    snapshot.history.note_viewer(asyncio.get_running_loop().time())
    await asyncio.sleep(BEAT + 0.5)
    assert (await snapshot.actors(glance(snapshot))).window > 0


# Those who look.


class Viewer(GenServer):
    """Sees the live WebSocket through its handler.

    Args (of `init`):
        audience: which it joins
    """

    def init(self, audience: Audience) -> None:
        self.wire = SimpleNamespace(is_congested=False)
        self.told: list[dict[str, Any]] = []
        self._handler = LiveHandler(cast_to(Connection, self), audience, Principal(Access.LOOK, "a test"))
        self._handler.opened()

    def send_text(self, data: bytes) -> None:
        """Stand in for the connection."""
        self.told.append(orjson.loads(data))

    def handle_info(self, message: Any) -> None:
        self._handler.informed(message)

    def handle_call(self, request: Any, from_: Any) -> Any:
        if isinstance(request, bool):
            self.wire.is_congested = request
        return [self.told.pop(0) for _ in list(self.told)]


async def test_crowd_that_comes_at_once_is_cut_short(kit: Kit) -> None:
    top, snapshot = await pool(kit, 3)
    audience = Audience(snapshot)
    viewer = await kit.start_supervised(child(Viewer, audience, id="viewer"))
    for count in (MAX_STARTED, MAX_STARTED + 1):
        await call(viewer, "forget")
        for number in range(count):
            await start_dynamic_child(top, number)
        audience.tell_changes()
        (told,) = await call(viewer, "look")
        assert (len(told["started"]), told["is_cut"]) == (MAX_STARTED, count > MAX_STARTED)


async def test_viewer_that_does_not_keep_up_is_told_that_it_missed_something(kit: Kit) -> None:
    top, snapshot = await pool(kit, 3)
    audience = Audience(snapshot)
    viewer = await kit.start_supervised(child(Viewer, audience, id="viewer"))
    audience.tell_changes()
    assert [told["is_cut"] for told in await call(viewer, True)] == [False, False]
    await start_dynamic_child(top, 4)
    audience.tell_changes()
    assert await call(viewer, False) == []
    audience.tell_changes()
    assert [told["is_cut"] for told in await call(viewer, "look")] == [True, False]
