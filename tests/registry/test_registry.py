"""Names, groups and topics: held by living processes, looked up without a message, given back by the dead."""

import math
from asyncio import CancelledError
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from actors import NOPROC, NORMAL, Call, CallExit, Down, GenServer, Monitor, Ref, call, cast, send, start, stop
from actors.debug import force_exit
from actors.testing import Probe, kill, quiet, run
from registry import AlreadyRegistered, Groups, Keys, Registered, Registry, Table, Unregistered
from supervision import Supervisor, child, which_children
from tests.support.puppet import puppet
from tests.support.scenarios import simulated


class Member(GenServer):
    """Holds what it is told to hold, and remembers what it gets."""

    def init(self, table: Table[Any], *keys: Any) -> None:
        self.table = table
        self.got: list[Any] = []
        for key in keys:
            table.register(key, f"value of {key}")

    def handle_call(self, request: Any, from_: Call) -> Any:
        match request:
            case "got":
                return self.got
            case "keys":
                return self.table.keys()
            case ("register", key):
                return self.table.register(key, "by call")
            case ("unregister", key):
                return self.table.unregister(key)
        return super().handle_call(request, from_)

    def handle_cast(self, request: Any) -> None:
        self.got.append(("cast", request))

    def handle_info(self, message: Any) -> None:
        self.got.append(message)


async def start_registry(*tables: Table[Any]) -> Ref:
    """A registry whose supervisor restarts it."""
    return await start(Supervisor, [child(Registry, *tables, id="registry", name="registry")], intensity=1_000)


# Names.


@simulated
async def test_name_is_found_with_its_value() -> None:
    table = Table[str]("names")
    await start_registry(table)
    ann = await start(Member, table, "ann")
    assert table.whereis("ann") is ann
    assert table.lookup("ann") == [(ann, "value of ann")]
    assert table.lookup("bob") == []
    assert table.whereis("bob") is None


@simulated
async def test_name_is_there_as_soon_as_register_returns() -> None:
    table = Table[int]("names")
    await start_registry(table)
    probe = await Probe.begin()
    table.register("name", 1, probe.ref)
    assert table.lookup("name") == [(probe.ref, 1)]  # nothing ran in between


@simulated
async def test_second_holder_of_a_unique_key_is_refused_with_the_first() -> None:
    table = Table[str]("names")
    await start_registry(table)
    ann, bob = await start(Member, table, "name"), await start(Member, table)
    with pytest.raises(AlreadyRegistered) as caught:
        table.register("name", "mine", bob)
    assert (caught.value.key, caught.value.ref) == ("name", ann)
    assert table.lookup("name") == [(ann, "value of name")]
    assert table.keys(bob) == set()


@simulated
async def test_holder_that_registers_again_replaces_its_value() -> None:
    table = Table[int]("names")
    await start_registry(table)
    ann = await start(Member, table)
    table.register("name", 1, ann)
    table.register("name", 2, ann)
    assert table.lookup("name") == [(ann, 2)]
    assert len(table) == 1


@simulated
async def test_name_of_the_dead_is_free_at_once() -> None:
    table = Table[str]("names")
    await start_registry(table)
    ann, bob = await start(Member, table, "name"), await start(Member, table)
    force_exit(ann, "crash")  # the registry has not heard of it yet
    assert table.whereis("name") is None
    assert table.lookup("name") == []
    table.register("name", "bob's", bob)
    await quiet()
    assert table.lookup("name") == [(bob, "bob's")]
    assert table.refs() == [bob]


@simulated
async def test_dead_process_cannot_be_registered() -> None:
    table = Table[str]("names")
    await start_registry(table)
    ann = await start(Member, table)
    await kill(ann)
    with pytest.raises(ValueError, match="is dead"):
        table.register("name", "value", ann)
    assert len(table) == 0


@simulated
async def test_only_a_process_can_hold_a_key() -> None:
    table = Table[str]("names")
    with pytest.raises(RuntimeError, match="only a process can hold a key"):
        table.register("name", "value")


