"""The SQLite file: its tables, how an old one becomes a new one, and when it is not to be touched."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.log import get_logger
from canvas.store.files import sync
from canvas.store.interface import Durability, StoreError, UnusableStore

log = get_logger("canopy.store")

APPLICATION_ID = 0x43414E4F
"""Tells our files from other SQLite files (PRAGMA application_id)."""
VERSIONS: Sequence[Sequence[str]] = (
    (
        "CREATE TABLE canvas (epoch TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,"
        " background INTEGER NOT NULL)",
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
        # What was committed together: `records` of `canvas.store.chunk.RECORD`. Rows of long ago are folded: several
        # batches in one, `times` (of `canvas.store.chunk.RUN`) says when each was made, and `at` is the last of these.
        # `checksum` is the CRC-32 of `times` and `records`. The long column stands last, so that others need not it.
        "CREATE TABLE batches (first_seq INTEGER PRIMARY KEY, at REAL NOT NULL, times BLOB, checksum INTEGER NOT NULL,"
        " records BLOB NOT NULL)",
    ),
    (
        # All colours after change `seq`: four bytes each, row by row, compressed with zlib.
        "CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, colors BLOB NOT NULL)",
    ),
    (
        # The same in bands of some rows, compressed one by one: a large canvas would hold up commits for seconds. A
        # snapshot without a row in `snapshots` is not finished, or is being removed.
        "CREATE TABLE bands (seq INTEGER NOT NULL, number INTEGER NOT NULL, colors BLOB NOT NULL,"
        " PRIMARY KEY (seq, number))",
        "INSERT INTO bands SELECT seq, 0, colors FROM snapshots",
        "DROP TABLE snapshots",
        "CREATE TABLE snapshots (seq INTEGER PRIMARY KEY)",
        "INSERT INTO snapshots SELECT seq FROM bands",
    ),
    (
        # The changes `first_seq` to `last_seq` as far as they are in one tile, see `canvas.store.places`: the different
        # painters, the pixels, the distances of the changes' numbers, the different colours, and which colour and which
        # painter each change has, all after their CRC-32. A question that needs the first columns reads no others.
        "CREATE TABLE places (tile INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,"
        " painters BLOB NOT NULL, cells BLOB NOT NULL, gaps BLOB NOT NULL,"
        " palette BLOB NOT NULL, colors BLOB NOT NULL, users BLOB NOT NULL, PRIMARY KEY (tile, first_seq))",
    ),
)
"""What each version of the schema adds. A file's version is `PRAGMA user_version`; the last one here is ours."""
VOLATILE = "~"
"""Ends the epoch of a run with durability `none`: what it has shown may be gone after a power cut."""
BUSY_TIMEOUT = 30.0
"""Seconds that a commit waits for another process that writes, such as `sqlite3`; ours take turns."""
CHECKED_WHOLE = 64 * 1024 * 1024
"""A file up to so many bytes is read through at the start, in less than a second. Of a larger one only what is needed:
the start would take longer with every change."""


@dataclass(frozen=True, slots=True)
class About:
    """What the file says of its canvas."""

    epoch: str
    width: int
    height: int
    background: int


@contextlib.contextmanager
def connected(path: Path, *, writes: bool = False, durability: Durability = "full") -> Iterator[sqlite3.Connection]:
    """A connection for the length of a block."""
    connection = connect(path, writes=writes, durability=durability)
    try:
        yield connection
    finally:
        connection.close()


def connect(path: Path, *, writes: bool = False, durability: Durability = "full") -> sqlite3.Connection:
    """Open a file that exists; transactions begin and end when they are told to.

    Any thread may use the connection, one at a time.
    """
    mode = "rw" if writes else "ro"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    if writes:
        with closed_on_failure(connection):
            connection.execute(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'OFF'}")
            connection.execute("PRAGMA fullfsync = 1")  # where fsync alone does not reach the disk (macOS)
            connection.execute("PRAGMA checkpoint_fullfsync = 1")
            connection.execute(f"PRAGMA journal_size_limit = {CHECKED_WHOLE}")
    return connection


