import Foundation
import JSON
import ProtocolSpec
import Testing

@testable import TaskStore

/// A store as version 1 of the schema left it.
private func makeVersion1(_ path: String) throws {
  let connection = try SQLiteConnection(path: path, isReadOnly: false)
  try connection.execute("PRAGMA journal_mode = WAL")
  try connection.execute(schemaOfVersion1)
  try connection.execute(rowsOfVersion1)
}

private let schemaOfVersion1 = """
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
  INSERT OR IGNORE INTO counts (state, tasks) VALUES \(TaskState.allCases.map { "('\($0.rawValue)', 0)" }.joined(separator: ", "));
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
  """

private let rowsOfVersion1 = """
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
  """

@Suite("A store of version 1")
struct MigrationTests {
  let folder = URL.temporaryDirectory.appending(path: "migration-\(UUID().uuidString)")
  let path: String
  let store: TaskStore

  init() throws {
    path = folder.appending(path: "omni.db").path
    try StoreLock.createFolder(of: path)
    try makeVersion1(path)
    store = try TaskStore(path: path, spec: Specification.load(), maxUnfinished: 1000)
  }

  func id(_ number: Int) -> String { "00000000-0000-4000-8000-00000000000\(number)" }

  @Test("has its tasks under their ids, with everything that was written of them")
  func tasks() async throws {
    let expected: [(id: Int, members: JSONValue)] = [
      (
        1,
        [
          "description": "first", "type": "general", "state": "completed", "executor": "litellm",
          "model": "small", "complexity": 50, "attempts": 1, "result": "done", "truncated": true,
        ]
      ),
      (
        2,
        [
          "description": "second", "type": "24/7", "state": "failed", "executor": "litellm", "model": "small",
          "complexity": 50, "attempts": 5, "error": "timeout: late",
          "error_info": ["class": "timeout", "tried": 5],
        ]
      ),
      (
        3,
        [
          "description": "third", "type": "general", "state": "waiting", "executor": "direct",
          "model": "large", "complexity": 75, "attempts": 0,
        ]
      ),
    ]
    let reader = try store.makeReader()
    for (number, members) in expected {
      let task = try #require(try await store.task(id(number)))
      var json = members
      json["task_id"] = .string(id(number))
      json["created_at"] = "1970-01-01T00:00:01.000Z"
      json["updated_at"] = "1970-01-01T00:00:02.000Z"
      #expect(task.json == json)
      #expect(try reader.text(ofTask: id(number)) == task.json.description)
    }
    #expect(try await store.task(id(1))?.history == [["role": "user", "content": "before"]])
    #expect(try await store.nextWake() == Timestamp(milliseconds: 5000))
    #expect(try await store.recall("system")?["state"] == "degraded")
    #expect(try await store.task(id(4)) == nil)
    try? FileManager.default.removeItem(at: folder)
  }

  @Test("goes on: counts, keys, order and transitions")
  func life() async throws {
    #expect(
      store.counts == [
        .idle: 1, .dispatching: 0, .executing: 0, .waiting: 1, .completed: 1, .failed: 1, .cancelled: 0,
      ])
    guard case .existing(let first) = try await store.create(newTask("first", key: "key")) else {
      Issue.record("the key was not known")
      return
    }
    #expect(first.id == id(1))
    let created = try #require(try await store.create(newTask("new")).task)
    _ = try await store.transition(id(5), to: .cancelled)
    let page = try await store.page(state: nil, before: nil, limit: 10)
    #expect(page.tasks.map(\.id) == [created.id, id(5), id(3), id(2), id(1)])
    #expect(store.counts[.cancelled] == 1 && store.counts[.idle] == 1)
    let reader = try store.makeReader()
    let states = try [1, 3, 5].map { try reader.timeline(id($0)) }.map { $0?.steps.map(\.state) }
    #expect(states == [[.idle, .completed], [.idle, .waiting], [.idle, .cancelled]])
    let again = try TaskStore(path: path, spec: Specification.load(), maxUnfinished: 1000)
    #expect(again.counts == store.counts)
    #expect(try await again.task(id(5))?.state == .cancelled)
    #expect(try await again.task(created.id)?.description == "new")
    try? FileManager.default.removeItem(at: folder)
  }

  @Test("has the tables of a store that was made today")
  func tables() throws {
    func tables(_ path: String) throws -> [String] {
      let connection = try SQLiteConnection(path: path, isReadOnly: true)
      let all = "SELECT type || ' ' || name || ': ' || ifnull(sql, '') FROM sqlite_schema ORDER BY name"
      // Left behind by AUTOINCREMENT, and cannot be dropped.
      return try connection.statement(all).rows { $0.text(0) ?? "" }.filter {
        !$0.contains("sqlite_sequence")
      }
      .map { $0.filter { !$0.isWhitespace } }
    }
    let fresh = try StoreFixture()
    #expect(try tables(path) == tables(fresh.folder.appending(path: "omni.db").path))
    try? FileManager.default.removeItem(at: folder)
  }

  @Test("a newer version is refused")
  func newer() throws {
    try SQLiteConnection(path: path, isReadOnly: false).execute("PRAGMA user_version = 4")
    #expect {
      _ = try TaskStore(path: path, spec: Specification.load(), maxUnfinished: 1000)
    } throws: { error in
      "\(error)" == "the store was written by a newer server: its version is 4, this one knows 3"
    }
    try? FileManager.default.removeItem(at: folder)
  }
}