@simulated
async def test_process_gives_its_own_keys_back() -> None:
    table = Table[str]("names")
    await start_registry(table)
    ann = await start(Member, table, "a", "b")
    await call(ann, ("unregister", "a"))
    await call(ann, ("unregister", "never held"))
    assert await call(ann, "keys") == {"b"}
    assert table.whereis("a") is None
    await call(ann, ("unregister", "b"))
    await call(ann, ("register", "c"))
    assert table.refs() == [ann]
    await kill(ann)
    await quiet()
    assert (len(table), table.refs()) == (0, [])


# Groups.


@simulated
async def test_duplicate_key_is_held_by_many_in_the_order_they_came() -> None:
    table = Table[str]("groups", Keys.DUPLICATE)
    await start_registry(table)
    members = [await start(Member, table, "group") for _ in range(3)]
    assert [ref for ref, _ in table.lookup("group")] == members
    assert table.whereis("group") is members[0]
    assert len(table) == 3


@simulated
async def test_members_leave_a_group_one_by_one() -> None:
    table = Table[str]("groups", Keys.DUPLICATE)
    await start_registry(table)
    ann, bob = await start(Member, table, "group"), await start(Member, table, "group")
    await stop(ann)
    await quiet()
    assert [ref for ref, _ in table.lookup("group")] == [bob]
    table.unregister("group", bob)
    assert list(table) == []


@simulated
async def test_dispatch_reaches_the_living_members_and_counts_them() -> None:
    table = Table[str]("groups", Keys.DUPLICATE)
    await start_registry(table)
    ann, bob, eve = [await start(Member, table, "group") for _ in range(3)]
    await start(Member, table, "other group")
    force_exit(bob, "crash")
    reached: list[tuple[Ref, str]] = []
    assert table.dispatch("group", lambda ref, value: reached.append((ref, value))) == 2
    assert reached == [(ann, "value of group"), (eve, "value of group")]
    assert table.dispatch("nobody", lambda ref, value: reached.append((ref, value))) == 0


@simulated
async def test_published_message_comes_to_every_member() -> None:
    table = Table[str]("groups", Keys.DUPLICATE)
    await start_registry(table)
    members = [await start(Member, table, "topic") for _ in range(2)]
    outsider = await start(Member, table, "other topic")
    assert table.publish("topic", "news") == 2
    assert [await call(ref, "got") for ref in members] == [["news"], ["news"]]
    assert await call(outsider, "got") == []


@simulated
async def test_members_may_leave_while_they_are_reached() -> None:
    table = Table[str]("groups", Keys.DUPLICATE)
    await start_registry(table)
    members = [await start(Member, table, "group") for _ in range(3)]
    assert table.dispatch("group", lambda ref, _: table.unregister("group", ref)) == 3
    assert len(table) == 0
    assert all(member.is_alive() for member in members)


# The dead.


@pytest.mark.parametrize("reason", ["crash", "kill", "shutdown"])
@simulated
async def test_keys_of_the_dead_are_removed_whatever_they_died_of(reason: str) -> None:
    names, groups = Table[str]("names"), Table[str]("groups", Keys.DUPLICATE)
    await start_registry(names, groups)
    ann = await start(Member, names, "a", "b")
    bob = await start(Member, groups, "g")
    groups.register("g", "ann is here too", ann)
    force_exit(ann, reason) if reason == "crash" else await kill(ann, reason)
    await quiet()
    assert list(names) == []
    assert list(groups) == [("g", bob, "value of g")]


@simulated
async def test_entry_of_a_process_that_died_at_once_is_removed() -> None:
    table = Table[int]("names")
    await start_registry(table)
    ann = await start(Member, table)
    table.register("name", 1, ann)
    force_exit(ann, "crash")  # before the registry could watch it
    await quiet()
    assert list(table) == []


# Listeners.


@pytest.mark.parametrize("kind", list(Keys))
@pytest.mark.parametrize("how", ["gives back", "gives back what matches", "dies", "is forgotten"])
@simulated
async def test_key_whose_last_holder_has_gone_is_gone(kind: Keys, how: str) -> None:
    table: Table[int] = Table("t", kind)
    await start_registry(table)
    refs = [(await puppet())[0] for _ in range(3)]
    for number, ref in enumerate(refs):
        table.register(number, number, ref)
        table.register((), number, ref) if kind is Keys.DUPLICATE or number == 0 else None
        table.register(number, number + 10, ref)  # another value
    for ref in refs:
        if how == "dies":
            await kill(ref)
        elif how == "is forgotten":
            table.forget(ref)
        else:
            for key in table.keys(ref):
                if how == "gives back":
                    table.unregister(key, ref)
                else:
                    table.unregister_match(key, lambda _: False, ref)
                    table.unregister_match(key, lambda _: True, ref)
    await quiet()
    assert (table._entries, table._keys_of, len(table), list(table)) == ({}, {}, 0, [])