@contextlib.contextmanager
def closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    """Close a connection if what a block does with it fails."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of a block or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors
            connection.execute("ROLLBACK")
        raise


def create(path: Path, about: About) -> None:
    """Make a new file. It gets its name when it is complete, so that none is ever found half made."""
    unfinished = path.with_name(f"{path.name}-new")
    remove(unfinished)
    try:
        unfinished.touch(0o600)
        with explained(path), connected(unfinished, writes=True) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            with transaction(connection):
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                _advance(connection, 0)
                values = (about.epoch, about.width, about.height, about.background)
                connection.execute("INSERT INTO canvas VALUES (?, ?, ?, ?)", values)
        settle(unfinished)
        publish(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            remove(unfinished)
        raise


def settle(path: Path) -> None:
    """Make a file whole without its log; no process may have it open.

    Closing the last connection does so too, but hides a failure.

    Raises:
        UnusableStore: if that cannot be written.
    """
    with explained(path), connected(path, writes=True) as connection:
        (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise UnusableStore(f"{path} cannot be written: another process uses it")


def publish(unfinished: Path, path: Path) -> None:
    """Give a file that is complete and closed its name, for good: both reach the disk.

    It replaces a file that is settled, or none.
    """
    sync(unfinished)
    for each in (unfinished, path):
        _remove_log(each)  # or SQLite would take the old log for one of the new file
    unfinished.rename(path)
    sync(path.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there; its log goes first, so that it never belongs to another."""
    _remove_log(path)
    path.unlink(missing_ok=True)


def check(path: Path, *, whole: bool = False) -> None:
    """Look, without changing anything, whether this is a whole file of ours, of this version or an older one.

    Args:
        path: the file
        whole: read all of it, however large it is

    Raises:
        UnusableStore: if it is not.
    """
    with explained(path), connected(path) as connection:
        _version(path, connection)
        if whole or path.stat().st_size <= CHECKED_WHOLE:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise damaged(path, " ".join(str(verdict).split()))


def migrate(path: Path) -> None:
    """Bring a file of an older version up to ours, in one transaction.

    Raises:
        UnusableStore: if that cannot be written.
    """
    with explained(path), connected(path, writes=True) as connection:
        version = _version(path, connection)
        if version < len(VERSIONS):
            with transaction(connection):
                _advance(connection, version)
            log.info("store.migrated", path=str(path), version=len(VERSIONS), earlier=version)


def renew(path: Path, durability: Durability, epoch: str) -> None:
    """Go on under another epoch if this run, or the last one, does not wait for the disk.

    Some of what clients have seen under the old one may be lost, and its numbers given to other changes: whoever comes
    back must not go on from there.

    Raises:
        UnusableStore: if that cannot be written.
    """
    with explained(path), connected(path, writes=True) as connection:
        if durability == "none":
            epoch += VOLATILE
        elif not read_about(connection).epoch.endswith(VOLATILE):
            return
        connection.execute("UPDATE canvas SET epoch = ?", (epoch,))


def read_about(connection: sqlite3.Connection) -> About:
    """What the file says of its canvas.

    Raises:
        StoreError: if it does not say it.
    """
    row = connection.execute("SELECT epoch, width, height, background FROM canvas").fetchone()
    if row is None:
        raise StoreError("the file does not say what canvas it holds")
    return About(*row)


def require_current(path: Path, connection: sqlite3.Connection) -> None:
    """Make sure that a file that is only read has our version.

    Raises:
        UnusableStore: if it has not.
    """
    version = _version(path, connection)
    if version < len(VERSIONS):
        raise UnusableStore(
            f"{path} has version {version}, and this canopy reads {len(VERSIONS)}: `canopy run` migrates it;"
            " to export it before that, use the canopy that wrote it"
        )


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Tell the user what SQLite found wrong with a file.

    Raises:
        UnusableStore: for whatever SQLite raises.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise UnusableStore(f"{path} cannot be opened: {error}") from error
    except sqlite3.Error as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, how: str) -> UnusableStore:
    """What to say of a file that is not whole."""
    return UnusableStore(f"{path} is damaged ({how}): it was left as it is; restore it from a backup, or move it away")


def _remove_log(path: Path) -> None:
    for tail in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + tail).unlink(missing_ok=True)


def _advance(connection: sqlite3.Connection, version: int) -> None:
    for statements in VERSIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(VERSIONS)}")


def _version(path: Path, connection: sqlite3.Connection) -> int:
    """The version of a file of ours: 1 to the last one we know.

    Raises:
        UnusableStore: if it is not ours, or of a later version.
    """
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise UnusableStore(f"{path} is no canvas of canopy: it was left as it is")
    version = _pragma(connection, "user_version")
    if version < 1:
        raise damaged(path, f"version {version} does not exist")
    if version > len(VERSIONS):
        raise UnusableStore(
            f"{path} has version {version}, and this canopy knows versions up to {len(VERSIONS)}: "
            "a later canopy wrote it; use that one, or one after it"
        )
    return version


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
