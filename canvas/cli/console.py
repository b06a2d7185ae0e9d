"""The commands that look at a running instance through its admin socket, and those that touch it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from canvas.cli.terminal import Data, ask_api, fail, read_settings
from supervision.console.terminal import text

INTERVAL = 1.0
"""Seconds between two looks with --watch."""
TRACE_INTERVAL = 0.25
NO_TERMINAL = "the console needs a terminal; `canopy tree`, `canopy top` and `canopy actor` do not"

ActorRef = Annotated[str, typer.Argument(metavar="REF", help="Number of the actor, as `canopy tree` shows it.")]
Watch = Annotated[bool, typer.Option("--watch", help="Look again every second, until Ctrl-C.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, with --watch one line each time.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Add the commands to those of the program."""
    for function in (console, tree, top, actor, crashes, trace):
        app.command(rich_help_panel="Look at a running instance")(function)
    touch = partial(app.command, rich_help_panel="Touch a running instance")
    touch()(crash)
    touch("exit")(exit_actor)
    for action in (restart, suspend, resume):
        touch()(action)
    touch()(drain)
    touch()(log_level)


# Look.


def console(data: Data = None) -> None:
    """Open the console in this terminal."""
    folder = _folder(data)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail(NO_TERMINAL)
    ask_api(folder, "GET", "session")
    from supervision.console.terminal.tui import ConsoleApp  # here, since it takes longer to import than all the rest

    sys.exit(ConsoleApp(folder).run() or 0)


def tree(data: Data = None, watch: Watch = False, as_json: AsJson = False) -> None:
    """Print the living actors, as a tree."""
    _show(data, lambda folder: _plain(ask_api(folder, "GET", "tree")), text.tree, watch, as_json)


def top(
    data: Data = None,
    watch: Watch = False,
    as_json: AsJson = False,
    sort: Annotated[
        str, typer.Option(metavar="NAME", help="What the largest is of: mailbox, recent, recently_used, memory, ...")
    ] = "recent",
    limit: Annotated[int, typer.Option(help="Actors to show.", min=1, max=1000)] = 20,
) -> None:
    """Print the system at a glance, and the actors that have most to do."""
    query = {"sort": sort, "order": "desc", "limit": limit}

    def ask(folder: Path) -> Any:
        return {"overview": ask_api(folder, "GET", "overview"), **ask_api(folder, "GET", "actors", query)}

    _show(data, ask, _draw_top, watch, as_json)


def actor(
    ref: ActorRef,
    data: Data = None,
    watch: Watch = False,
    as_json: AsJson = False,
    state: Annotated[bool, typer.Option("--state", help="Its attributes as well; this is audited.")] = False,
) -> None:
    """Print what is known of an actor."""

    def ask(folder: Path) -> Any:
        seen = ask_api(folder, "GET", _actor(ref))
        return {**seen, "state": ask_api(folder, "POST", _actor(ref, "state"))} if state else seen

    _show(data, ask, _draw_actor, watch, as_json)


def crashes(
    number: Annotated[str | None, typer.Argument(metavar="NUMBER", help="One of them.")] = None,
    data: Data = None,
    as_json: AsJson = False,
    case: Annotated[bool, typer.Option("--case", help="Print only the test for pytest that repeats it.")] = False,
) -> None:
    """Print the last crashes, or all that is known of one."""
    if case and number is None:
        fail("--case needs the number of a crash")
    if number is None:
        _show(data, lambda folder: ask_api(folder, "GET", "crashes"), _draw_crashes, False, as_json)
        return
    path = f"crashes/{quote(number, safe='')}"
    _show(data, lambda folder: ask_api(folder, "GET", path), _case if case else _draw_crash, False, as_json)


def trace(
    ref: ActorRef,
    data: Data = None,
    lines: Annotated[int, typer.Option(help="After so many it ends.")] = 100,
    seconds: Annotated[float, typer.Option(help="After so long it ends.")] = 10.0,
) -> None:
    """Print the messages that an actor takes, and its replies, as they come."""
    folder, path = _folder(data), _actor(ref, "trace")
    seen = ask_api(folder, "POST", path, body={"lines": lines, "seconds": seconds})
    shown = 0
    try:
        while True:
            for line in seen["lines"][shown:]:
                typer.echo(text.trace_line(line))
            shown = len(seen["lines"])
            if seen["ended"] is not None:
                break
            time.sleep(TRACE_INTERVAL)
            seen = ask_api(folder, "GET", path)
    except KeyboardInterrupt:
        seen = ask_api(folder, "DELETE", path)
    typer.echo(f"the trace ended: {text.clean(seen['ended'])}", err=True)


# Touch.


def crash(ref: ActorRef, data: Data = None) -> None:
    """Make an actor exit with the reason `crash`, without a question."""
    answer = ask_api(_folder(data), "POST", _actor(ref, "exit"), body={"reason": "crash"})
    typer.echo(f"crashed {text.actor_name(answer)}")


def exit_actor(
    ref: ActorRef,
    reason: Annotated[Literal["crash", "shutdown", "kill"], typer.Option(help="Why it exits.")],
    data: Data = None,
    yes: Yes = False,
) -> None:
    """Make an actor exit; its supervisor judges by the reason whether it is started again."""
    _act_on(ref, "exit", f"End {{}} by {reason}?", data, yes, {"reason": reason})


