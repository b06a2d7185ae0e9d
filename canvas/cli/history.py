"""The commands about the past of a canvas. All but `rollback` work on the data folder, running or not."""

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
"""Bytes that a moving picture may take while it is written: on a small machine more could end the running instance."""


def snapshot(
    out: Annotated[Path, typer.Argument(help="The PNG file to write.")],
    at: Moment = None,
    data: Data = None,
) -> None:
    """Write the canvas as it is, or as it was, as a PNG file."""
    if out.suffix.lower() != ".png":
        fail(f"the file must end in .png, got {str(out)!r}")
    from canvas.history import timelapse as moving  # what draws is loaded by the commands that draw

    until = moment("--at", at)
    with reading(data) as reader:
        grid = reader.grid(None if until is None else reader.seq_at(until))
        with working_on(out, "written"), writing(out) as output:
            moving.picture(grid).save(output, "PNG")


def timelapse(
    out: Annotated[Path, typer.Argument(help="The file to write: .gif, .png (APNG) or .webp.")],
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="(default: the first change)")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="(default: the last change)")] = None,
    fps: Annotated[float, typer.Option(help="Frames a second.", min=0.1, max=60)] = 20.0,
    seconds: Annotated[float, typer.Option(help="How long it is.", min=0.1, max=600)] = 10.0,
    data: Data = None,
) -> None:
    """Write the canvas over time as a moving picture."""
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
            fail(f"{count} frames as {kind} would take {memory / 2**30:.1f} GiB of memory: take fewer, or .png")
        with working_on(out, "written"), writing(out) as output, progress(f"{count} frames", count) as advance:
            moving.write(output, kind, _told(moving.frames(reader, begin, end, count), advance), count, fps)


def export(
    file: Annotated[Path, typer.Argument(help="The file to write; - for the standard output.")] = STREAM,
    data: Data = None,
) -> None:
    """Write the canvas and its whole history as JSON lines."""
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
    file: Annotated[Path, typer.Argument(help="What `canopy export` has written; - for the standard input.")],
    width: Annotated[int | None, typer.Option(help="Of the new canvas.", min=1, max=MAX_SIDE)] = None,
    height: Annotated[int | None, typer.Option(help="Of the new canvas.", min=1, max=MAX_SIDE)] = None,
    redate: Annotated[bool, typer.Option("--redate", help="Changes that are later than now get the time now.")] = False,
    data: Data = None,
) -> None:
    """Make the canvas of a data folder of an archive; there must be none in it, or one that nobody has painted on."""
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
        typer.echo(f"canopy: {file} has no end record, as those of an older canopy: it may be incomplete", err=True)
    if done.late:
        advice = "they got the time now" if redate else "--redate gives them the time now"
        typer.echo(f"canopy: {done.late} changes are later than now: {advice}", err=True)
    typer.echo(f"{done.changes} changes imported into {path}", err=True)


def rollback(
    user: Annotated[
        str | None, typer.Option(metavar="WHO", help="Whose changes: an id, its beginning, or a name.")
    ] = None,
    area: Annotated[str | None, typer.Option(metavar="X,Y,W,H", help="Where.")] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="From when on.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Up to when.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
) -> None:
    """Undo what somebody painted on a running canvas: as changes that everybody sees and that can be undone again."""
    times = {"from": moment("--from", since), "to": moment("--to", until)}
    given = {name: str(value) for name, value in {"user": user, "area": area, **times}.items() if value is not None}
    if not given:
        fail("rollback needs --user, --area, --from or --to: without any it would be everything")
    if area is not None:
        try:
            Area.parse(area)
        except ValueError:
            fail(f"--area must be X,Y,WIDTH,HEIGHT in whole numbers, got {area!r}")
    preview = _ask(data, given)
    typer.echo(f"{preview['changes']} changes found; without them {preview['pixels']} pixels would look different")
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
    """When the first and the last change were made; without any the program ends."""
    seq = reader.seq()
    if not seq:
        fail("nobody has painted on this canvas yet")
    (first,), (last,) = reader.chunks(0, 1), reader.chunks(seq - 1, seq)
    return float(first.at[0]), float(last.at[0])


def _told(images: Iterator[Image], advance: Callable[[int], object]) -> Iterator[Image]:
    for image in images:
        yield image
        advance(1)
