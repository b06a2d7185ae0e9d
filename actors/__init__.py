"""Actors: Erlang's processes and OTP's behaviours on Pykka's actors.

Events and results of a state machine (`Next`, `Keep`, `StateTimeout`, ...) are in `actors.gen_statem`, introspection in
`actors.debug`, and the test kit in `actors.testing`.
"""

from actors.blocking import BlockingServer
from actors.exits import CALLING_SELF, KILL, KILLED, NOPROC, NORMAL, SHUTDOWN, TIMEOUT, ExitReason, Shutdown, is_clean
from actors.failures import CallExit, CallFailure, Crash, ProcessExit
from actors.gen_server import NO_REPLY, Cast, Continue, GenServer, Idle, Reply, cast, reply
from actors.gen_statem import GenStateMachine
from actors.kernel.call import Call, call
from actors.kernel.cell import Status
from actors.kernel.directives import IGNORE, Stop
from actors.kernel.process import Process, start, start_link, start_successor
from actors.kernel.ref import Monitor, Ref, Target, Via
from actors.kernel.report import Inspection
from actors.kernel.scheduler import Scheduler
from actors.kernel.signals import AlreadyStarted, Down, Exit, Ignored, StartError
from actors.kernel.system import down, register, self_ref, send, send_exit, stop, unregister, watch, whereis
from actors.kernel.threads import BlockingOnLoopError
from actors.reproduction import case_writer
from actors.shown import Shown, shown
from actors.task import Task, start_task
from actors.timers import Timer, send_after

Scheduler.case_writers = case_writer  # injected here to avoid an import cycle: it imports every kind of process

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
