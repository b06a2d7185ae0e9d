"""Commands on the history of a canvas. All but `rollback` read the data folder and need no running instance."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from canvas.board.area import Area
from canvas.board.grid import MAX_SIDE
from canvas.board.names import titled
from canvas.cli.terminal import (
    Data,
    Moment,
    ask_api,
    explain_folder,
    fail,
    moment,
    progress,
    read_settings,
    reading,
    working_on,
)
from canvas.data_dir import Folder
from canvas.store import DATABASE, Reader, StoreError
from canvas.store.files import STREAM, writing
from supervision.console.terminal.text import clean

if TYPE_CHECKING:
    from PIL.Image import Image

ROLLBACK_TIMEOUT = 600.0
MOST_MEMORY = 2 * 1024**3
"""Bytes of memory that writing a timelapse may use. On a small machine, more could get a running instance killed."""


def snapshot(
    out: Annotated[Path, typer.Argument(help="The PNG file to write.")],
    at: Moment = None,
    data: Data = None,
) -> None:
    """Write the canvas to a PNG file, as it is now or as it was at a given time."""
    if out.suffix.lower() != ".png":
        fail(f"the file must end in .png, got {str(out)!r}")
    from canvas.history import timelapse as moving  # imported late: only the commands that draw need Pillow

    until = moment("--at", at)
    with reading(data) as reader:
        grid = reader.grid(None if until is None else reader.seq_at(until))
        with working_on(out, "written"), writing(out) as output:
            moving.picture(grid).save(output, "PNG")


def timelapse(
    out: Annotated[Path, typer.Argument(help="The file to write: .gif, .png (APNG) or .webp.")],
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Start time. (default: the first change)")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="End time. (default: the last change)")
    ] = None,
    fps: Annotated[float, typer.Option(help="Frames per second.", min=0.1, max=60)] = 20.0,
    seconds: Annotated[float, typer.Option(help="Length in seconds.", min=0.1, max=600)] = 10.0,
    data: Data = None,
) -> None:
    """Write an animation of the canvas over time."""
    from canvas.history import timelapse as moving

    if out.suffix.lower() not in moving.FORMATS:
        fail(f"the file must end in {', '.join(moving.FORMATS)}, got {str(out)!r}")
    begin, end = moment("--from", since), moment("--to", until)
    with reading(data) as reader:
        first, last = _times(reader)
        begin, end = first if begin is None else begin, last if end is None else end
        if begin > end:
            fail("--from must not be later than --to")
        count = max(1, round(fps * seconds))
        kind = moving.FORMATS[out.suffix.lower()]
        memory = moving.memory(reader.width, reader.height, kind, count)
        if memory > MOST_MEMORY:
            fail(f"{count} frames as {kind} would take {memory / 2**30:.1f} GiB of memory: use fewer frames, or .png")
        with working_on(out, "written"), writing(out) as output, progress(f"{count} frames", count) as advance:
            moving.write(output, kind, _counted(moving.frames(reader, begin, end, count), advance), count, fps)


def export(
    file: Annotated[Path, typer.Argument(help="The file to write; - for standard output.")] = STREAM,
    data: Data = None,
) -> None:
    """Export the canvas and its whole history as JSON lines."""
    from canvas.history.archive import export_lines

    with (
        reading(data) as reader,
        working_on(file, "written"),
        writing(file) as output,
        progress("changes", reader.seq()) as advance,
    ):
        for count, lines in export_lines(reader):
            output.write(lines)
            advance(count)


def import_(
    file: Annotated[Path, typer.Argument(help="An archive written by `canopy export`; - for standard input.")],
    width: Annotated[int | None, typer.Option(help="Width of the new canvas.", min=1, max=MAX_SIDE)] = None,
    height: Annotated[int | None, typer.Option(help="Height of the new canvas.", min=1, max=MAX_SIDE)] = None,
    redate: Annotated[bool, typer.Option("--redate", help="Date changes from the future as of now.")] = False,
    data: Data = None,
) -> None:
    """Import an archive into a data folder that holds no canvas, or an unpainted one."""
    from canvas.history.archive import BadArchive, import_archive

    settings = read_settings({"data": data})
    path = settings.data / DATABASE
    try:
        folder = Folder(settings.data)
    except OSError as error:
        fail(explain_folder(settings.data, error))
    try:
        if path.exists():
            with reading(data) as reader:
                if reader.seq():
                    fail(f"{path} has {reader.seq()} changes already: import into an empty folder")
        with working_on(file, "read"):
            opened = contextlib.nullcontext(sys.stdin.buffer) if file == STREAM else file.open("rb")
        with opened as archive:
            done = import_archive(path, archive, time.time(), width=width, height=height, redate=redate)
    except BadArchive as error:
        fail(f"{file}: {error}")
    except (OSError, StoreError) as error:
        fail(f"{path} was not written: {error}", code=1)
    finally:
        folder.release()
    if not done.is_checked:
        typer.echo(
            f"canopy: {file} has no end record, like archives of an older canopy: it may be incomplete", err=True
        )
    if done.late:
        advice = "they were dated as of now" if redate else "--redate dates them as of now"
        typer.echo(f"canopy: {done.late} changes are in the future: {advice}", err=True)
    typer.echo(f"{done.changes} changes imported into {path}", err=True)


def rollback(
    user: Annotated[
        str | None, typer.Option(metavar="WHO", help="Only this user's changes: an id, the start of one, or a name.")
    ] = None,
    area: Annotated[str | None, typer.Option(metavar="X,Y,W,H", help="Only changes in this area.")] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Only changes from this time on.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Only changes up to this time.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    data: Data = None,
) -> None:
    """Undo selected changes on a running canvas. The rollback is made of ordinary changes and can itself be undone."""
    times = {"from": moment("--from", since), "to": moment("--to", until)}
    given = {name: str(value) for name, value in {"user": user, "area": area, **times}.items() if value is not None}
    if not given:
        fail("rollback needs --user, --area, --from or --to: without any of them it would undo everything")
    if area is not None:
        try:
            Area.parse(area)
        except ValueError:
            fail(f"--area must be X,Y,WIDTH,HEIGHT in whole numbers, got {area!r}")
    preview = _ask(data, given)
    typer.echo(f"{preview['changes']} changes selected; undoing them would change {preview['pixels']} pixels")
    painters = preview["painters"]
    for each in painters if len(painters) > 1 else ():
        typer.echo(f"  {clean(titled(each['user_id'], each['name']))}: {each['pixels']} pixels")
    if not preview["pixels"] or not (yes or typer.confirm("Roll back?")):
        return
    done = _ask(data, {**given, "apply": "1"})
    typer.echo(f"{done['restored']} pixels restored")


def _ask(data: Path | None, query: dict[str, str]) -> Any:
    return ask_api(read_settings({"data": data}).data, "POST", "rollback", query, timeout=ROLLBACK_TIMEOUT)


def _times(reader: Reader) -> tuple[float, float]:
    """Return the times of the first and the last change; exit if there are none."""
    seq = reader.seq()
    if not seq:
        fail("this canvas is still unpainted")
    (first,), (last,) = reader.chunks(0, 1), reader.chunks(seq - 1, seq)
    return float(first.at[0]), float(last.at[0])


def _counted(images: Iterator[Image], advance: Callable[[int], object]) -> Iterator[Image]:
    for image in images:
        yield image
        advance(1)
