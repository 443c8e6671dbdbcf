-- A store as the server of version 1 of the schema made and left it.
PRAGMA journal_mode = WAL;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS tasks (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  type TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  executor TEXT NOT NULL,
  model TEXT NOT NULL,
  complexity INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  idempotency_key TEXT UNIQUE,
  history TEXT,
  result TEXT,
  truncated INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  error_info TEXT,
  wake_at INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS tasks_by_state ON tasks (state, seq);
CREATE TABLE IF NOT EXISTS counts (state TEXT PRIMARY KEY, tasks INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO counts (state, tasks) VALUES ('idle', 0), ('dispatching', 0), ('executing', 0), ('waiting', 0), ('completed', 0), ('failed', 0), ('cancelled', 0);
CREATE TRIGGER IF NOT EXISTS task_added AFTER INSERT ON tasks BEGIN
  UPDATE counts SET tasks = tasks + 1 WHERE state = new.state;
END;
CREATE TRIGGER IF NOT EXISTS task_moved AFTER UPDATE OF state ON tasks WHEN old.state <> new.state BEGIN
  UPDATE counts SET tasks = tasks + (state = new.state) - (state = old.state)
  WHERE state IN (old.state, new.state);
END;
CREATE TRIGGER IF NOT EXISTS task_removed AFTER DELETE ON tasks BEGIN
  UPDATE counts SET tasks = tasks - 1 WHERE state = old.state;
END;
CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
PRAGMA user_version = 1;
COMMIT;
INSERT INTO tasks (id, description, type, state, created_at, updated_at, executor, model, complexity, attempts,
  idempotency_key, history, result, truncated, error, error_info, wake_at)
VALUES
  ('00000000-0000-4000-8000-000000000001', 'first', 'general', 'completed', 1000, 2000, 'litellm', 'small', 50,
    1, 'key', '[{"role":"user","content":"before"}]', 'done', 1, NULL, NULL, NULL),
  ('00000000-0000-4000-8000-000000000002', 'second', '24/7', 'failed', 1000, 2000, 'litellm', 'small', 50,
    5, NULL, NULL, NULL, 0, 'timeout: late', '{"class":"timeout","tried":5}', NULL),
  ('00000000-0000-4000-8000-000000000003', 'third', 'general', 'waiting', 1000, 2000, 'direct', 'large', 75,
    0, NULL, NULL, NULL, 0, NULL, NULL, 5000),
  ('00000000-0000-4000-8000-000000000004', 'fourth', 'general', 'idle', 1000, 1000, 'litellm', 'small', 50,
    0, NULL, NULL, NULL, 0, NULL, NULL, NULL);
DELETE FROM tasks WHERE seq = 4;
INSERT INTO tasks (id, description, type, state, created_at, updated_at, executor, model, complexity)
  VALUES ('00000000-0000-4000-8000-000000000005', 'fifth', 'general', 'idle', 1000, 1000, 'litellm', 'small', 50);
INSERT INTO notes (key, value) VALUES ('system', '{"state":"degraded","since":1}');
