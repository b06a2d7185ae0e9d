"""The SQLite file: its tables, its migrations, and the checks that protect it."""

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
"""Distinguishes our files from other SQLite files (PRAGMA application_id)."""
VERSIONS: Sequence[Sequence[str]] = (
    (
        "CREATE TABLE canvas (epoch TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,"
        " background INTEGER NOT NULL)",
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
        # One row per commit: `records` of `canvas.store.chunk.RECORD`. Old rows are folded, several batches into one:
        # then `times` (of `canvas.store.chunk.RUN`) holds the times of the batches, and `at` the last of them.
        # `checksum` is the CRC-32 of `times` and `records`. The long column is last: reading the others skips it.
        "CREATE TABLE batches (first_seq INTEGER PRIMARY KEY, at REAL NOT NULL, times BLOB, checksum INTEGER NOT NULL,"
        " records BLOB NOT NULL)",
    ),
    (
        # All colours after change `seq`: four bytes per pixel, row by row, compressed with zlib.
        "CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, colors BLOB NOT NULL)",
    ),
    (
        # The same in bands of rows, compressed separately: a large canvas in one piece would delay commits for seconds.
        # Bands without a row in `snapshots` belong to a snapshot that is unfinished, or being deleted.
        "CREATE TABLE bands (seq INTEGER NOT NULL, number INTEGER NOT NULL, colors BLOB NOT NULL,"
        " PRIMARY KEY (seq, number))",
        "INSERT INTO bands SELECT seq, 0, colors FROM snapshots",
        "DROP TABLE snapshots",
        "CREATE TABLE snapshots (seq INTEGER PRIMARY KEY)",
        "INSERT INTO snapshots SELECT seq FROM bands",
    ),
    (
        # The changes from `first_seq` to `last_seq` in one tile; see `canvas.store.places`. The columns: the distinct
        # users, the pixels, the gaps between the changes' `seq`, the distinct colours, and the index of each change's
        # colour and user, each after its CRC-32. A query that needs only the first columns reads no others.
        "CREATE TABLE places (tile INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,"
        " painters BLOB NOT NULL, cells BLOB NOT NULL, gaps BLOB NOT NULL,"
        " palette BLOB NOT NULL, colors BLOB NOT NULL, users BLOB NOT NULL, PRIMARY KEY (tile, first_seq))",
    ),
)
"""The statements that each version of the schema adds. `PRAGMA user_version` is a file's version; the last is ours."""
VOLATILE = "~"
"""Suffix of the epoch of a run with durability `none`: a power cut may undo changes that it has shown."""
BUSY_TIMEOUT = 30.0
"""Seconds that a commit waits for a foreign writer, such as `sqlite3`; our own writers use `Turn`."""
CHECKED_WHOLE = 64 * 1024 * 1024
"""Size in bytes up to which a file is checked completely at the start, in less than a second. Of a larger file only the
necessary parts are read, because a full check would slow down the start with every change."""


@dataclass(frozen=True, slots=True)
class About:
    """The epoch, size and background of the canvas in a file."""

    epoch: str
    width: int
    height: int
    background: int


@contextlib.contextmanager
def connected(path: Path, *, writes: bool = False, durability: Durability = "full") -> Iterator[sqlite3.Connection]:
    """Open a connection for the duration of a block; see `connect`."""
    connection = connect(path, writes=writes, durability=durability)
    try:
        yield connection
    finally:
        connection.close()


def connect(path: Path, *, writes: bool = False, durability: Durability = "full") -> sqlite3.Connection:
    """Connect to an existing file, in autocommit mode: use `transaction` to group statements.

    The connection may move between threads, but only one may use it at a time.
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
    """Close a connection if a block raises."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block in a transaction (BEGIN IMMEDIATE): commit it, or roll it back if it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # after some errors SQLite has rolled back already
            connection.execute("ROLLBACK")
        raise


