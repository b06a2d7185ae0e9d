"""The commands about the past: pictures, moving pictures, export and import, rollback. On folders that run or not."""

import hashlib
import io
import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from canvas.board.grid import Change
from canvas.cli.terminal import read_moment
from canvas.data_dir import Folder
from canvas.store import DATABASE, About, SqliteReader, SqliteStore
from tests.canvas import test_cli
from tests.canvas.test_cli import Command, Instance

command = test_cli.command

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()
RED, GREEN, WHITE = 0xFF0000, 0x00FF00, 0xFFFFFF


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder of a canvas of 8 x 4 pixels: ann painted at noon and one minute later, Björn an hour later."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    store = SqliteStore.open(folder / DATABASE, "none", new=About("an epoch", 8, 4, WHITE))
    store.append([Change(0, 0, RED, "ann", 1), Change(1, 0, RED, "ann", 2)], NOON)
    store.append([Change(7, 3, RED, "ann", 3)], NOON + 60.5)
    store.append([Change(0, 0, GREEN, 'Björn "b"', 4)], NOON + 3600)
    store.close()
    return folder


CHANGES = """\
{"seq":1,"x":0,"y":0,"color":"#FF0000","user":"ann","at":1769860800.0}
{"seq":2,"x":1,"y":0,"color":"#FF0000","user":"ann","at":1769860800.0}
{"seq":3,"x":7,"y":3,"color":"#FF0000","user":"ann","at":1769860860.5}
{"seq":4,"x":0,"y":0,"color":"#00FF00","user":"Björn \\"b\\"","at":1769864400.0}
"""


def archive(changes: str = CHANGES, epoch: str = "an epoch", size: tuple[int, int] = (8, 4)) -> str:
    """What the export of a white canvas is."""
    head = f'{{"canopy":2,"epoch":"{epoch}","width":{size[0]},"height":{size[1]},"background":"#FFFFFF"}}\n'
    checksum = hashlib.sha256((head + changes).encode()).hexdigest()
    return f'{head}{changes}{{"end":{len(changes.splitlines())},"sha256":"{checksum}"}}\n'


EXPORT = archive()


def epoch_in(data: Path) -> str:
    """The epoch of a canvas that does not run."""
    with closing(SqliteReader(data / DATABASE)) as reader:
        return reader.epoch


def painted(picture: Image.Image) -> dict[tuple[int, int], int]:
    """The pixels that are not white."""
    image = picture.convert("RGB")
    cells = ((x, y) for y in range(image.height) for x in range(image.width))
    colors = {cell: int.from_bytes(bytes(image.getpixel(cell))) for cell in cells}  # type: ignore[arg-type]
    return {cell: color for cell, color in colors.items() if color != WHITE}


# Moments.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", NOON), ("2026-01-31T13:00:00+01:00", NOON), ("2026-01-31 12:00:00.5Z", NOON + 0.5),
        ("now", 1e6), ("-10m", 1e6 - 600), ("-1d12h", 1e6 - 129_600), ("-1h30m15s", 1e6 - 5_415), ("-0s", 1e6),
        ("1970-01-02", datetime(1970, 1, 2).timestamp()),
    ],
)  # fmt: skip
def test_moment_is_absolute_or_before_now(text: str, expected: float) -> None:
    assert read_moment(text, now=1e6) == expected


