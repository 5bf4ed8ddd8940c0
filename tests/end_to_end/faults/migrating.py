"""SIGKILL at any instant of a schema's migration: afterwards the store is the old one or the new one, never between."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from rig import Rig
from waiting import Fault

from traceview.store.checkup import check_store
from traceview.store.driver import driver
from traceview.store.identity import SCHEMA_VERSION
from traceview.store.migrate import MIGRATIONS, migrate

_NEXT: Final = SCHEMA_VERSION + 1
# A later version that touches every row twice, so that there is something to be killed in.
_STEP: Final = f'''"""A later version."""
from alembic import op
import sqlalchemy as sa
revision = "{_NEXT:04d}"
down_revision = "{SCHEMA_VERSION:04d}"
def upgrade():
    op.add_column("span", sa.Column("mood", sa.Text))
    op.execute(sa.text("UPDATE span SET mood = name"))
    op.create_index("span_by_mood", "span", ["mood"])
'''
_MIGRATE: Final = """
import sys
from pathlib import Path
from traceview.store.migrate import migrate
print("begins", flush=True)
migrate(Path(sys.argv[1]), int(sys.argv[2]), scripts=Path(sys.argv[3]), version=int(sys.argv[4]))
"""


def kill_migration(rig: Rig, rounds: int) -> None:
    """A store that programs recorded to is brought to a later version again and again, and killed in that."""
    program = rig.start_program(most=2_000)
    rig.start_daemon()
    program.wait()
    rig.settle()
    scripts = rig.home / "scripts"
    shutil.copytree(MIGRATIONS, scripts)
    (scripts / "versions" / f"v{_NEXT:04d}_later.py").write_text(_STEP)
    whole_s = _time_of_one(_copy(rig, "timed"), scripts)
    for number in range(rounds):
        store = _copy(rig, f"killed{number}")
        command = [sys.executable, "-c", _MIGRATE, store, str(SCHEMA_VERSION), scripts, str(_NEXT)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            rig.let_it_run(1.2 * whole_s)
            process.kill()
        _check(store)
        migrate(store, _version(store), scripts=scripts, version=_NEXT)
        if _check(store) != _NEXT:
            raise Fault("a migration that was cut short could not be done again")
        shutil.rmtree(store.parent)


def _copy(rig: Rig, name: str) -> Path:
    folder = rig.home / name
    folder.mkdir()
    return Path(shutil.copy(rig.places.store, folder / "traces.db"))


def _time_of_one(store: Path, scripts: Path) -> float:
    began = time.monotonic()
    migrate(store, SCHEMA_VERSION, scripts=scripts, version=_NEXT)
    return time.monotonic() - began


def _version(store: Path) -> int:
    connection = driver().connect(str(store))
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def _check(store: Path) -> int:
    """The store's version; raises Fault where anything of it is of another one."""
    version = _version(store)
    connection = driver().connect(str(store))
    try:
        new = "mood" in {row[1] for row in connection.execute("PRAGMA table_info(span)")}
        indexed = bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'span_by_mood'").fetchone())
        unfilled = connection.execute("SELECT count(*) FROM span WHERE mood IS NOT name").fetchone()[0] if new else 0
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()
    if (new, indexed, unfilled, verdict) != (version == _NEXT, version == _NEXT, 0, "ok"):
        raise Fault(f"a killed migration left version {version}, {new=}, {indexed=}, {unfilled=}: {verdict}")
    backup = store.with_name(f"{store.name}.v{SCHEMA_VERSION}.bak")
    problem = check_store(backup, 60.0).problem if backup.exists() else None
    if problem or (version == _NEXT and not backup.exists()):
        raise Fault(f"a killed migration left no good backup: {problem}")
    return version
