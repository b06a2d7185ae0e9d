"""The test kit: virtual time, run orders and faults drawn from a seed, and probes to wait with.

    async def test_counter_counts(kit: Kit) -> None:
        counter = await kit.start_supervised(Counter)
        cast(counter, Increment())
        assert await call(counter, Value()) == 1

Nothing takes real time: the clock jumps to the next timer when nothing else can run. See docs/testing.md.
"""

from actors.testing.chance import Chance, Plan, Stream
from actors.testing.clock import Deadlock, Livelock, Stuck, VirtualLoop
from actors.testing.exploration import Found, explore
from actors.testing.kit import Fault, Kit, run
from actors.testing.probe import Probe, kill, quiet, replaced, settle

__all__ = [
    "Chance",
    "Deadlock",
    "Fault",
    "Found",
    "Kit",
    "Livelock",
    "Plan",
    "Probe",
    "Stream",
    "Stuck",
    "VirtualLoop",
    "explore",
    "kill",
    "quiet",
    "replaced",
    "run",
    "settle",
]
