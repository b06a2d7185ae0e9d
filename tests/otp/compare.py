"""Pure. Compares what a replay saw with what OTP did (FORMAT.md of the scenarios: Observations).

The expectation of a step leaves out the state that is as it was after the step before: `complete` fills it in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Observation = Mapping[str, Any]

STATE = ("alive", "children", "count", "names")
EVERYTHING = ("result", "events", "messages", *STATE, "top_exit")


def complete(expected: Observation, before: Observation) -> dict[str, Any]:
    """The whole of what is expected, given what was expected `before`."""
    state = {key: before[key] for key in STATE if key in before}
    return {"events": [], "messages": {}, **state, **expected}


def differences(expected: Observation, observed: Observation, dynamic: Iterable[str] = ()) -> list[str]:
    """The keys in which two observations differ; `dynamic` are the ids of the dynamic supervisors."""
    return [key for key in EVERYTHING if not _same(key, expected.get(key), observed.get(key), frozenset(dynamic))]


def _same(key: str, expected: Any, observed: Any, dynamic: frozenset[str]) -> bool:
    match key:
        case "events":
            return _in_order(expected, observed)
        case "messages":
            return _bags(expected) == _bags(observed)
        case "children" if expected is not None and observed is not None:
            return _children(expected, dynamic) == _children(observed, dynamic)
        case "result" if _rows_of_dynamic(expected) and isinstance(observed, list):
            return _bag(expected) == _bag(observed)
        case _:
            return bool(expected == observed)


def _in_order(expected: list[Any], observed: list[Any]) -> bool:
    """Tell whether events came in their order, in which a group may have any order of its own."""
    rest = observed
    for item in expected:
        group = item["any_order"] if isinstance(item, dict) else [item]
        head, rest = rest[: len(group)], rest[len(group) :]
        if _bag(head) != _bag(group):
            return False
    return not rest


def _rows_of_dynamic(result: Any) -> bool:
    """Tell whether `result` lists the children of a dynamic supervisor, whose order OTP does not define."""
    return isinstance(result, list) and bool(result) and isinstance(result[0], list) and result[0][0] is None


def _children(children: Mapping[str, list[Any]], dynamic: frozenset[str]) -> dict[str, list[Any]]:
    return {supervisor: _bag(rows) if supervisor in dynamic else rows for supervisor, rows in children.items()}


def _bags(messages: Mapping[str, list[Any]]) -> dict[str, list[str]]:
    return {process: _bag(received) for process, received in messages.items() if received}


def _bag(values: list[Any]) -> list[str]:
    return sorted(json.dumps(value, sort_keys=True) for value in values)
