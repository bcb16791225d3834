"""The tables of a bank's books, and the engine that opens them.

SQLAlchemy Core; SQLite by default. Money is whole fen. What must not happen twice is a unique
key here, so that a crash or two hosts on one database cannot make it happen.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    Engine,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.pool import StaticPool

__all__ = [
    "METADATA",
    "accounts",
    "batches",
    "bookings",
    "cards",
    "entries",
    "mandates",
    "open_books",
    "scripts",
    "transactions",
    "writing",
]

METADATA = MetaData()

accounts = Table(
    "accounts",
    METADATA,
    Column("number", String(32), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("customer", Integer, nullable=False),  # 1: a customer's, 0: one of the bank's own
    Column("state", String(16), nullable=False),
    Column("balance_fen", BigInteger, nullable=False, default=0),
    Column("held_fen", BigInteger, nullable=False, default=0),
    Column("points", BigInteger, nullable=False, default=0),
)

bookings = Table(
    "bookings",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("reference", String(80), nullable=False),
    Column("day", Date, nullable=False),
    Column("amount_fen", BigInteger, nullable=False),
    Column("debit", String(32), nullable=False),
    Column("credit", String(32), nullable=False),
    Column("text", String(120), nullable=False, default=""),
    UniqueConstraint("kind", "reference"),
)

entries = Table(
    "entries",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("booking", ForeignKey("bookings.id"), nullable=False),
    Column("account", ForeignKey("accounts.number"), nullable=False, index=True),
    Column("amount_fen", BigInteger, nullable=False),
)

cards = Table(
    "cards",
    METADATA,
    Column("pan", String(19), primary_key=True),
    Column("psn", String(2), primary_key=True),
    Column("account", ForeignKey("accounts.number"), nullable=False),
    Column("expiry", String(4), nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_before", String(16), nullable=False, default=""),  # what a loss goes back to
    Column("state_day", Date),
    Column("atc_last", Integer, nullable=False, default=0),
    Column("pin", LargeBinary, nullable=False, default=b""),
    Column("pin_tries", Integer, nullable=False, default=0),
)

transactions = Table(
    "transactions",
    METADATA,
    Column("terminal", String(8), primary_key=True),
    Column("trace", Integer, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("pan", String(19), nullable=False),
    Column("psn", String(2), nullable=False),
    Column("atc", Integer),  # of a cryptogram that was right; none otherwise
    Column("kind", String(16), nullable=False),
    Column("amount_fen", BigInteger, nullable=False),
    Column("merchant", String(15), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("held_fen", BigInteger, nullable=False, default=0),
    Column("digest", String(64), nullable=False, default=""),
    Column("response", String, nullable=False, default=""),
    Column("scripts", String, nullable=False, default=""),
    UniqueConstraint("pan", "psn", "atc"),
)

batches = Table(
    "batches",
    METADATA,
    Column("terminal", String(8), primary_key=True),
    Column("batch", Integer, primary_key=True),
    Column("day", Date, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("result", String, nullable=False),
)

scripts = Table(
    "scripts",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("pan", String(19), nullable=False, index=True),
    Column("psn", String(2), nullable=False),
    Column("body", String, nullable=False),
    Column("state", String(16), nullable=False),
    Column("sent", Integer, nullable=False, default=0),
)

mandates = Table(
    "mandates",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("account", ForeignKey("accounts.number"), nullable=False),
    Column("creditor", ForeignKey("accounts.number"), nullable=False),
    Column("single_max_fen", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
)


def open_books(url: str = "sqlite://") -> Engine:
    """Return the engine of a database, its tables made where they are missing.

    `url` as SQLAlchemy writes it: "sqlite:///bank.db"; the default lives in memory.
    """
    options: dict[str, Any] = {}
    if url in ("sqlite://", "sqlite:///:memory:"):
        options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    engine = create_engine(url, **options)
    if engine.dialect.name == "sqlite":
        # The driver would begin a transaction late and in read mode; two hosts could then both
        # find a key free. BEGIN IMMEDIATE takes the write lock before anything is read.
        event.listen(engine, "connect", _own_transactions)
        event.listen(engine, "begin", _begin_immediate)
    METADATA.create_all(engine)
    return engine


def _own_transactions(connection: Any, record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_mode = WAL")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in one transaction: all that is done with it is kept, or nothing."""
    with engine.begin() as connection:
        yield connection
