"""Every door through which the console, the log and crash reports tell of values, against every shape of a secret."""

import json
from pathlib import Path
from typing import Any

from actors import GenServer, Ref, call, cast, debug, down, shown, start, stop
from registry import Keys, Registry, Table
from supervision import configure_logging
from supervision.console.terminal import text
from tests.support.console import Asker, console
from tests.support.scenarios import live
from tests.support.shapes import SHAPES

BATCH = 40
"""Crashes after which all are looked at: so many are remembered at least."""


@shown("seen")
class Keeper(GenServer):
    """Keeps what it is given, and crashes of it if it is told to."""

    def init(self, kept: dict[str, Any]) -> None:
        self.label = "keeper"
        self.seen = "for all to see"
        vars(self).update(kept)

    def handle_call(self, request: Any, from_: Any) -> Any:
        return request

    def handle_cast(self, request: Any) -> None:
        local = request
        raise ValueError([local])

    def handle_info(self, message: Any) -> None:
        """Take it."""


async def answers(asker: Asker, paths: list[str]) -> str:
    """What all of these paths answer."""
    found = []
    for path in paths:
        answer = await asker.send("GET", path)
        assert answer.status in (200, 403), (path, answer)
        found.append(answer.body.decode(errors="replace"))
    return "\n".join(found)


def paths_of(asker: Asker, ref: Ref) -> list[str]:
    """Everything that can be asked about an actor and the crashes."""
    last = max((report.number for report in debug.crash_reports()), default=0)
    numbers = range(max(1, last - BATCH), last + 1)
    gets = [route.path for route in asker.application.console.routes if route.method == "GET"]
    plain = [path for path in gets if "{" not in path and not path.endswith("/live")]
    about = [path.replace("{ref}", str(ref.id)) for path in gets if "{ref}" in path]
    return [*plain, *about, *(f"/api/v1/crashes/{number}" for number in numbers), "/api/v1/names?limit=1000"]


async def terminal(asker: Asker, ref: Ref) -> str:
    """What the console in a terminal shows."""
    number = debug.crash_reports()[-1].number
    crash = await asker.get(f"crashes/{number}")
    facts = [*text.crash_facts(crash), *text.actor_facts(await asker.get(f"actors/{ref.id}"))]
    rows = text.table(text.CRASHES, (await asker.get("crashes"))["crashes"])
    return "\n".join([*text.aligned(facts), *text.block(crash["traceback"]), *text.block(crash["case"]), *rows])


async def traced(asker: Asker, keeper: Ref, secret: Any) -> str:
    """A trace of messages and answers of every shape."""
    await asker.ask("POST", f"actors/{keeper.id}/trace", {"lines": 1_000})
    for shape in SHAPES.values():
        value = shape(secret)
        assert await call(keeper, value) is value
    trace = await asker.get(f"actors/{keeper.id}/trace")
    assert len(trace["lines"]) == 2 * len(SHAPES)
    return json.dumps(trace)


def test_contents_that_are_not_declared_safe_pass_no_door(tmp_path: Path, capsys: Any) -> None:
    secret, shapes = "S3CRET-123", list(SHAPES.values())
    told: list[str] = []

    @live
    async def scenario() -> None:
        kept = {f"a{number}": shape(secret) for number, shape in enumerate(shapes)}
        table: Table[Any] = Table("kept", Keys.DUPLICATE)
        async with console(tmp_path) as ann:
            ann.application.console.sources.tables = (table,)
            registry = await start(Registry, table)
            for begin in range(0, len(shapes), BATCH):
                for shape in shapes[begin : begin + BATCH]:
                    keeper = await start(Keeper, {"kept": shape(secret)})
                    debug.record(keeper, 3)
                    ended = down(keeper)
                    keeper.tell(shape(secret))
                    cast(keeper, shape(secret))
                    await ended
                keeper = await start(Keeper, kept)
                for number, shape in enumerate(shapes):
                    table.register(("k", number), shape(secret), keeper)
                told.append(await traced(ann, keeper, secret))
                seen, hidden = [await answers(asker, paths_of(ann, keeper)) for asker in (ann, ann.reader())]
                assert "for all to see" in seen
                assert "for all to see" not in hidden
                told.extend((seen, hidden, await terminal(ann, keeper)))
                await stop(keeper)
            await stop(registry)

    configure_logging("debug")
    scenario()
    told.extend(capsys.readouterr())
    assert told[-1].count("actor.crashed") == len(shapes)
    for each in told:
        assert secret not in each