@simulated
async def test_looking_for_a_key_that_nobody_holds_leaves_nothing() -> None:
    table: Table[int] = Table("t", Keys.DUPLICATE)
    ref, _ = await puppet()
    table.lookup("k"), table.whereis("k"), table.match("k", bool), list(table.values("k")), table.count_match("k", bool)
    table.dispatch("k", lambda *_: None), table.publish("k", 1), table.keys(ref)
    table.unregister("k", ref)
    table.forget(ref)
    with pytest.raises(KeyError):
        table.update_value("k", lambda value: value, ref)
    assert (table._entries, table._keys_of) == ({}, {})


@simulated
async def test_unique_key_of_the_dead_goes_over_whole_to_the_next_holder() -> None:
    table: Table[int] = Table("t", Keys.UNIQUE)  # without a registry that removes the dead
    first, _ = await puppet()
    second, _ = await puppet()
    table.register("k", 1, first)
    await kill(first)
    table.register("k", 2, second)
    assert list(table) == [("k", second, 2)]
    assert table.refs() == [second]
    table.unregister("k", second)
    assert (table._entries, table._keys_of) == ({}, {})


@simulated
async def test_listener_hears_of_every_change_in_order() -> None:
    probe = await Probe.begin()
    table = Table[str]("names", listeners=[probe.ref])
    await start_registry(table)
    ann = await start(Member, table, "a")
    table.register("a", "again", ann)
    table.unregister("a", ann)
    table.register("b", "last", ann)
    await kill(ann)
    assert [await probe.receive_message() for _ in range(5)] == [
        Registered("names", "a", ann, "value of a"),
        Registered("names", "a", ann, "again"),
        Unregistered("names", "a", ann, "again"),
        Registered("names", "b", ann, "last"),
        Unregistered("names", "b", ann, "last"),
    ]
    await probe.assert_quiet()


@simulated
async def test_listener_by_name_may_be_away() -> None:
    table = Table[str]("names", listeners=["listener"])
    await start_registry(table)
    ann = await start(Member, table, "a")
    assert table.whereis("a") is ann


class Unreachable:
    """A listener whose look-up raises whatever it was given."""

    def __init__(self, failure: BaseException) -> None:
        self.failure = failure

    def whereis(self) -> Ref | None:
        raise self.failure

    def __repr__(self) -> str:
        raise self.failure


@pytest.mark.parametrize("failure", [ValueError("bad"), SystemExit("bad"), CancelledError()], ids=repr)
@simulated
async def test_listener_that_cannot_be_reached_harms_neither_the_change_nor_the_others(failure: BaseException) -> None:
    probe = await Probe.begin()
    table = Table[str]("names", listeners=[Unreachable(failure), probe.ref])
    top = await start_registry(table)
    [before] = await which_children(top)
    with capture_logs() as logs:
        ann = await start(Member, table, "a")
        table.update_value("a", str.upper, ann)
        await kill(ann)
        assert [await probe.receive_message() for _ in range(3)] == [
            Registered("names", "a", ann, "value of a"),
            Registered("names", "a", ann, "VALUE OF A"),
            Unregistered("names", "a", ann, "VALUE OF A"),
        ]
    failed = [entry for entry in logs if entry["event"] == "registry.listener_failed"]
    assert [(entry["table"], entry["listener"]) for entry in failed] == [("names", "<Unreachable>")] * 3
    assert list(table) == []
    assert await which_children(top) == [before]


def test_listener_that_is_no_target_is_refused() -> None:
    with pytest.raises(TypeError, match="a listener must be a reference, a name or a `Via`, got 5"):
        Table("names", listeners=[5])  # type: ignore[list-item]


# Code of others in the middle of a change.


