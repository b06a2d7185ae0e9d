"""A specification checks itself: a bad one names the field, the value and what is allowed."""

import functools
import math
from collections.abc import Callable
from typing import Any

import pytest

from actors import GenServer, Process, Ref, start_link
from actors.testing import Kit
from supervision import (
    BRUTAL_KILL,
    INFINITY,
    Backoff,
    ChildSpec,
    ChildType,
    DynamicSupervisor,
    Limit,
    Restart,
    SpecError,
    Strategy,
    Supervisor,
    child,
    get_childspec,
    supervisor,
    which_children,
)
from supervision.child_spec import resources_of


async def begin() -> Ref:
    return await start_link(GenServer)


class Unfit:
    """Raises whatever it is asked for, but for its text."""

    def __hash__(self) -> int:
        raise SystemExit("no")

    def __eq__(self, other: object) -> bool:
        raise SystemExit("no")


class Door:
    def prepare_stop(self) -> None: ...

    def close(self) -> None: ...


class WaitingDoor(Door):
    async def close(self) -> None: ...  # type: ignore[override]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ["a", "list"]),
        ("id", ("a", ["list"])),
        ("id", Unfit()),
        ("start", "GenServer"),
        ("start", int),
        ("start", lambda: None),
        ("args", [1, 2]),
        ("kwargs", [("a", 1)]),
        ("kwargs", {1: "a"}),
        ("restart", "always"),
        ("restart", "permanent"),
        ("shutdown", -1),
        ("shutdown", math.nan),
        ("shutdown", True),
        ("shutdown", "soon"),
        ("shutdown", [5]),
        ("shutdown", Unfit()),
        ("shutdown", 10**400),
        ("type", "worker"),
        ("significant", 1),
        ("name", 5),
        ("label", b"bytes"),
        ("budget", 3),
        ("given_up", "call me"),
        ("given_up", begin),
        ("resources", [Door()]),
        ("resources", Door()),
        ("resources", (5,)),
        ("resources", (WaitingDoor(),)),
    ],
)
def test_a_bad_value_is_refused_with_field_and_value(field: str, value: Any) -> None:
    with pytest.raises(SpecError) as caught:
        ChildSpec(**{"id": "a", "start": GenServer, field: value})
    assert caught.value.field == field
    assert caught.value.value is value
    assert str(caught.value).startswith(f"{field} must be ")
    assert str(caught.value).endswith(f"got {value!r}")


def test_a_value_without_a_text_is_refused_by_its_type() -> None:
    class Textless:
        def __repr__(self) -> str:
            raise SystemExit("no")

    with pytest.raises(SpecError, match="type must be a member of ChildType, got Textless"):
        ChildSpec(id="a", start=GenServer, type=Textless())  # type: ignore[arg-type]


def test_a_partial_start_function_has_the_id_of_its_function() -> None:
    assert child(functools.partial(begin)).id == "begin"
    assert child(functools.partial(begin), id="other").id == "other"


@pytest.mark.parametrize("start", [functools.partial(print), functools.partial(GenServer), 5])
def test_what_cannot_be_started_is_refused_without_a_name_too(start: Any) -> None:
    with pytest.raises(SpecError, match="start must be a class of processes or a coroutine function"):
        child(start)


class Factory:
    async def __call__(self) -> Ref:
        return await start_link(GenServer)


@pytest.mark.parametrize("start", [Factory(), functools.partial(Factory())])
def test_a_start_function_without_a_name_needs_an_id(start: Any) -> None:
    with pytest.raises(SpecError, match="id must be given, because the start function has no __name__"):
        child(start)


def test_keywords_that_change_later_do_not_change_a_specification() -> None:
    mine: dict[Any, Any] = {"a": 1}
    spec = child(GenServer, kwargs=mine)
    mine[1] = 2
    assert spec.kwargs == {"a": 1}


