"""Equal children side by side, each for its share of the keys."""

from typing import Any

import pytest

from actors import Call, GenServer, StartError, call, cast, send, start, stop, whereis
from actors.testing import kill, quiet, replaced
from supervision import (
    Partition,
    SpecError,
    Supervisor,
    child,
    partition_of,
    partition_supervisor,
    start_child,
    which_children,
)
from tests.support.scenarios import simulated


class Share(GenServer):
    def init(self, prefix: str, number: int) -> None:
        self.number = number
        self.got: list[Any] = []

    def handle_call(self, request: Any, from_: Call) -> Any:
        return (self.number, self.got)

    def handle_cast(self, request: Any) -> None:
        self.got.append(request)

    def handle_info(self, message: Any) -> None:
        self.got.append(message)


async def begin(partitions: int = 4, **options: Any) -> None:
    await start(Supervisor, [partition_supervisor("p", child(Share, "x"), partitions, **options)])


@simulated
async def test_each_key_has_one_child_for_calls_casts_and_messages() -> None:
    await begin()
    for key in ("a", "b", 7, ("t", 1)):
        target = Partition("p", 4, key)
        cast(target, key)
        send(target, "plain")
        number, got = await call(target, "get")
        assert number == partition_of(key, 4)
        assert got[-2:] == [key, "plain"]


@simulated
async def test_a_child_is_replaced_without_the_others_noticing() -> None:
    await begin()
    before = [whereis(f"p.{number}") for number in range(4)]
    assert before[2] is not None
    await kill(before[2])
    await replaced(Partition("p", 4, 2).whereis, before[2])
    after = [whereis(f"p.{number}") for number in range(4)]
    assert [a is b for a, b in zip(before, after, strict=True)] == [True, True, False, True]


@simulated
async def test_nobody_is_there_for_a_key_when_the_supervisor_is_gone() -> None:
    await begin()
    await stop("p")
    assert Partition("p", 4, "a").whereis() is None


@pytest.mark.parametrize("partitions", [1, 4, 7])
@simulated
async def test_a_target_finds_the_number_of_partitions_itself(partitions: int) -> None:
    await begin(partitions)
    for key in ("a", "b", 7, ("t", 1)):
        assert Partition("p", key=key).whereis() is Partition("p", partitions, key).whereis() is not None
        assert (await call(Partition("p", key=key), "get"))[0] == partition_of(key, partitions)


@simulated
async def test_nobody_is_there_for_a_key_of_a_name_that_is_no_partition_supervisor() -> None:
    await start(Supervisor, [child(Share, "x", 1, id="plain", name="plain")])
    assert Partition("plain", key=1).whereis() is None
    assert Partition("nobody", key=1).whereis() is None


@pytest.mark.parametrize(
    ("field", "arguments"),
    [("key", ("p",)), ("key", ("p", 4)), ("partitions", ("p", "a")), ("partitions", ("p", 0, "a"))],
)
def test_a_target_without_a_key_or_with_a_bad_number_is_refused(field: str, arguments: Any) -> None:
    with pytest.raises(SpecError) as caught:
        Partition(*arguments)
    assert caught.value.field == field


@simulated
async def test_a_target_with_a_key_that_has_no_partition_is_refused_where_it_is_used() -> None:
    await begin()
    for use in (lambda target: cast(target, 1), lambda target: send(target, 1), lambda target: target.whereis()):
        with pytest.raises(TypeError, match="a key of type object has no partition"):
            use(Partition("p", key=object()))


@simulated
async def test_options_go_to_the_supervisor() -> None:
    await begin(intensity=0)
    supervisor = whereis("p")
    first = whereis("p.0")
    assert supervisor is not None
    assert first is not None
    assert len(await which_children(supervisor)) == 4
    await kill(first)
    await quiet()
    assert not supervisor.is_alive()


async def begin_share() -> Any:
    """A start function."""


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("partitions", ("p", child(Share, "x"), 0)),
        ("partitions", ("p", child(Share, "x"), True)),
        ("partitions", ("p", child(Share, "x"), "4")),
        ("child", ("p", Share, 4)),
        ("name", (5, child(Share, "x"), 4)),
        ("start", ("p", child(begin_share), 4)),
    ],
)
def test_a_bad_value_is_refused_with_field_and_value(field: str, arguments: Any) -> None:
    with pytest.raises(SpecError) as caught:
        partition_supervisor(*arguments)
    assert caught.value.field == field


@simulated
async def test_bad_options_are_refused_at_the_start() -> None:
    supervisor = await start(Supervisor)
    with pytest.raises(Exception, match="intensity must be an integer of at least 0, got -1"):
        await start_child(supervisor, partition_supervisor("p", child(Share, "x"), 2, intensity=-1))
    with pytest.raises(StartError, match="intensity"):
        await begin(intensity="3")
    assert supervisor.is_alive()
