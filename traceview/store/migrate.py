"""Brings an older store (or a file without tables) up to date: in one transaction, after a backup, by alembic."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from traceview.store.driver import driver
from traceview.store.fresh import NEW_FILE
from traceview.store.identity import APPLICATION_ID, SCHEMA_VERSION

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def migrate(
    path: Path,
    found: int,
    *,
    journal: str = "wal",
    scripts: Path = MIGRATIONS,
    version: int = SCHEMA_VERSION,
) -> None:
    """Takes the store at `path` from version `found` (0: empty file) to `version`; all of it or nothing.

    An existing store is copied to `<name>.v<found>.bak` beside it first. Raises the driver's errors.
    """
    if found:
        _back_up(path, found)
    engine = _engine(path, () if found else (*NEW_FILE, f"PRAGMA journal_mode = {journal}"))
    try:
        with engine.connect() as connection, connection.begin():
            if connection.exec_driver_sql("PRAGMA user_version").scalar() != found:
                return  # another process was faster
            _run_steps(connection, scripts, f"{version:04d}")
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version = {version}")
    finally:
        engine.dispose()


def _engine(path: Path, pragmas: Sequence[str]) -> Any:
    """An engine whose connections hold the file for themselves from the start of a transaction to its end."""
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    engine = create_engine(
        "sqlite://", module=driver(), creator=lambda: driver().connect(str(path)), poolclass=NullPool
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # None: the driver starts no transactions of its own, or DDL would run outside of ours.
        connection.isolation_level = None
        for pragma in ("PRAGMA busy_timeout = 10000", *pragmas):
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")

    return engine


def _run_steps(connection: Any, scripts: Path, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    command.upgrade(config, revision)


def _back_up(path: Path, found: int) -> None:
    """Writes the copy beside its name and moves it there when whole, so that a `.bak` is never half a store."""
    target = path.with_name(f"{path.name}.v{found}.bak")
    partial = path.with_name(f"{path.name}.v{found}.bak-{os.getpid()}")
    partial.unlink(missing_ok=True)
    connection = driver().connect(str(path))
    try:
        connection.execute("VACUUM INTO ?", (str(partial),))
    finally:
        connection.close()
    os.replace(partial, target)
