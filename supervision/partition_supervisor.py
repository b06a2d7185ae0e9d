"""Supervisor. Runs several equal children, each for its share of the keys (Elixir's PartitionSupervisor)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from types import EllipsisType
from typing import Any

from actors import Ref, Stop, whereis
from actors.debug import actor_of
from supervision.child_spec import ChildSpec, SpecError, check_spec, child
from supervision.partition_key import partition_of
from supervision.strategy import Strategy
from supervision.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Partition:
    """A target for `call`, `cast` and `send`: the child for `key` of the partition supervisor `name`.

    For example, `Partition("counters", key="a")`. If the number of partitions is given, as in
    `Partition("counters", 4, "a")`, a lookup does not ask the supervisor for it.

    Raises:
        SpecError: if a value is invalid.
    """

    name: str
    partitions: int | None = None
    key: Hashable | EllipsisType = ...

    def __post_init__(self) -> None:
        if self.partitions is not None:
            _check_partitions(self.partitions)
        if self.key is ...:
            raise SpecError("key", self.key, "given, as in Partition(name, key=key)")

    def whereis(self) -> Ref | None:
        """Return the process that serves the key now, or None.

        Raises:
            TypeError: if the key has no partition, see `partition_of`.
        """
        partitions = self.partitions or _count_partitions(whereis(self.name))
        return whereis(f"{self.name}.{partition_of(self.key, partitions)}") if partitions else None


class PartitionSupervisor(Supervisor):
    """A supervisor that knows its number of partitions."""

    async def init(self, children: Iterable[ChildSpec] = (), **options: Any) -> Stop | None:
        children = list(children)
        self.partitions = len(children)
        return await super().init(children, **options)


def _count_partitions(supervisor: Ref | None) -> int:
    """Return the number of partitions; 0 if `supervisor` is gone or not a partition supervisor."""
    actor = None if supervisor is None else actor_of(supervisor, PartitionSupervisor)
    return 0 if actor is None else actor.partitions


def _check_partitions(partitions: object) -> None:
    if isinstance(partitions, bool) or not isinstance(partitions, int) or partitions < 1:
        raise SpecError("partitions", partitions, "an integer of at least 1")


def partition_supervisor(name: str, template: ChildSpec, partitions: int, **options: Any) -> ChildSpec:
    """Specify a supervisor of `partitions` children made from `template`, named `name.0`, `name.1`, ...

    Args:
        name: of the supervisor, and prefix of its children's names; reach them with `Partition`
        template: must start a class. Its `id` and `name` are ignored. The number of the partition is appended to the
            `args` of each child
        partitions: number of children
        options: `intensity` and `period` of the supervisor

    Raises:
        SpecError: if a value is invalid.
    """
    check_spec(template)
    if not isinstance(name, str):
        raise SpecError("name", name, "a string")
    _check_partitions(partitions)
    if not isinstance(template.start, type):
        raise SpecError("start", template.start, "a class of processes, to be named by its partition")
    children = [
        replace(template, id=number, name=f"{name}.{number}", args=(*template.args, number))
        for number in range(partitions)
    ]
    options = {"strategy": Strategy.ONE_FOR_ONE, **options}
    return child(PartitionSupervisor, children, id=name, name=name, kwargs=options)
