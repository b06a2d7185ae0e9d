"""Pure. Between Canopy's exit reasons and the scenarios' strings and lists (FORMAT.md: Reasons and pids)."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from actors import AlreadyStarted, CallFailure, Crash, ExitReason, Ref, Shutdown
from supervision import DYNAMIC, GAVE_UP, BadCombination, BadSpecs, ChildError, DuplicateId, FailedToStart

Term = Any
"""A string (an Erlang atom), a list (a tuple), a number or null."""


class Raised(Exception):
    """What a worker raises when a scenario says so."""

    def __init__(self, tag: Term) -> None:
        super().__init__(tag)
        self.tag = tag


def reason_of(term: Term) -> ExitReason:
    """The reason that a scenario means."""
    match term:
        case ["shutdown", detail]:
            return Shutdown(reason_of(detail))
        case list():
            return tuple(map(reason_of, term))
        case _:
            return term


def term_of(value: Any, pid: Callable[[Ref], str]) -> Term:
    """What a scenario calls a reason or a reference of ours; `pid` names a process."""
    match value:
        case Ref():
            return pid(value)
        case enum.Enum():
            return value.value
        case tuple():
            return [term_of(part, pid) for part in value]
        case Shutdown(GAVE_UP.detail):  # OTP's supervisor says `shutdown` here, as if it had been stopped in order
            return "shutdown"
        case Shutdown(detail):
            return ["shutdown", term_of(detail, pid)]
        case Crash(Raised() as raised):
            return ["error", raised.tag]
        case Crash(exception):
            return ["error", repr(exception)]
        case CallFailure(reason):
            return ["call", term_of(reason, pid)]
        case AlreadyStarted(ref):
            return ["already_started", pid(ref)]
        case FailedToStart(id, reason):
            return ["failed_to_start_child", id, term_of(reason, pid)]
        case BadSpecs(reason):
            return ["start_spec", term_of(reason, pid)]
        case DuplicateId(id):
            return ["duplicate_child_name", id]
        case BadCombination(field, its, other_field, others):
            return ["bad_combination", [[field, term_of(its, pid)], [other_field, term_of(others, pid)]]]
        case _:
            return value


def refusal_of(error: ChildError, pid: Callable[[Ref], str]) -> Term:
    """What a scenario calls the refusal of a supervisor."""
    return "simple_one_for_one" if error.reason == DYNAMIC else term_of(error.reason, pid)
