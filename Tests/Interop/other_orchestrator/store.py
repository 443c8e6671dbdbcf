"""Tasks on disk. Every change is committed, and on disk, when the call returns."""

import datetime
import json
import os
import sqlite3
import uuid

STATES = ["idle", "dispatching", "executing", "waiting", "completed", "failed", "cancelled"]
OPEN = ("idle", "dispatching", "executing", "waiting")


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Store:
    def __init__(self, folder):
        self.listeners = []
        os.makedirs(folder, exist_ok=True)
        self.database = sqlite3.connect(os.path.join(folder, "other.db"), isolation_level=None)
        self.database.row_factory = sqlite3.Row
        self.database.executescript("""
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = FULL;
            CREATE TABLE IF NOT EXISTS tasks (
                number INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT UNIQUE NOT NULL,
                description TEXT NOT NULL, type TEXT NOT NULL, history TEXT NOT NULL, key TEXT UNIQUE,
                state TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
                executor TEXT NOT NULL, model TEXT NOT NULL, complexity INTEGER NOT NULL,
                attempts INTEGER NOT NULL DEFAULT 0, result TEXT, truncated INTEGER, error TEXT,
                error_info TEXT, wake_at REAL);
            CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
        """)
        self.database.execute(
            "UPDATE tasks SET state = 'idle' WHERE state IN ('dispatching', 'executing')")

    def fact(self, name, value=None):
        if value is not None:
            self.database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))
            return value
        row = self.database.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return row and row[0]

    def add(self, description, kind, history, key, executor, model, complexity):
        task_id, time = str(uuid.uuid4()), now()
        self.database.execute(
            "INSERT INTO tasks (task_id, description, type, history, key, state, created_at,"
            " updated_at, executor, model, complexity) VALUES (?,?,?,?,?,'idle',?,?,?,?,?)",
            (task_id, description, kind, json.dumps(history), key, time, time, executor, model, complexity))
        self.tell("tasks", task(self.row(task_id)), is_new=True)
        return task_id

    def tell(self, topic, content, **more):
        for listener in list(self.listeners):
            listener(topic, content, **more)

    def change(self, task_id, **fields):
        before = self.row(task_id)["state"]
        fields["updated_at"] = now()
        names = ", ".join(f"{name} = ?" for name in fields)
        self.database.execute(
            f"UPDATE tasks SET {names} WHERE task_id = ?", (*fields.values(), task_id))
        if fields.get("state", before) != before:
            self.tell("tasks", task(self.row(task_id)))

    def row(self, task_id):
        return self.database.execute("SELECT * FROM tasks WHERE task_id = ?", (task_id,)).fetchone()

    def by_key(self, key):
        return self.database.execute("SELECT * FROM tasks WHERE key = ?", (key,)).fetchone()

    def in_state(self, *states):
        marks = ",".join("?" * len(states))
        return self.database.execute(
            f"SELECT * FROM tasks WHERE state IN ({marks}) ORDER BY number", states).fetchall()

    def page(self, state, before, limit):
        return self.database.execute(
            "SELECT * FROM tasks WHERE (? IS NULL OR state = ?) AND (? IS NULL OR number < ?)"
            " ORDER BY number DESC LIMIT ?", (state, state, before, before, limit)).fetchall()

    def counts(self):
        found = dict(self.database.execute("SELECT state, count(*) FROM tasks GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in STATES}


def task(row):
    """A row as clients see it."""
    names = ["task_id", "description", "type", "state", "created_at", "updated_at", "executor",
             "model", "complexity", "attempts"]
    result = {name: row[name] for name in names}
    if row["state"] == "completed":
        result["result"] = row["result"]
        if row["truncated"]:
            result["truncated"] = True
    if row["state"] == "failed":
        result["error"] = row["error"]
        result["error_info"] = json.loads(row["error_info"])
    return result
