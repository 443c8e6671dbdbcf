import Foundation
import JSON
import ProtocolSpec
import Testing

@testable import TaskStore

/// A store as a version of the schema left it, by the SQL of that version.
private func makeStore(_ path: String, version: Int) throws {
  let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Interop/schemas/version-\(version).sql")
  try SQLiteConnection(path: path, isReadOnly: false).execute(String(contentsOf: file, encoding: .utf8))
}

@Suite("A store of an earlier version")
struct MigrationTests {
  static let versions = Array(1..<Int(Schema.version))

  /// A store that was brought to this version.
  final class Migrated {
    let folder = URL.temporaryDirectory.appending(path: "migration-\(UUID().uuidString)")
    let path: String
    let store: TaskStore

    init(from version: Int) throws {
      path = folder.appending(path: "omni.db").path
      try StoreFiles.createFolder(of: path)
      try makeStore(path, version: version)
      store = try TaskStore(path: path, spec: Specification.load(), maxUnfinished: 1000)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }
  }

  func id(_ number: Int) -> String { "00000000-0000-4000-8000-00000000000\(number)" }

  @Test("has its tasks under their ids, with everything that was written of them", arguments: versions)
  func tasks(version: Int) async throws {
    let migrated = try Migrated(from: version)
    // Its folder goes with it.
    defer { withExtendedLifetime(migrated) {} }
    let store = migrated.store
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
  }

  @Test("goes on: counts, keys, order and transitions", arguments: versions)
  func life(version: Int) async throws {
    let migrated = try Migrated(from: version)
    let store = migrated.store
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
    let again = try TaskStore(path: migrated.path, spec: Specification.load(), maxUnfinished: 1000)
    #expect(again.counts == store.counts)
    #expect(try await again.task(id(5))?.state == .cancelled)
    #expect(try await again.task(created.id)?.description == "new")
  }

  @Test("has the tables of a store that was made today", arguments: versions)
  func tables(version: Int) throws {
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
    let migrated = try Migrated(from: version)
    #expect(try tables(migrated.path) == tables(fresh.folder.appending(path: "omni.db").path))
  }

  @Test("is kept as it was", arguments: versions)
  func kept(version: Int) throws {
    let migrated = try Migrated(from: version)
    let kept = "\(migrated.path).v\(version).bak"
    #expect(migrated.store.migration == Migration(from: Int64(version), kept: kept))
    let contents = try StoreCheck.contents(of: kept, as: "the copy")
    #expect(contents == StoreCheck.Contents(version: Int64(version), tasks: 4))
    let again = try TaskStore(path: migrated.path, spec: Specification.load(), maxUnfinished: 1000)
    #expect(again.migration == nil)
  }

  @Test("stays as it was where there is no place for the copy", arguments: versions)
  func notKept(version: Int) throws {
    let folder = URL.temporaryDirectory.appending(path: "migration-\(UUID().uuidString)")
    let path = folder.appending(path: "omni.db").path
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(
      at: folder.appending(path: "omni.db.v\(version).bak"), withIntermediateDirectories: true)
    try makeStore(path, version: version)
    #expect {
      _ = try TaskStore(path: path, spec: Specification.load(), maxUnfinished: 1000)
    } throws: { error in
      "\(error)".hasPrefix(
        "the store of version \(version) is not brought to version \(Schema.version) without")
    }
    let connection = try SQLiteConnection(path: path, isReadOnly: true)
    #expect(try Schema.version(of: connection) == Int64(version))
  }

  @Test("a newer version is refused")
  func newer() throws {
    let fixture = try StoreFixture()
    let path = fixture.folder.appending(path: "omni.db").path
    let next = Schema.version + 1
    try SQLiteConnection(path: path, isReadOnly: false).execute("PRAGMA user_version = \(next)")
    #expect {
      _ = try fixture.reopened()
    } throws: { error in
      "\(error)"
        == "the store was written by a newer server: its version is \(next), this one knows \(next - 1)"
    }
  }
}