def restart(ref: ActorRef, data: Data = None, yes: Yes = False) -> None:
    """Have an actor started anew by its supervisor."""
    _act_on(ref, "restart", "Restart {}?", data, yes)


def suspend(ref: ActorRef, data: Data = None, yes: Yes = False) -> None:
    """Let an actor handle nothing until it is resumed."""
    _act_on(ref, "suspend", "Suspend {}?", data, yes)


def resume(ref: ActorRef, data: Data = None, yes: Yes = False) -> None:
    """Let a suspended actor go on."""
    _act_on(ref, "resume", "Resume {}?", data, yes)


def drain(data: Data = None, yes: Yes = False) -> None:
    """Let nobody in any more, and say goodbye to those who are there."""
    folder = _folder(data)
    _confirm("Say goodbye to everybody?", yes)
    _tell(ask_api(folder, "POST", "drain"))


def log_level(
    level: Annotated[Literal["debug", "info", "warning", "error"], typer.Argument(help="From here on is logged.")],
    data: Data = None,
    yes: Yes = False,
) -> None:
    """Change what is logged."""
    folder = _folder(data)
    _confirm(f"Log from {level} on?", yes)
    _tell(ask_api(folder, "POST", "log-level", body={"level": level}))


# Private.


def _folder(data: Path | None) -> Path:
    return read_settings({"data": data}).data


def _actor(ref: str, *action: str) -> str:
    return "/".join(("actors", quote(ref, safe=""), *action))


def _act_on(ref: str, action: str, question: str, data: Path | None, yes: bool, body: Any = None) -> None:
    folder = _folder(data)
    seen = ask_api(folder, "GET", _actor(ref))
    _confirm(question.format(text.actor_name(seen["actor"])), yes)
    _tell(ask_api(folder, "POST", _actor(ref, action), body=body))


def _confirm(question: str, yes: bool) -> None:
    """Go on only if somebody says yes; where nobody can be asked, the program ends."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{question} Say so with --yes, there is no terminal to ask on")
    if not typer.confirm(question):
        sys.exit(1)


def _tell(done: dict[str, Any]) -> None:
    on = text.actor_name(done) if done["ref"] is not None else text.clean(done["detail"])
    typer.echo(f"done: {done['action']} {on}".rstrip())


def _show(
    data: Path | None,
    ask: Callable[[Path], Any],
    draw: Callable[[Any], list[str]],
    watch: bool,
    as_json: bool,
) -> None:
    """Print what is asked for, once or again and again."""
    folder = _folder(data)
    if not watch:
        answer = ask(folder)
        for line in [json.dumps(answer, indent=2)] if as_json else draw(answer):
            typer.echo(line)
        return
    try:
        answers = _again(lambda: ask(folder))
        if as_json:
            for answer in answers:
                typer.echo(json.dumps(answer))
        elif sys.stdout.isatty():
            _redraw(draw(answer) for answer in answers)
        else:
            for answer in answers:
                typer.echo("\n".join([*draw(answer), ""]))
    except KeyboardInterrupt:
        sys.exit(0)


def _again(ask: Callable[[], Any]) -> Iterator[Any]:
    while True:
        yield ask()
        time.sleep(INTERVAL)


def _redraw(screens: Iterator[list[str]]) -> None:
    """Show each in place of the one before, as much as the terminal has room for; the last one stays."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    last: list[str] = []
    console = Console(highlight=False)
    try:
        with Live(console=console, auto_refresh=False, screen=True) as live:
            for last in screens:
                live.update(Text("\n".join(last), no_wrap=True, overflow="crop"), refresh=True)
    finally:
        for line in last:
            typer.echo(line)


def _plain(node: dict[str, Any]) -> dict[str, Any]:
    """A node with all its children, whose number is no news then."""
    shown = {name: value for name, value in node.items() if name not in ("children", "count")}
    return {**shown, "children": [_plain(child) for child in node["children"]]}


def _draw_top(seen: dict[str, Any]) -> list[str]:
    facts = [f"{name} {value}" for name, value in text.overview_facts(seen["overview"])]
    total = f"{len(seen['actors'])} of {seen['total']:,} actors; msgs and time of the last {seen['window']:.0f} s"
    return [", ".join(facts[:8]), ", ".join(facts[8:]), total, "", *text.table(text.ACTORS, seen["actors"])]


def _draw_actor(seen: dict[str, Any]) -> list[str]:
    facts = text.actor_facts(seen)
    facts += [(how, text.actor_name(peer)) for how, peer in text.relations(seen)]
    if "state" in seen:
        facts += [(f"self.{text.clean(name)}", text.clean(value)) for name, value in seen["state"]["state"].items()]
    return [text.actor_name(seen["actor"]), *text.aligned(facts)]


def _draw_crashes(seen: dict[str, Any]) -> list[str]:
    return text.table(text.CRASHES, seen["crashes"]) if seen["crashes"] else ["nothing has crashed"]


def _draw_crash(seen: dict[str, Any]) -> list[str]:
    facts = text.aligned(text.crash_facts(seen))
    return [text.actor_name(seen["crash"]), *facts, "", *text.block(seen["traceback"]), "", *_case(seen)]


def _case(seen: dict[str, Any]) -> list[str]:
    return text.block(seen["case"])