@pytest.mark.parametrize("failure", [ValueError("bad"), SystemExit("bad"), CancelledError()], ids=repr)
@simulated
async def test_one_that_cannot_be_served_does_not_keep_the_others_from_it(failure: BaseException) -> None:
    table = Table[str]("groups", Keys.DUPLICATE)
    members = [await start(Member, table, "group") for _ in range(5)]
    reached: list[Ref] = []

    def deliver(failing: list[Ref]) -> Any:
        def to(ref: Ref, _: str) -> None:
            reached.append(ref)
            if ref in failing:
                raise failure

        return to

    with pytest.raises(type(failure)) as alone:
        table.dispatch("group", deliver(members[:1]))
    assert alone.value is failure
    with pytest.raises(BaseExceptionGroup, match="2 of 5 deliveries failed") as several:
        table.dispatch("group", deliver(members[1:3]))
    assert several.value.exceptions == (failure, failure)
    assert reached == members * 2


class FusedKey:
    """A key like any other until its fuse has burnt down: from then on its hash and its comparison raise."""

    fuse: float = math.inf

    def __init__(self, name: str) -> None:
        self.name = name

    def __hash__(self) -> int:
        burn()
        return 1  # all collide, so that they are compared

    def __eq__(self, other: object) -> bool:
        burn()
        return isinstance(other, FusedKey) and other.name == self.name


def burn() -> None:
    FusedKey.fuse -= 1
    if FusedKey.fuse < 0:
        raise RuntimeError("the fuse has burnt down")


def contents(table: Any) -> Any:
    """All of a table, from both sides, without a look-up."""
    entries = [(key.name, ref, value) for key, ref, value in table]
    by_ref = sorted((str(ref), entry.key.name) for ref in table.refs() for entry in table._keys_of[ref])
    assert by_ref == sorted((str(ref), name) for name, ref, _ in entries)
    return sorted(entries, key=str)


CHANGES: dict[str, Any] = {
    "register a new key": lambda table, one, dead: table.register(FusedKey("new"), 1, one),
    "register a key again": lambda table, one, dead: table.register(FusedKey("b"), 9, one),
    "register the key of the dead": lambda table, one, dead: table.register(FusedKey("d"), 1, one),
    "unregister": lambda table, one, dead: table.unregister(FusedKey("b"), one),
    "unregister what is not held": lambda table, one, dead: table.unregister(FusedKey("x"), one),
    "unregister a match": lambda table, one, dead: table.unregister_match(FusedKey("b"), bool, one),
    "update": lambda table, one, dead: table.update_value(FusedKey("b"), lambda value: value + 1, one),
    "forget": lambda table, one, dead: table.forget(one),
}


@pytest.mark.parametrize("kind", [Table, Groups])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_happens_whole_or_not_at_all_whenever_a_key_fails(change: Any, kind: Any) -> None:
    async def scenario() -> bool:
        FusedKey.fuse = math.inf
        table = kind("names")
        (one, _), (two, _), (dead, _) = [await puppet() for _ in range(3)]
        for name, ref, value in (("a", two, 1), ("b", one, 2), ("c", one, 3), ("d", dead, 4)):
            table.register(FusedKey(name), value, ref)
        await kill(dead)
        before = contents(table)
        watcher, insides = await puppet()
        if isinstance(table, Groups):
            table.monitor(watcher)
        FusedKey.fuse = fuse
        try:
            change(table, one, dead)
        except RuntimeError:
            raised = True
        else:
            raised = False
        FusedKey.fuse = math.inf
        assert not raised or contents(table) in (before, [each for each in before if each[1] is not dead])
        await quiet()
        replayed = {(name, ref): value for name, ref, value in before}
        for message in insides.got:
            match message:
                case Registered(key=key, ref=ref, value=value):
                    assert isinstance(key, FusedKey)
                    replayed[key.name, ref] = value
                case Unregistered(key=key, ref=ref):
                    assert isinstance(key, FusedKey)
                    del replayed[key.name, ref]
        if isinstance(table, Groups):
            assert contents(table) == sorted(((*held, value) for held, value in replayed.items()), key=str)
        for name in "abcdx":  # it still works
            table.register(FusedKey(name), 1, one if name != "a" else two)
        table.forget(one)
        assert {ref for _, ref, _ in contents(table)} <= {two, dead}
        return raised

    for fuse in range(200):
        if not run(scenario()):
            assert fuse > 0 or change is CHANGES["forget"]
            return
    raise AssertionError("the change never came to its end")


