"""Equal children side by side, each for its share of the keys."""

from collections import Counter
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


def test_shares_are_equal_and_the_same_in_every_python_process() -> None:
    counts = Counter(partition_of(f"key {number}", 8) for number in range(8_000))
    assert set(counts) == set(range(8))
    assert min(counts.values()) > 800
    assert [partition_of(key, 8) for key in ("a", "b", ("a", 1), -1)] == [2, 1, 3, 7]


@simulated
async def test_a_reference_keeps_its_share_when_it_is_renamed() -> None:
    ref = await start(GenServer)
    before = partition_of(ref, 1_000)
    ref.label = "other"
    assert partition_of(ref, 1_000) == before


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