@pytest.mark.parametrize("make", [lambda number: Limit(1, number), lambda number: Backoff(maximum=number)])
def test_a_number_too_large_for_a_clock_is_refused(make: Callable[[int], object]) -> None:
    with pytest.raises(SpecError):
        make(10**400)


@pytest.mark.parametrize("field", ["name", "label"])
def test_a_start_function_names_its_process_itself(field: str) -> None:
    assert ChildSpec(id="a", start=begin).start is begin
    names: dict[str, Any] = {field: "n"}
    with pytest.raises(SpecError, match=f"{field} must be None beside a start function"):
        ChildSpec(id="a", start=begin, **names)


@pytest.mark.parametrize("intensity", [-1, 1.5, True, "3", None])
def test_a_bad_intensity_is_refused(intensity: Any) -> None:
    with pytest.raises(SpecError, match="intensity"):
        Limit(intensity, 5)


@pytest.mark.parametrize("period", [0, -1, math.nan, "5", True, None])
def test_a_bad_period_is_refused(period: Any) -> None:
    with pytest.raises(SpecError, match="period"):
        Limit(1, period)


def test_a_child_is_a_permanent_worker_with_five_seconds_to_stop() -> None:
    spec = child(GenServer, 1, 2)
    assert (spec.id, spec.args) == ("GenServer", (1, 2))
    assert (spec.restart, spec.type, spec.shutdown) == (Restart.PERMANENT, ChildType.WORKER, 5.0)
    assert not spec.significant


def test_a_supervisor_has_all_the_time_it_wants() -> None:
    assert child(GenServer, type=ChildType.SUPERVISOR).shutdown == INFINITY
    assert child(GenServer, type=ChildType.SUPERVISOR, shutdown=1).shutdown == 1


@pytest.mark.parametrize("start", [Supervisor, DynamicSupervisor, type("Own", (Supervisor,), {})])
def test_the_type_of_a_supervisor_is_read_from_its_class(start: type[Process]) -> None:
    spec = child(start, id="own")
    assert (spec.type, spec.shutdown) == (ChildType.SUPERVISOR, INFINITY)
    assert child(start, id="own", type=ChildType.WORKER).type is ChildType.WORKER


async def test_a_tree_reads_as_a_list(kit: Kit) -> None:
    leaves = [child(GenServer, id="a"), child(GenServer, id="b", restart=Restart.TEMPORARY)]
    spec = supervisor(
        "top", leaves, name="root", strategy=Strategy.REST_FOR_ONE, intensity=3, period=7.0, backoff=Backoff()
    )
    assert (spec.id, spec.name, spec.type, spec.backoff) == ("top", "root", ChildType.SUPERVISOR, Backoff())
    top = await kit.start_supervised(spec)
    assert [info.id for info in await which_children(top)] == ["b", "a"]
    assert await get_childspec(top, "b") == leaves[1]


@pytest.mark.parametrize("shutdown", [0, 0.5, 10, INFINITY, BRUTAL_KILL])
def test_every_shutdown_time_of_otp_is_allowed(shutdown: Any) -> None:
    assert child(GenServer, shutdown=shutdown).shutdown == shutdown


def test_any_kind_of_process_and_id_is_allowed() -> None:
    class Own(Process):
        pass

    assert child(Own, id=("a", 1)).id == ("a", 1)
    assert child(begin).id == "begin"


def test_a_specification_has_the_resources_of_those_in_its_arguments() -> None:
    first, second, third, fourth = (Door() for _ in range(4))
    one = child(Supervisor, [child(GenServer, resources=(first,)), child(GenServer, id="b")], resources=(second,))
    two = child(Supervisor, kwargs={"children": (child(GenServer, resources=(third, first)),)})
    three = child(DynamicSupervisor, child(GenServer, resources=(fourth,)))
    assert resources_of(child(Supervisor, [one, two, three], resources=(second,))) == (first, second, third, fourth)
    assert resources_of(child(GenServer)) == ()
