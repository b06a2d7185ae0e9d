"""A store in an SQLite file: a commit is one transaction, and survives a power cut (docs/decisions/0005).

Two things decide who may write. The owner is the `SqliteStore` that the current store process uses. A killed process
leaves a thread behind that may be about to commit, or in the middle of a commit, and cannot be stopped. So its
successor makes a new `SqliteStore` over the same `_File`, which is the owner from then on. The turn is a lock, held for
each write to the file: by the owner for a commit, by a reader for a part of a snapshot, an index or a fold.

`_File.owner` is compared and set only under the turn. So a take-over waits for the commit under way, and a commit that
gets its turn after the take-over sees another owner, and is refused. A take-over closes the connection of the previous
owner, so that at most one connection commits changes.

`_File.is_in_doubt` and `acknowledged` belong to the file, not to an owner, so that a successor inherits them. After an
I/O error it is unknown whether a transaction is on the disk: the file is in doubt. Before the next commit or load, the
owner erases whatever may be left of it after `acknowledged`, the last change that was not refused.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from actors.log import get_logger
from canvas.board.grid import Change, Grid
from canvas.store import rows, schema
from canvas.store.chunk import pack
from canvas.store.dating import was_ahead
from canvas.store.interface import Durability, StoreError
from canvas.store.schema import About, transaction
from canvas.store.sqlite_reader import SqliteReader
from canvas.store.turn import CommitPace, Turn

log = get_logger("canopy.store")

DATABASE = "canvas.db"
"""Name of the file in the data folder."""
KNOWN_USERS = 100_000
"""Maximum number of users whose numbers are cached."""


FileIdentity = tuple[int, int]
"""Device and inode: identify a file whatever its name."""


def identify(path: Path) -> FileIdentity | None:
    """Return the identity of the file at a path; None if there is none.

    Raises:
        StoreError: if the file system does not answer.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path.name} cannot be accessed: {error.strerror}") from error
    return found.st_dev, found.st_ino


@dataclass(slots=True)
class _File:
    """What successive owners of a store share. Everything but `checked` changes under `turn` only."""

    path: Path
    about: About
    durability: Durability
    identity: FileIdentity | None
    checked: Grid | None = None  # the canvas that the check at the start read, for the first `load`
    turn: Turn = field(default_factory=Turn)
    owner: SqliteStore | None = None  # the only one that may commit
    is_in_doubt: bool = False  # a write failed, and some of it may be in the log or in the database
    acknowledged: int | None = None  # the last change that was not refused; None before the first write

    @property
    def log(self) -> Path:
        """Path of SQLite's write-ahead log."""
        return self.path.with_name(self.path.name + "-wal")

    def verify(self) -> None:
        """Check that the path still names the file that was opened.

        Raises:
            StoreError: if it does not.
        """
        if identify(self.path) != self.identity:
            raise StoreError(f"{self.path.name} was deleted, moved or replaced while it was in use")


