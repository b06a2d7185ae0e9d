"""Every exception of the project can be copied, and gets across to another Python process."""

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import typing
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import CallFailure, Crash, GenServer, Ref, Shutdown, start
from actors.kernel.ref import Monitor, Via
from actors.portable import PortableException
from actors.testing import run
from actors.testing.chance import Plan
from protocol import CloseCode
from tests.support.scenarios import simulated

PACKAGES = ("actors", "protocol", "supervision", "registry", "canvas")


def exception_classes() -> list[type[BaseException]]:
    """All of ours, found in all our modules."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if not module.name.endswith(".__main__"):
                importlib.import_module(module.name)
    found = {kind for kind in subclasses(BaseException) if kind.__module__.partition(".")[0] in PACKAGES}
    return sorted(found, key=lambda kind: kind.__qualname__)


def subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for subclass in type.__subclasses__(kind):
        yield subclass
        yield from subclasses(subclass)


class Unpicklable:
    """Not even the guard that a program means to end by is safe from it."""

    def __reduce__(self) -> Any:
        raise SystemExit("no")

    def __str__(self) -> str:
        raise SystemExit("no text either")


class Unloadable(Exception):
    """Pickled without complaint, and fails when it is unpickled: the usual mistake in an exception (bpo-32696)."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(one)


SAMPLES: dict[Any, Any] = {
    str: "some text",
    int: 7,
    int | None: 7,
    str | None: "some text",
    float | None: 1.5,
    list[str]: ["a line"],
    Path: Path("a file"),
    tuple[tuple[str, str], ...]: (("Allow", "GET"),),
    CloseCode: CloseCode.GOING_AWAY,
    BaseException: ValueError("a failure"),
    Plan: {1: 2},
}
"""A value for a parameter, by its type."""
ANYTHING = (object, Any, Hashable, Ref, Ref | str | Via)
"""The types of parameters that take what cannot be pickled."""


def parameters(kind: type[BaseException]) -> list[Any]:
    """The types of the arguments of an exception; those without a constructor of their own take a text."""
    if not inspect.isfunction(kind.__init__):
        return [str]
    hints = typing.get_type_hints(kind.__init__, localns={"Ref": Ref, "Target": Ref | str | Via})
    return [hints[name] for name in list(inspect.signature(kind.__init__).parameters)[1:]]


def made(kind: type[BaseException], anything: Any = "anything") -> BaseException:
    return kind(*(anything if each in ANYTHING else SAMPLES[each] for each in parameters(kind)))


def shown(exception: BaseException) -> list[Any]:
    """What there is of an exception, comparable."""
    return [type(exception), str(exception), repr(exception), repr(vars(exception))]


@pytest.mark.parametrize("kind", exception_classes(), ids=lambda kind: kind.__qualname__)
def test_an_exception_survives_pickle_and_copy(kind: type[BaseException]) -> None:
    exception = made(kind)
    exception.add_note("a note")
    expected = shown(exception)
    assert shown(pickle.loads(pickle.dumps(exception))) == expected
    assert shown(copy.copy(exception)) == expected
    assert shown(copy.deepcopy(exception)) == expected


CARRIERS = [kind for kind in exception_classes() if any(each in ANYTHING for each in parameters(kind))]


@pytest.mark.parametrize("kind", CARRIERS, ids=lambda kind: kind.__qualname__)
def test_an_exception_gets_across_with_the_text_of_what_cannot(kind: type[BaseException]) -> None:
    async def scenario() -> None:
        ref = await start(GenServer)
        for value, text in (
            (ref, str(ref)),
            (CallFailure("timeout", ref), f"call to {ref!r} failed: timeout"),
            (Unpicklable(), "Unpicklable"),
            (Unloadable(1, 2), "1"),
            (Crash(Unloadable(1, 2)), "Unloadable: 1"),
        ):
            exception = made(kind, value)
            across = pickle.loads(pickle.dumps(exception))
            assert type(across) is kind
            for name, attribute in vars(exception).items():
                got = getattr(across, name)
                assert got == text if attribute is value else repr(got) == repr(attribute)
            assert vars(copy.copy(exception)) == vars(exception)

    run(scenario())


def test_an_exception_of_a_user_needs_nothing_of_its_own() -> None:
    again = pickle.loads(pickle.dumps(OrderRefused(5, customer="ann")))
    assert (type(again), str(again), again.order, again.customer) == (OrderRefused, "order 5 of ann", 5, "ann")


class OrderRefused(PortableException):
    def __init__(self, order: int, *, customer: str) -> None:
        super().__init__(f"order {order} of {customer}")
        self.order = order
        self.customer = customer


def test_an_exception_that_carries_itself_is_copied_and_pickled() -> None:
    exception = PortableException("loop")
    exception.args = (exception,)
    copied = copy.deepcopy(exception)
    assert copied.args == (copied,)
    assert isinstance(pickle.loads(pickle.dumps(exception)), PortableException)


def test_pickling_exceptions_in_exceptions_costs_the_same_for_each() -> None:
    sizes = []
    exception = PortableException("core")
    for _ in range(20):
        sizes.append(len(pickle.dumps(exception)))
        outer = PortableException(exception)
        outer.reason = exception  # type: ignore[attr-defined]
        exception = outer
    assert sizes[19] - sizes[18] <= 2 * (sizes[3] - sizes[2])


@pytest.mark.parametrize("reason", [Shutdown("why"), Crash(ValueError("x")), CallFailure("timeout", "server")], ids=str)
def test_a_reason_survives_pickle_and_copy(reason: Any) -> None:
    for copied in (pickle.loads(pickle.dumps(reason)), copy.copy(reason), copy.deepcopy(reason)):
        assert repr(copied) == repr(reason)


@dataclasses.dataclass(frozen=True)
class Subscribe:
    subscriber: Ref
    monitor: Monitor


@simulated
async def test_a_copy_of_a_reference_is_that_reference() -> None:
    ref = await start(GenServer)
    message = Subscribe(ref, Monitor(ref, "name"))
    assert copy.copy(ref) is copy.deepcopy(ref) is ref
    assert copy.deepcopy(message) == message
    assert dataclasses.asdict(message) == {"subscriber": ref, "monitor": message.monitor}


@simulated
async def test_a_reference_cannot_be_pickled_and_says_what_to_send_instead() -> None:
    ref = await start(GenServer)
    for value in (ref, [ref], Subscribe(ref, Monitor(ref, "name"))):
        with pytest.raises(TypeError, match=r"it is valid only in this Python process\. Send a name"):
            pickle.dumps(value)