def create(path: Path, about: About) -> None:
    """Create a file. It gets its name when it is complete, so a crash cannot leave a partial one under that name."""
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
    """Checkpoint the log into the file, so that the file is complete alone. No process may have it open.

    Closing the last connection does the same, but hides a failure.

    Raises:
        UnusableStore: if the file cannot be written.
    """
    with explained(path), connected(path, writes=True) as connection:
        (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise UnusableStore(f"{path} cannot be written: another process uses it")


def publish(unfinished: Path, path: Path) -> None:
    """Move a complete, closed file to its final name, and sync both the file and the folder.

    A file of that name is replaced; it must be settled.
    """
    sync(unfinished)
    for each in (unfinished, path):
        _remove_log(each)  # or SQLite would apply an old log to the new file
    unfinished.rename(path)
    sync(path.parent)


def remove(path: Path) -> None:
    """Delete a file if it exists. Its log goes first, so that SQLite never applies it to another file."""
    _remove_log(path)
    path.unlink(missing_ok=True)


def check(path: Path, *, whole: bool = False) -> None:
    """Check, without changing anything, that a file is ours, intact, and of this version or an older one.

    Args:
        path: the file
        whole: read all of it, whatever its size

    Raises:
        UnusableStore: if the check fails.
    """
    with explained(path), connected(path) as connection:
        _version(path, connection)
        if whole or path.stat().st_size <= CHECKED_WHOLE:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise damaged(path, " ".join(str(verdict).split()))


def migrate(path: Path) -> None:
    """Migrate a file of an older version to ours, in one transaction.

    Raises:
        UnusableStore: if the file cannot be written.
    """
    with explained(path), connected(path, writes=True) as connection:
        version = _version(path, connection)
        if version < len(VERSIONS):
            with transaction(connection):
                _advance(connection, version)
            log.info("store.migrated", path=str(path), version=len(VERSIONS), earlier=version)


def renew(path: Path, durability: Durability, epoch: str) -> None:
    """Change the epoch if this run or the last one has durability `none`.

    Changes that clients saw in the old epoch may be lost, and their `seq` reused: a returning client must not resume
    from there.

    Raises:
        UnusableStore: if the file cannot be written.
    """
    with explained(path), connected(path, writes=True) as connection:
        if durability == "none":
            epoch += VOLATILE
        elif not read_about(connection).epoch.endswith(VOLATILE):
            return
        connection.execute("UPDATE canvas SET epoch = ?", (epoch,))


def read_about(connection: sqlite3.Connection) -> About:
    """Read the epoch, size and background of the canvas.

    Raises:
        StoreError: if the file does not contain them.
    """
    row = connection.execute("SELECT epoch, width, height, background FROM canvas").fetchone()
    if row is None:
        raise StoreError("the file does not describe its canvas")
    return About(*row)


def require_current(path: Path, connection: sqlite3.Connection) -> None:
    """Check that a file that is opened for reading only has our version, since it cannot be migrated.

    Raises:
        UnusableStore: if it has another version.
    """
    version = _version(path, connection)
    if version < len(VERSIONS):
        raise UnusableStore(
            f"{path} has version {version}, and this canopy reads {len(VERSIONS)}: `canopy run` migrates it;"
            " to export it first, use the canopy that wrote it"
        )


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into messages for the user.

    Raises:
        UnusableStore: for any `sqlite3.Error`.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise UnusableStore(f"{path} cannot be opened: {error}") from error
    except sqlite3.Error as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path, how: str) -> UnusableStore:
    """Return the error for a damaged file; `how` says what is wrong."""
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
    """Return the version of one of our files, from 1 to the latest that we know.

    Raises:
        UnusableStore: if the file is not ours, or of a later version.
    """
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise UnusableStore(f"{path} is not a canopy canvas: it was left as it is")
    version = _pragma(connection, "user_version")
    if version < 1:
        raise damaged(path, f"version {version} does not exist")
    if version > len(VERSIONS):
        raise UnusableStore(
            f"{path} has version {version}, and this canopy knows versions up to {len(VERSIONS)}: "
            "a later canopy wrote it; use that version or a newer one"
        )
    return version


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