class SqliteStore:
    """One owner of the file. Only the latest owner may commit; the module's docstring explains why."""

    kind: str = "sqlite"
    blocks: bool = True

    def __init__(self, file: _File) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._log: FileIdentity | None = None  # the log that the connection writes to
        # Caches of what the file holds, valid while connected.
        self._users: dict[str, int] = {}  # user id -> number in the file
        self._last: tuple[int, float] | None = None  # `seq` and time of the last commit
        with file.turn:
            predecessor, file.owner = file.owner, self
            if predecessor is not None:
                predecessor._disconnect()
        self.durability = file.durability
        self.epoch = file.about.epoch
        self.width = file.about.width
        self.height = file.about.height
        self.background = file.about.background

    @classmethod
    def open(
        cls, path: Path, durability: Durability = "full", *, new: About | None = None, next_epoch: str | None = None
    ) -> SqliteStore:
        """Check, migrate and open a store.

        Args:
            path: the file
            durability: what its commits survive
            new: the canvas to create if the file does not exist
            next_epoch: the epoch to continue under if changes that were shown may have been lost, or may yet be lost

        Raises:
            UnusableStore: if the file is damaged, foreign, or from a later version.
            OSError: if a new file cannot be created.
        """
        if new is not None and not path.exists():
            schema.create(path, new)
        schema.check(path)
        schema.migrate(path)
        if next_epoch is not None:
            schema.renew(path, durability, next_epoch)
        with closing(SqliteReader(path)) as reader:
            grid = reader.verify()
            return cls(_File(path, reader.about, durability, identify(path), grid))

    def take_over(self) -> SqliteStore:
        """See `Store.take_over`."""
        return SqliteStore(self._file)

    def reader(self) -> SqliteReader:
        """See `Store.reader`."""
        self._file.verify()
        return SqliteReader(self._file.path, self._file.turn)

    def load(self) -> Grid:
        """See `Store.load`."""
        grid, self._file.checked = self._file.checked, None
        with closing(self.reader()) as reader:
            with self._file.turn:
                if self._file.owner is self:
                    self._undo_failed_write()
                    self._hold_log()
            return grid if grid is not None and grid.seq == reader.seq() else reader.grid()

    def since(self, seq: int) -> list[Change] | None:
        """See `Store.since`."""
        with closing(self.reader()) as reader:
            if not 0 <= seq <= reader.seq():
                return None
            changes: list[Change] = []
            for chunk in reader.chunks(after=seq):
                changes += chunk.changes(reader.names(chunk.users()))
            return changes

    def append(self, changes: Sequence[Change], at: float) -> None:
        """See `Store.append`."""
        with self._file.turn:
            if self._file.owner is not self:
                raise StoreError("the store has another owner")
            try:
                self._verify_files()
                if self._file.is_in_doubt:
                    self._reopen()
                self._commit(changes, at)
            except sqlite3.Error as error:
                self._forget()  # the rollback may have removed users that are cached
                if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InternalError)):
                    raise
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
                    self._file.is_in_doubt = True
                    with contextlib.suppress(sqlite3.Error):  # if this fails, the next commit tries again
                        self._reopen()
                raise StoreError(str(error)) from error

    def verify(self) -> None:
        """See `Store.verify`."""
        self._file.verify()
        found = identify(self._file.log)
        if self._connection is not None and (found is None or found != self._log):
            raise StoreError(f"{self._file.log.name} was deleted, moved or replaced while it was in use")

    def pace(self) -> CommitPace:
        """See `Store.pace`."""
        return self._file.turn.pace()

    def size(self) -> int:
        """See `Store.size`."""
        return sum(file.stat().st_size for file in (self._file.path, self._file.log) if file.exists())

    def close(self) -> None:
        """See `Store.close`; any owner may call it."""
        with self._file.turn:
            if self._file.owner is not None:
                self._file.owner._disconnect()

    def _verify_files(self) -> None:
        """Check the files. If the log is lost, write its content to the database; the next commit starts a new log.

        Raises:
            StoreError: if that fails, or if the database is lost.
        """
        self._file.verify()
        try:
            self.verify()
        except StoreError as error:
            assert self._connection is not None, "without a connection there is no log"
            is_busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if is_busy:
                raise
            log.warning("store.log_lost", error=str(error))
            self._disconnect()

    def _reopen(self) -> None:
        """Close the connection whose write failed, and erase every trace of that write.

        Its fsync may have failed with the whole transaction in the log already, where the next start would find it. So
        another transaction overwrites it there. If that had failed, too, the write may have reached the database: the
        same transaction deletes it.
        """
        self._disconnect()
        connection = self._connected()
        with transaction(connection):
            connection.execute(f"PRAGMA user_version = {len(schema.VERSIONS)}")
            if self._file.acknowledged is not None:
                rows.remove(connection, self._file.acknowledged + 1)
        self._file.is_in_doubt = False

    def _commit(self, changes: Sequence[Change], at: float) -> None:
        connection = self._connected()
        seq, time = self._last = self._last or rows.last(connection)
        for expected, change in enumerate(changes, start=seq + 1):
            if change.seq != expected:
                raise ValueError(f"change {change.seq} cannot follow {expected - 1}")
        if not changes:
            return
        self._file.acknowledged = seq
        batches = 0
        with transaction(connection):
            if was_ahead(at, time):
                batches, time = rows.redate(connection, at), at
            at = max(at, time)
            records = pack(changes, self._number).tobytes()
            rows.insert(connection, seq + 1, at, None, records)
        if batches:
            log.warning("store.redated", batches=batches, to=datetime.fromtimestamp(at, UTC).isoformat("T", "seconds"))
        self._last = (seq + len(changes), at)
        try:
            self._verify_files()
        except (StoreError, sqlite3.Error):
            # The changes will be refused, so they must not be in the file if it turns up again.
            self._last = None
            with transaction(connection):
                rows.remove(connection, seq + 1)
            raise
        self._file.acknowledged = seq + len(changes)

    def _undo_failed_write(self) -> None:
        """Erase what a failed write left, so that no refused change is read.

        Raises:
            StoreError: if that fails.
        """
        if self._file.is_in_doubt:
            try:
                self._reopen()
            except sqlite3.Error as error:
                raise StoreError(str(error)) from error

    def _hold_log(self) -> None:
        """Open the connection before the first commit, and keep it open.

        Without an open connection SQLite reads the whole log for each new one, and the log grows with each write.
        """
        with contextlib.suppress(sqlite3.Error):
            self._connected()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = schema.connect(self._file.path, writes=True, durability=self._file.durability)
            with schema.closed_on_failure(connection):
                rows.last(connection)  # SQLite opens the log at the first read
                self._log = identify(self._file.log)
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        self._forget()
        if self._connection is not None:
            self._connection.close()
            self._connection = self._log = None

    def _forget(self) -> None:
        self._users.clear()
        self._last = None

    def _number(self, user_id: str) -> int:
        number = self._users.get(user_id)
        if number is None:
            if len(self._users) >= KNOWN_USERS:
                self._users.clear()
            number = self._users[user_id] = self._find_number(user_id)
        return number

    def _find_number(self, user_id: str) -> int:
        connection = self._connected()
        row = connection.execute("SELECT id FROM users WHERE name = ?", (user_id,)).fetchone()
        if row is None:
            row = connection.execute("INSERT INTO users (name) VALUES (?) RETURNING id", (user_id,)).fetchone()
        number: int = row[0]
        return number
