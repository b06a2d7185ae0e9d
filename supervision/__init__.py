"""Supervisors, and applications that start and stop a supervision tree, as in OTP.

Each supervisor is one process, and so is the master of an application. `strategy` and `child_spec` hold the rules as
pure functions. The supervised server is in `supervision.server`, the console in `supervision.console`.
"""

from supervision.application import Application, ApplicationFailed
from supervision.child_spec import (
    BRUTAL_KILL,
    INFINITY,
    Backoff,
    BadCombination,
    BadSpecs,
    ChildSpec,
    ChildType,
    DuplicateId,
    Limit,
    Resource,
    Restart,
    SpecError,
    child,
)
from supervision.dynamic_supervisor import MAX_CHILDREN, DynamicSupervisor, start_dynamic_child
from supervision.logs import LogLevel, configure_logging
from supervision.partition_key import partition_of
from supervision.partition_supervisor import Partition, partition_supervisor
from supervision.requests import (
    ALREADY_PRESENT,
    BAD_ID,
    DYNAMIC,
    NOT_FOUND,
    RESTARTING,
    RUNNING,
    UNKNOWN_REQUEST,
    ChildError,
    ChildInfo,
    Counts,
    FailedToStart,
    count_children,
    delete_child,
    get_childspec,
    restart_child,
    start_child,
    terminate_child,
    which_children,
)
from supervision.strategy import GAVE_UP, AutoShutdown, Strategy
from supervision.supervisor import Supervisor, supervisor
from supervision.task_supervisor import (
    Done,
    Failed,
    async_link,
    async_nolink,
    start_child_task,
    stream,
    task_supervisor,
)

__all__ = [
    "ALREADY_PRESENT",
    "BAD_ID",
    "BRUTAL_KILL",
    "DYNAMIC",
    "GAVE_UP",
    "INFINITY",
    "MAX_CHILDREN",
    "NOT_FOUND",
    "RESTARTING",
    "RUNNING",
    "UNKNOWN_REQUEST",
    "Application",
    "ApplicationFailed",
    "AutoShutdown",
    "Backoff",
    "BadCombination",
    "BadSpecs",
    "ChildError",
    "ChildInfo",
    "ChildSpec",
    "ChildType",
    "Counts",
    "Done",
    "DuplicateId",
    "DynamicSupervisor",
    "Failed",
    "FailedToStart",
    "Limit",
    "LogLevel",
    "Partition",
    "Resource",
    "Restart",
    "SpecError",
    "Strategy",
    "Supervisor",
    "async_link",
    "async_nolink",
    "child",
    "configure_logging",
    "count_children",
    "delete_child",
    "get_childspec",
    "partition_of",
    "partition_supervisor",
    "restart_child",
    "start_child",
    "start_child_task",
    "start_dynamic_child",
    "stream",
    "supervisor",
    "task_supervisor",
    "terminate_child",
    "which_children",
]
