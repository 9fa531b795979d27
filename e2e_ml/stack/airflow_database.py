"""How the managed Airflow connects to its SQLite database (`AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS` names `ARGS`).

Python's sqlite3 begins a transaction before an INSERT, UPDATE or DELETE, but not before a SAVEPOINT. A savepoint
outside of a transaction is one by itself: releasing it commits, and what it reads first fixes what it sees, so that its
first write fails at once ("database is locked") where anybody has written in between. Airflow makes each run of a
backfill in a savepoint. So a backfill on a busy scheduler could fail half made, and Airflow then deleted the runs made
so far under the hands of the scheduler, which ended by it ("StaleDataError: UPDATE statement on table 'dag_run'").
Here a savepoint stands in a transaction that waits for its turn to write: a backfill comes whole or not at all.

See "Transactions with SQLite and the sqlite3 driver" in SQLAlchemy's manual. Airflow's processes import this: keep it
small.
"""

from __future__ import annotations

import sqlite3
from typing import Any


class Cursor(sqlite3.Cursor):
    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql.startswith("SAVEPOINT") and not self.connection.in_transaction:
            super().execute("BEGIN IMMEDIATE")
        return super().execute(sql, parameters)


class Connection(sqlite3.Connection):
    def cursor(self, factory: Any = Cursor) -> Any:
        return super().cursor(factory)


# The default timeout stays (5 s): Airflow's API server can wait for itself, and then that is how long.
ARGS = {"factory": Connection}
