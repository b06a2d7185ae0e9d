"""Commands that inspect a running instance through its admin socket, and commands that act on it."""

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
"""Seconds between refreshes with --watch."""
TRACE_INTERVAL = 0.25
"""Seconds between polls of a running trace."""
NO_TERMINAL = "the console needs a terminal; `canopy tree`, `canopy top` and `canopy actor` do not"

ActorRef = Annotated[str, typer.Argument(metavar="REF", help="Number of the actor, as shown by `canopy tree`.")]
Watch = Annotated[bool, typer.Option("--watch", help="Refresh every second until Ctrl-C.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; with --watch, one line per refresh.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


def register(app: typer.Typer) -> None:
    """Register these commands with `app`."""
    for function in (console, tree, top, actor, crashes, trace):
        app.command(rich_help_panel="Inspect a running instance")(function)
    act = partial(app.command, rich_help_panel="Act on a running instance")
    act()(crash)
    act("exit")(exit_actor)
    for action in (restart, suspend, resume):
        act()(action)
    act()(drain)
    act()(log_level)


# Inspect.


def console(data: Data = None) -> None:
    """Open the full-screen console in this terminal."""
    folder = _folder(data)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail(NO_TERMINAL)
    ask_api(folder, "GET", "session")
    from supervision.console.terminal.tui import ConsoleApp  # imported late: it takes longer than all other imports

    sys.exit(ConsoleApp(folder).run() or 0)


def tree(data: Data = None, watch: Watch = False, as_json: AsJson = False) -> None:
    """Print the supervision tree with its running actors."""
    _show(data, lambda folder: _plain(ask_api(folder, "GET", "tree")), text.tree, watch, as_json)


def top(
    data: Data = None,
    watch: Watch = False,
    as_json: AsJson = False,
    sort: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Column to sort by, largest first: mailbox, recent, recently_used, memory, ..."
        ),
    ] = "recent",
    limit: Annotated[int, typer.Option(help="Number of actors to show.", min=1, max=1000)] = 20,
) -> None:
    """Print a summary of the system and its busiest actors."""
    query = {"sort": sort, "order": "desc", "limit": limit}

    def ask(folder: Path) -> Any:
        return {"overview": ask_api(folder, "GET", "overview"), **ask_api(folder, "GET", "actors", query)}

    _show(data, ask, _draw_top, watch, as_json)


def actor(
    ref: ActorRef,
    data: Data = None,
    watch: Watch = False,
    as_json: AsJson = False,
    state: Annotated[bool, typer.Option("--state", help="Also print the actor's attributes; this is audited.")] = False,
) -> None:
    """Print the details of an actor."""

    def ask(folder: Path) -> Any:
        seen = ask_api(folder, "GET", _actor(ref))
        return {**seen, "state": ask_api(folder, "POST", _actor(ref, "state"))} if state else seen

    _show(data, ask, _draw_actor, watch, as_json)


def crashes(
    number: Annotated[str | None, typer.Argument(metavar="NUMBER", help="Number of one crash.")] = None,
    data: Data = None,
    as_json: AsJson = False,
    case: Annotated[bool, typer.Option("--case", help="Print only the pytest test that reproduces the crash.")] = False,
) -> None:
    """List the latest crashes, or print the details of one."""
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
    lines: Annotated[int, typer.Option(help="Stop after this many lines.")] = 100,
    seconds: Annotated[float, typer.Option(help="Stop after this many seconds.")] = 10.0,
) -> None:
    """Print the messages that an actor handles, and its replies, as they happen."""
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


# Act.


def crash(ref: ActorRef, data: Data = None) -> None:
    """Make an actor exit with the reason `crash`, without asking for confirmation."""
    answer = ask_api(_folder(data), "POST", _actor(ref, "exit"), body={"reason": "crash"})
    typer.echo(f"crashed {text.actor_name(answer)}")


def exit_actor(
    ref: ActorRef,
    reason: Annotated[Literal["crash", "shutdown", "kill"], typer.Option(help="The exit reason.")],
    data: Data = None,
    yes: Yes = False,
) -> None:
    """Make an actor exit; the reason decides whether its supervisor restarts it."""
    _act_on(ref, "exit", f"End {{}} by {reason}?", data, yes, {"reason": reason})


def restart(ref: ActorRef, data: Data = None, yes: Yes = False) -> None:
    """Restart an actor through its supervisor."""
    _act_on(ref, "restart", "Restart {}?", data, yes)


def suspend(ref: ActorRef, data: Data = None, yes: Yes = False) -> None:
    """Suspend an actor: it handles no messages until it is resumed."""
    _act_on(ref, "suspend", "Suspend {}?", data, yes)


def resume(ref: ActorRef, data: Data = None, yes: Yes = False) -> None:
    """Resume a suspended actor."""
    _act_on(ref, "resume", "Resume {}?", data, yes)


def drain(data: Data = None, yes: Yes = False) -> None:
    """Refuse new connections and close the open ones with a goodbye."""
    folder = _folder(data)
    _confirm("Disconnect all clients?", yes)
    _tell(ask_api(folder, "POST", "drain"))


def log_level(
    level: Annotated[Literal["debug", "info", "warning", "error"], typer.Argument(help="Lowest level that is logged.")],
    data: Data = None,
    yes: Yes = False,
) -> None:
    """Change the log level of a running instance."""
    folder = _folder(data)
    _confirm(f"Set the log level to {level}?", yes)
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
    """Ask for confirmation, unless `yes`; exit on a no, or if there is no terminal to ask on."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(f"{question} Confirm with --yes: there is no terminal to ask on")
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
    """Print an answer as text or JSON: once, or with `watch` every `INTERVAL` seconds until Ctrl-C."""
    folder = _folder(data)
    if not watch:
        answer = ask(folder)
        for line in [json.dumps(answer, indent=2)] if as_json else draw(answer):
            typer.echo(line)
        return
    try:
        answers = _poll(lambda: ask(folder))
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


def _poll(ask: Callable[[], Any]) -> Iterator[Any]:
    while True:
        yield ask()
        time.sleep(INTERVAL)


def _redraw(screens: Iterator[list[str]]) -> None:
    """Show each screen in place of the previous one, cropped to the terminal; leave the last one in the scrollback."""
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
    """Drop `count` from a tree node and its descendants: the list of children makes it redundant."""
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
