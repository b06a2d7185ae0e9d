"""A store in an SQLite file: a commit is one transaction, and survives the power cut (docs/decisions/0005)."""

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
"""The file's name in the data folder."""
KNOWN_USERS = 100_000
"""Numbers of painters that are kept at hand."""


FileIdentity = tuple[int, int]
"""Device and inode: tells one file from another, whatever their names."""


def identify(path: Path) -> FileIdentity | None:
    """Which file a path leads to; None if it leads to none.

    Raises:
        StoreError: if that cannot be told.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path.name} cannot be found: {error.strerror}") from error
    return found.st_dev, found.st_ino


@dataclass(slots=True)
class _File:
    """What the owners of a store share: the file, and whose turn it is."""

    path: Path
    about: About
    durability: Durability
    identity: FileIdentity | None
    checked: Grid | None = None  # the canvas as it was found, for the first who loads it
    turn: Turn = field(default_factory=Turn)
    owner: SqliteStore | None = None
    is_in_doubt: bool = False  # a write has failed, and some of it may be in the log, or in the database
    acknowledged: int | None = None  # the last change that was not refused; None before the first write

    @property
    def log(self) -> Path:
        """SQLite's write-ahead log."""
        return self.path.with_name(self.path.name + "-wal")

    def verify(self) -> None:
        """Check that the path still leads to the file that was opened.

        Raises:
            StoreError: if it does not.
        """
        if identify(self.path) != self.identity:
            raise StoreError(f"{self.path.name} was deleted, moved or replaced while it was in use")


class SqliteStore:
    """One owner of the file: only the last one may commit.

    A killed process cannot be stopped in the middle of a commit, nor before one that its thread was just about to
    begin. So commits take turns, and each looks whether it is still the owner's.
    """

    kind: str = "sqlite"
    blocks: bool = True

    def __init__(self, file: _File) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._log: FileIdentity | None = None  # the log that the connection writes to
        # What is known of the file while it is connected: painters' numbers; the seq and the time of the last commit.
        self._users: dict[str, int] = {}
        self._last: tuple[int, float] | None = None
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
        """Open a store, after a check.

        Args:
            path: the file
            durability: what its commits survive
            new: the canvas to make if there is no file
            next_epoch: the epoch to go on under if changes that were shown may have been lost, or may come to be

        Raises:
            UnusableStore: if it is damaged, foreign, or from a later version.
            OSError: if a new one cannot be made.
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
                self._forget()  # some painters may have been in what was rolled back
                if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InternalError)):
                    raise
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
                    self._file.is_in_doubt = True
                    with contextlib.suppress(sqlite3.Error):  # then before the next commit
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
        """Check the files. All that is in a lost log is written to the database, and the next commit has a new log.

        Raises:
            StoreError: if that cannot be done, or the database is lost.
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
        """Trust nothing that was open when a write failed, and leave nothing of that write.

        Its fsync may have failed when all of it was in the log already: the next start would find it there. So another
        transaction takes its place; and what has got into the database, because that failed too, is removed.
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
            # They will be refused, so they must not be there when the file is found again.
            self._last = None
            with transaction(connection):
                rows.remove(connection, seq + 1)
            raise
        self._file.acknowledged = seq + len(changes)

    def _undo_failed_write(self) -> None:
        """Let nothing be read that was refused.

        Raises:
            StoreError: if what a failed write has left cannot be removed.
        """
        if self._file.is_in_doubt:
            try:
                self._reopen()
            except sqlite3.Error as error:
                raise StoreError(str(error)) from error

    def _hold_log(self) -> None:
        """Keep a connection open, also before the first commit.

        As long as there is none, SQLite reads the whole log for each new one, and the log grows with each write.
        """
        with contextlib.suppress(sqlite3.Error):
            self._connected()

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = schema.connect(self._file.path, writes=True, durability=self._file.durability)
            with schema.closed_on_failure(connection):
                rows.last(connection)  # only what is read opens the log
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