@pytest.mark.parametrize("text", ["", "noon", "-", "-10", "10m", "-10x", "-m", "2026-13-01", "25:00", "1e9", "-1.5h"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_moment(text, now=1e6)


# Pictures.


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ([], {(0, 0): GREEN, (1, 0): RED, (7, 3): RED}),
        (["--at", "2026-01-31T12:59:00Z"], {(0, 0): RED, (1, 0): RED, (7, 3): RED}),
        (["--at", "2026-01-31T12:00:00Z"], {(0, 0): RED, (1, 0): RED}),
        (["--at", "2026-01-31T11:59:59Z"], {}),
        (["--at", "-0s"], {(0, 0): GREEN, (1, 0): RED, (7, 3): RED}),
    ],
    ids=str,
)
def test_snapshot_is_the_canvas_at_any_time(
    command: Command, data: Path, at: list[str], expected: dict[tuple[int, int], int]
) -> None:
    outcome = command("snapshot", "out.png", *at, "--data", str(data))
    assert (outcome.code, outcome.output, outcome.errors) == (0, "", "")
    with Image.open("out.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (8, 4))
        assert painted(picture) == expected


@pytest.mark.parametrize("kind", ["gif", "png", "webp"])
def test_timelapse_begins_with_the_first_change_and_ends_with_the_last(command: Command, data: Path, kind: str) -> None:
    outcome = command("timelapse", f"out.{kind}", "--fps", "10", "--seconds", "2", "--data", str(data))
    assert (outcome.code, outcome.output, outcome.errors) == (0, "", "")
    with Image.open(f"out.{kind}") as picture:
        assert picture.size == (8, 4)
        assert picture.n_frames > 2  # type: ignore[attr-defined]  # of those that are the same one may be left
        assert picture.info["loop"] == 0
        assert painted(picture) == {(0, 0): RED, (1, 0): RED}
        duration = 0
        for number in range(picture.n_frames):  # type: ignore[attr-defined]
            picture.seek(number)
            picture.load()
            duration += picture.info["duration"]
        assert painted(picture) == {(0, 0): GREEN, (1, 0): RED, (7, 3): RED}
        assert duration == 2000


@pytest.mark.parametrize(("kind", "memory"), [("gif", "10.2"), ("webp", "71.6")])
def test_timelapse_that_takes_too_much_memory_is_refused(
    command: Command, tmp_path: Path, kind: str, memory: str
) -> None:
    store = SqliteStore.open(tmp_path / DATABASE, "none", new=About("an epoch", 2_500, 1_000, WHITE))
    store.append([Change(0, 0, RED, "ann", 1)], NOON)
    store.close()
    outcome = command("timelapse", f"out.{kind}", "--fps", "60", "--seconds", "600", "--data", str(tmp_path))
    expected = f"36000 frames as {kind.upper()} would take {memory} GiB of memory: use fewer frames, or .png"
    assert (outcome.code, outcome.error) == (2, expected)
    assert command("timelapse", f"out.{kind}", "--fps", "1", "--seconds", "2", "--data", str(tmp_path)).code == 0


def test_timelapse_shows_a_part_of_the_time(command: Command, data: Path) -> None:
    times = ("--from", "2026-01-31T11:00:00Z", "--to", "2026-01-31T12:30:00Z")
    assert command("timelapse", "out.png", *times, "--seconds", "1", "--data", str(data)).code == 0
    with Image.open("out.png") as picture:
        assert painted(picture) == {}
        picture.seek(picture.n_frames - 1)  # type: ignore[attr-defined]
        assert painted(picture) == {(0, 0): RED, (1, 0): RED, (7, 3): RED}


# Export and import.


def test_export_is_one_line_for_the_canvas_and_one_for_each_change(command: Command, data: Path) -> None:
    outcome = command("export", "--data", str(data))
    assert (outcome.code, outcome.output, outcome.errors) == (0, EXPORT, "")
    assert all(json.loads(line) for line in outcome.output.splitlines())


def test_what_was_imported_is_exported_again_under_another_epoch(command: Command, data: Path) -> None:
    assert command("export", "a.jsonl", "--data", str(data)).code == 0
    assert Path("a.jsonl").read_text() == EXPORT
    imported = command("import", "a.jsonl", "--data", "copy")
    assert (imported.code, imported.errors) == (0, "4 changes imported into copy/canvas.db\n")
    epoch = epoch_in(Path("copy"))
    assert epoch != "an epoch"
    assert command("export", "b.jsonl", "--data", "copy").code == 0
    assert Path("b.jsonl").read_text() == archive(epoch=epoch)
    store = SqliteStore.open(Path("copy") / DATABASE)
    assert (store.width, store.height, store.load().color(0, 0)) == (8, 4, GREEN)
    store.close()
    assert command("import", "a.jsonl", "--data", "restored").code == 0
    assert epoch_in(Path("restored")) not in ("an epoch", epoch)


def test_import_makes_a_canvas_of_another_size_under_another_epoch(command: Command, data: Path) -> None:
    Path("a.jsonl").write_text(EXPORT)
    assert command("import", "a.jsonl", "--width", "9", "--height", "40", "--data", "copy").code == 0
    epoch = epoch_in(Path("copy"))
    assert epoch != "an epoch"
    assert command("export", "--data", "copy").output == archive(epoch=epoch, size=(9, 40))
    narrow = command("import", "a.jsonl", "--width", "7", "--data", "narrow")
    assert (narrow.code, narrow.error) == (2, "a.jsonl: line 4 is not a valid change of a canvas of 7 x 4 pixels")


def test_archive_without_an_end_record_is_imported_with_a_warning(command: Command) -> None:
    Path("a.jsonl").write_text("".join(EXPORT.replace('"canopy":2', '"canopy":1').splitlines(keepends=True)[:-1]))
    imported = command("import", "a.jsonl", "--data", "copy")
    assert (imported.code, imported.errors) == (
        0,
        "canopy: a.jsonl has no end record, like archives of an older canopy: it may be incomplete\n"
        "4 changes imported into copy/canvas.db\n",
    )
    assert command("export", "--data", "copy").output == archive(epoch=epoch_in(Path("copy")))


def test_changes_that_are_later_than_now_are_told_and_can_be_redated(command: Command) -> None:
    Path("a.jsonl").write_text(archive(CHANGES.replace("1769864400.0", "95617584000.0")))
    kept = command("import", "a.jsonl", "--data", "kept")
    assert kept.code == 0
    assert "canopy: 1 changes are in the future: --redate dates them as of now\n" in kept.errors
    assert '"at":95617584000.0' in command("export", "--data", "kept").output
    began = time.time()
    redated = command("import", "a.jsonl", "--redate", "--data", "redated")
    assert "canopy: 1 changes are in the future: they were dated as of now\n" in redated.errors
    last = json.loads(command("export", "--data", "redated").output.splitlines()[-2])
    assert began <= last["at"] <= time.time()


def test_import_replaces_a_canvas_that_nobody_has_painted_on(command: Command, tmp_path: Path) -> None:
    SqliteStore.open(tmp_path / DATABASE, new=About("another", 5, 5, 0)).close()
    (tmp_path / "a.jsonl").write_text(EXPORT)
    assert command("import", "a.jsonl", "--data", str(tmp_path)).code == 0
    assert command("export", "--data", str(tmp_path)).output == archive(epoch=epoch_in(tmp_path))


def test_import_never_touches_a_canvas_that_somebody_has_painted_on(command: Command, data: Path) -> None:
    before = (data / DATABASE).read_bytes()
    Path("a.jsonl").write_text(EXPORT)
    outcome = command("import", "a.jsonl", "--data", str(data))
    assert outcome.code == 2
    assert outcome.error == f"{data / DATABASE} has 4 changes already: import into an empty folder"
    assert (data / DATABASE).read_bytes() == before


def test_import_into_a_folder_in_use_is_refused(command: Command, tmp_path: Path) -> None:
    Path("a.jsonl").write_text(EXPORT)
    folder = Folder(tmp_path / "data")
    outcome = command("import", "a.jsonl", "--data", str(folder.path))
    assert (outcome.code, outcome.error) == (2, f"--data {folder.path} is in use by another canopy")
    folder.release()


def line(number: int, old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        lines = text.splitlines(keepends=True)
        assert old in lines[number - 1]
        lines[number - 1] = lines[number - 1].replace(old, new)
        return "".join(lines)

    return change


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: "", "line 1 is not JSON"),
        (lambda text: text[: len(text) // 2], "line 4 is not JSON"),
        (
            lambda text: text[: text.rindex("{")],
            "the archive ends at line 5 without an end record: the rest is missing",
        ),
        (line(1, '"width":8', '"width":0'), "line 1 is not a header"),
        (line(1, '"canopy":2', '"canopy":3'), "line 1 is not a header"),
        (line(2, '"x":0', '"x":8'), "line 2 is not a valid change of a canvas of 8 x 4 pixels"),
        (line(3, '"y":0', '"y":-1'), "line 3 is not a valid change"),
        (line(3, "#FF0000", "red"), "line 3 is not a valid change"),
        (line(4, '"at":1769860860.5', '"at":"noon"'), "line 4 is not a valid change"),
        (line(3, '"seq":2', '"seq":3'), "line 3 has change 3, expected 2"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_import_of_a_bad_file_names_the_line_and_leaves_nothing(
    command: Command, damage: Callable[[str], str], words: str
) -> None:
    Path("a.jsonl").write_text(damage(EXPORT))
    outcome = command("import", "a.jsonl", "--data", "data")
    assert outcome.code == 2
    assert outcome.error.startswith(f"a.jsonl: {words}")
    assert [file.name for file in Path("data").iterdir()] == ["lock"]


# What is wrong is told in one line.


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["snapshot", "out.png", "--at", "noon"],
         "--at must be a time like 2026-01-31T12:00:00Z or -10m, got 'noon'"),
        (["snapshot", "out.jpg"], "the file must end in .png, got 'out.jpg'"),
        (["snapshot", "no/out.png"], "no/out.png cannot be written: No such file or directory"),
        (["timelapse", "out.mp4"], "the file must end in .gif, .png, .webp, got 'out.mp4'"),
        (["timelapse", "out.gif", "--from", "now", "--to", "-1h"], "--from must not be later than --to"),
        (["timelapse", "no/out.gif"], "no/out.gif cannot be written: No such file or directory"),
        (["export", "no/out.jsonl"], "no/out.jsonl cannot be written: No such file or directory"),
        (["import", "missing.jsonl"], "missing.jsonl cannot be read: No such file or directory"),
        (["rollback"], "rollback needs --user, --area, --from or --to: without any of them it would undo everything"),
        (["rollback", "--area", "1,2,3"], "--area must be X,Y,WIDTH,HEIGHT in whole numbers, got '1,2,3'"),
        (["rollback", "--from", "then"], "--from must be a time like 2026-01-31T12:00:00Z or -10m, got 'then'"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)  # fmt: skip
def test_bad_input_is_told_in_one_line(
    command: Command, data: Path, tmp_path: Path, arguments: list[str], error: str
) -> None:
    folder = tmp_path / "empty" if arguments[0] == "import" else data
    outcome = command(*arguments, "--data", str(folder))
    assert (outcome.code, outcome.error) == (2, error)


@pytest.mark.parametrize("name", ["snapshot out.png", "timelapse out.gif", "export"])
def test_folder_without_a_canvas_is_told_in_one_line_and_not_made(command: Command, name: str) -> None:
    outcome = command(*name.split(), "--data", "nothing")
    assert (outcome.code, outcome.error) == (2, "--data nothing has no canvas: there is no canvas.db")
    assert not Path("nothing").exists()


@pytest.mark.parametrize("name", ["run --port 0", "snapshot out.png", "export out.jsonl"])
def test_damaged_store_is_told_in_one_line(command: Command, data: Path, name: str) -> None:
    (data / DATABASE).write_bytes((data / DATABASE).read_bytes()[:5000])
    outcome = command(*name.split(), "--data", str(data))
    assert outcome.code == 2
    assert outcome.error.startswith(f"{data / DATABASE} is damaged (")


def test_canvas_of_another_size_is_told_in_one_line(command: Command, data: Path) -> None:
    outcome = command("run", "--port", "0", "--width", "9", "--data", str(data))
    assert outcome.code == 2
    assert outcome.error == f"--width is 9, but the width of the canvas in {data / DATABASE} is 8"


# A running instance.


@pytest.fixture
def instance(data: Path) -> Iterator[Instance]:
    """The canvas of `data`, running."""
    running = Instance(data)
    yield running
    running.process.send_signal(signal.SIGTERM)
    assert running.end() == 0
    for pipe in (running.process.stdout, running.process.stderr):
        assert pipe is not None
        pipe.close()


def test_past_of_a_running_canvas_can_be_read_and_undone(
    command: Command, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = str(instance.data)
    assert command("export", "--data", data).output == EXPORT
    assert command("snapshot", "out.png", "--data", data).code == 0

    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    preview = "3 changes selected; undoing them would change 2 pixels\n"
    declined = command("rollback", "--user", "ann", "--data", data)
    assert (declined.code, declined.output) == (0, preview + "Roll back? [y/N]: ")
    assert command("export", "--data", data).output == EXPORT

    done = command("rollback", "--user", "ann", "--yes", "--data", data)
    assert (done.code, done.output) == (0, preview + "2 pixels restored\n")
    added = command("export", "--data", data).output.splitlines(keepends=True)[5:-1]
    assert re.sub(r'"at":[0-9.]+', '"at":T', "".join(added)) == (
        '{"seq":5,"x":1,"y":0,"color":"#FFFFFF","user":"rollback","at":T}\n'
        '{"seq":6,"x":7,"y":3,"color":"#FFFFFF","user":"rollback","at":T}\n'
    )
    stranger = command("rollback", "--user", "nobody", "--yes", "--data", data)
    meant = "'nobody' is not an address, and no user with that id or name has painted or connected recently"
    assert (stranger.code, stranger.error) == (1, meant)
    refused = command("import", "out.png", "--data", data)
    assert (refused.code, refused.error) == (2, f"--data {data} is in use by another canopy")
