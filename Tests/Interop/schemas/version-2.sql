-- A store as the server of version 2 of the schema made and left it.
PRAGMA journal_mode = WAL;
BEGIN IMMEDIATE;
CREATE TABLE tasks (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  description TEXT NOT NULL,
  type TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  executor TEXT NOT NULL,
  model TEXT NOT NULL,
  complexity INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  idempotency_key TEXT,
  history TEXT,
  result TEXT,
  truncated INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  error_info TEXT,
  wake_at INTEGER,
  is_old INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX tasks_by_state ON tasks (state);
CREATE UNIQUE INDEX tasks_by_key ON tasks (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX tasks_by_old_id ON tasks (id) WHERE is_old = 1;
CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
PRAGMA user_version = 2;
COMMIT;
-- Ids of a server of version 1 stay (is_old); those after them have the number of the row under the key.
INSERT INTO tasks (seq, id, description, type, state, created_at, updated_at, executor, model, complexity, attempts,
  idempotency_key, history, result, truncated, error, error_info, wake_at, is_old)
VALUES
  (1, '00000000-0000-4000-8000-000000000001', 'first', 'general', 'completed', 1000, 2000, 'litellm', 'small', 50,
    1, 'key', '[{"role":"user","content":"before"}]', 'done', 1, NULL, NULL, NULL, 1),
  (2, '00000000-0000-4000-8000-000000000002', 'second', '24/7', 'failed', 1000, 2000, 'litellm', 'small', 50,
    5, NULL, NULL, NULL, 0, 'timeout: late', '{"class":"timeout","tried":5}', NULL, 1),
  (3, '00000000-0000-4000-8000-000000000003', 'third', 'general', 'waiting', 1000, 2000, 'direct', 'large', 75,
    0, NULL, NULL, NULL, 0, NULL, NULL, 5000, 1),
  (5, '00000000-0000-4000-8000-000000000005', 'fifth', 'general', 'idle', 1000, 1000, 'litellm', 'small', 50,
    0, NULL, NULL, NULL, 0, NULL, NULL, NULL, 1);
INSERT INTO notes (key, value) VALUES
  ('system', '{"state":"degraded","since":1}'), ('task_id_key', '000102030405060708090a0b0c0d0e0f');
