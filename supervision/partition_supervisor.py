"""Supervisor. Several equal children side by side, each for its share of the keys (Elixir's PartitionSupervisor)."""

from __future__ import annotations

import zlib
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

from actors import Ref, whereis
from supervision.child_spec import ChildSpec, ChildType, SpecError, check_spec, child
from supervision.strategy import Strategy
from supervision.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Partition:
    """A target for `call`, `cast` and `send`: the child for `key` of the partition supervisor `name`."""

    name: str
    partitions: int
    key: Hashable

    def whereis(self) -> Ref | None:
        """The child that serves the key now."""
        return whereis(f"{self.name}.{partition_of(self.key, self.partitions)}")


def partition_of(key: Hashable, partitions: int) -> int:
    """The share `key` falls into: the same in every Python process, unlike `hash`.

    A reference counts by its number, anything else but an integer by its `repr`.
    """
    if isinstance(key, Ref):
        return key.id % partitions
    if isinstance(key, int):
        return key % partitions
    return zlib.crc32(repr(key).encode()) % partitions


def partition_supervisor(name: str, template: ChildSpec, partitions: int, **options: Any) -> ChildSpec:
    """Specify a supervisor of `partitions` children made from `template`, named `name.0`, `name.1`, ...

    Args:
        name: of the supervisor, and the beginning of its children's names; reach them with `Partition`
        template: starts a class; its `id` and `name` mean nothing; the number of its partition is the last of each
            child's `args`
        partitions: how many
        options: `intensity` and `period` of the supervisor

    Raises:
        SpecError: if a value is not allowed.
    """
    check_spec(template)
    if not isinstance(name, str):
        raise SpecError("name", name, "a string")
    if isinstance(partitions, bool) or not isinstance(partitions, int) or partitions < 1:
        raise SpecError("partitions", partitions, "an integer of at least 1")
    if not isinstance(template.start, type):
        raise SpecError("start", template.start, "a class of processes, to be named by its partition")
    children = [
        replace(template, id=number, name=f"{name}.{number}", args=(*template.args, number))
        for number in range(partitions)
    ]
    options = {"strategy": Strategy.ONE_FOR_ONE, **options}
    return child(Supervisor, children, id=name, name=name, type=ChildType.SUPERVISOR, kwargs=options)