@simulated
async def test_registry_survives_a_key_whose_hash_fails_when_its_holder_dies() -> None:
    FusedKey.fuse = math.inf
    table = Table[Any]("names")
    top = await start_registry(table)
    [before] = await which_children(top)
    ann = await start(Member, table, "a")
    table.register(FusedKey("fails"), 1, ann)
    FusedKey.fuse = 0
    await kill(ann)
    await quiet()
    assert (list(table), table.refs(), table.keys(ann)) == ([], [], set())
    assert await which_children(top) == [before]


@pytest.mark.parametrize("kind", [Table, Groups])
@simulated
async def test_key_that_is_not_hashable_is_refused_before_anything_changed(kind: Any) -> None:
    table = kind("names")
    ann, bob = [(await puppet())[0] for _ in range(2)]
    table.register("a", 1, ann)
    key: Any = ("in a tuple", [])
    changes: list[Callable[[], object]] = [
        lambda: table.register(key, 1, bob),
        lambda: table.unregister(key, ann),
        lambda: table.update_value(key, bool, ann),
        lambda: table.publish(key, "news"),
        lambda: table.whereis(key),
        lambda: send(table.via(key), "news"),
    ]
    if isinstance(table, Groups):
        changes += [lambda: table.join(key, bob), lambda: table.leave(key, ann), lambda: table.monitor(bob, "a", key)]
    for change in changes:
        with pytest.raises(TypeError, match="a key of the table 'names' must be hashable: unhashable type: 'list'"):
            change()
    assert (list(table), table.refs()) == ([("a", ann, 1)], [ann])
    if isinstance(table, Groups):
        table.leave("a", ann)
        await quiet()
        assert list(table._watchers) == []


@pytest.mark.parametrize("deed", ["unregister_match", "update_value"])
@simulated
async def test_function_that_gives_back_the_key_it_is_asked_about_leaves_the_table_whole(deed: str) -> None:
    table = Table[int]("names")
    ann, _ = await puppet()
    table.register("a", 1, ann)

    def give_back(_: int) -> int:
        table.unregister("a", ann)
        return 1

    if deed == "update_value":
        with pytest.raises(KeyError):
            table.update_value("a", give_back, ann)
    else:
        table.unregister_match("a", give_back, ann)
    assert (list(table), table.refs()) == ([], [])
    table.register("a", 2, ann)
    assert list(table) == [("a", ann, 2)]


@simulated
async def test_message_that_looks_like_a_down_removes_nobody() -> None:
    table = Table[str]("names")
    top = await start_registry(table)
    [before] = await which_children(top)
    ann = await start(Member, table, "a")
    for target in (ann, "name", top):
        send("registry", Down(Monitor(ann, target), target, "forged"))
    await quiet()
    assert table.whereis("a") is ann
    assert await which_children(top) == [before]


# Names as targets.


@simulated
async def test_call_cast_and_send_go_to_whoever_holds_the_name() -> None:
    table = Table[str]("names")
    await start_registry(table)
    await start(Member, table, "name")
    target = table.via("name")
    cast(target, 1)
    send(target, 2)
    assert await call(target, "got") == [("cast", 1), 2]


@simulated
async def test_name_means_the_successor_after_a_death() -> None:
    table = Table[str]("names")
    await start_registry(table)
    target = table.via("name")
    ann = await start(Member, table, "name")
    cast(target, "to ann")
    await stop(ann)
    bob = await start(Member, table, "name")
    cast(target, "to bob")
    assert await call(target, "got") == [("cast", "to bob")]
    assert target.whereis() is bob


@simulated
async def test_name_that_nobody_holds_is_nobody() -> None:
    target = Table[str]("names").via("nobody")
    cast(target, "lost")
    send(target, "lost")
    with pytest.raises(CallExit) as caught:
        await call(target, "got")
    assert caught.value.reason == NOPROC


# The registry's own crash.


