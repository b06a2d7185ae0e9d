"""A process and its time: Erlang's processes and OTP's behaviours on Pykka's actors.

The words of a state machine (`Next`, `Keep`, `StateTimeout`, ...) are in `actors.gen_statem`; what looks at processes
is in `actors.debug`, the test kit in `actors.testing`.
"""

from actors.blocking import BlockingServer
from actors.call import Call, call, stop
from actors.cell import IGNORE, Status, Stop
from actors.exits import (
    CALLING_SELF,
    KILL,
    KILLED,
    NOPROC,
    NORMAL,
    SHUTDOWN,
    TIMEOUT,
    AlreadyStarted,
    CallExit,
    CallFailure,
    Crash,
    Down,
    Exit,
    ExitReason,
    Ignored,
    ProcessExit,
    Shutdown,
    StartError,
    is_clean,
)
from actors.future import LoopFuture
from actors.gen_server import NO_REPLY, Cast, Continue, GenServer, Idle, Reply, cast, reply
from actors.gen_statem import GenStateMachine
from actors.process import Process, start, start_link, start_successor
from actors.ref import Monitor, Ref, Target, Via
from actors.report import Inspection
from actors.scheduler import BlockingOnLoopError, Scheduler
from actors.shown import Shown, shown
from actors.system import down, register, self_ref, send, send_exit, unregister, watch, whereis
from actors.task import Task, start_task
from actors.timers import Timer, send_after

__all__ = [
    "CALLING_SELF",
    "IGNORE",
    "KILL",
    "KILLED",
    "NOPROC",
    "NORMAL",
    "NO_REPLY",
    "SHUTDOWN",
    "TIMEOUT",
    "AlreadyStarted",
    "BlockingOnLoopError",
    "BlockingServer",
    "Call",
    "CallExit",
    "CallFailure",
    "Cast",
    "Continue",
    "Crash",
    "Down",
    "Exit",
    "ExitReason",
    "GenServer",
    "GenStateMachine",
    "Idle",
    "Ignored",
    "Inspection",
    "LoopFuture",
    "Monitor",
    "Process",
    "ProcessExit",
    "Ref",
    "Reply",
    "Scheduler",
    "Shown",
    "Shutdown",
    "StartError",
    "Status",
    "Stop",
    "Target",
    "Task",
    "Timer",
    "Via",
    "call",
    "cast",
    "down",
    "is_clean",
    "register",
    "reply",
    "self_ref",
    "send",
    "send_after",
    "send_exit",
    "shown",
    "start",
    "start_link",
    "start_successor",
    "start_task",
    "stop",
    "unregister",
    "watch",
    "whereis",
]