@simulated
async def test_successor_of_a_crashed_registry_keeps_the_entries() -> None:
    table = Table[str]("names")
    top = await start_registry(table)
    ann = await start(Member, table, "a")
    await crash_registry(top)
    assert table.lookup("a") == [(ann, "value of a")]
    await kill(ann)
    await quiet()
    assert list(table) == []


@simulated
async def test_successor_sweeps_those_who_died_meanwhile() -> None:
    probe = await Probe.begin()
    table = Table[str]("names", listeners=[probe.ref])
    top = await start_registry(table)
    ann, bob = await start(Member, table, "a"), await start(Member, table, "b")
    await crash_registry(top, ann)
    await quiet()
    assert list(table) == [("b", bob, "value of b")]
    gone = [message for message in probe.messages if isinstance(message, Unregistered)]
    assert gone == [Unregistered("names", "a", ann, "value of a")]


@simulated
async def test_registering_works_while_the_registry_is_away() -> None:
    table = Table[str]("names")
    top = await start_registry(table)
    ann = await start(Member, table)
    old = table.registry
    assert old is not None
    force_exit(old, "crash")
    table.register("a", "value", ann)  # nobody can be told to watch now
    assert table.whereis("a") is ann
    await which_children(top)
    await kill(ann)
    await quiet()
    assert list(table) == []


@simulated
async def test_table_works_without_a_registry_until_somebody_dies() -> None:
    table = Table[str]("names")
    ann = await start(Member, table, "a")
    assert table.whereis("a") is ann
    await stop(ann, NORMAL)
    assert table.whereis("a") is None
    await start_registry(table)
    await quiet()
    assert list(table) == []


async def crash_registry(top: Ref, *others: Ref) -> None:
    """Crash the registry and, at the same moment, `others`; wait until its successor is there."""
    (registry,) = await which_children(top)
    assert isinstance(registry.ref, Ref)
    for ref in (registry.ref, *others):
        force_exit(ref, "crash")
    (successor,) = await which_children(top)
    assert successor.ref is not registry.ref


# More of Elixir's.


@simulated
async def test_entry_is_given_back_only_if_its_value_matches() -> None:
    table: Table[int] = Table("t", Keys.DUPLICATE)
    one, _ = await puppet()
    table.register("k", 5, one)
    table.unregister_match("k", lambda value: value > 5, one)
    assert len(table) == 1
    table.unregister_match("k", lambda value: value == 5, one)
    table.unregister_match("k", lambda value: True, one)
    assert len(table) == 0


@simulated
async def test_value_is_changed_by_its_holder_alone() -> None:
    table: Table[int] = Table("t")
    one, _ = await puppet()
    two, _ = await puppet()
    table.register("k", 5, one)
    assert table.update_value("k", lambda value: value + 1, one) == 6
    assert table.lookup("k") == [(one, 6)]
    for key, ref in (("k", two), ("other", one)):
        with pytest.raises(KeyError):
            table.update_value(key, lambda value: value, ref)


@simulated
async def test_entries_are_matched_and_counted_among_the_living() -> None:
    table: Table[int] = Table("t", Keys.DUPLICATE)
    refs = [(await puppet())[0] for _ in range(4)]
    for value, ref in enumerate(refs):
        table.register("k", value, ref)
    assert table.match("k", lambda value: value % 2) == [(refs[1], 1), (refs[3], 3)]
    await kill(refs[3])
    assert table.count_match("k", lambda value: value % 2) == 1
    assert table.match("nobody", lambda value: True) == []


@simulated
async def test_table_keeps_what_goes_with_it_over_a_crash_of_its_registry() -> None:
    table: Table[int] = Table("t")
    table.metadata["limit"] = 5
    registry = await start(Registry, table)
    await kill(registry)
    await start(Registry, table)
    assert table.metadata == {"limit": 5}


@simulated
async def test_process_monitors_whoever_holds_a_name() -> None:
    table: Table[int] = Table("t")
    one, _ = await puppet()
    table.register("k", 1, one)
    watcher, insides = await puppet()
    await call(watcher, lambda self: self.monitor(table.via("k")) and None)
    await kill(one)
    await quiet()
    assert [(message.target, message.reason) for message in insides.got] == [(table.via("k"), "killed")]
