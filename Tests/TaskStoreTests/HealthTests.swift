import Foundation
import JSON
import ProtocolSpec
import Testing

@testable import TaskStore

@Suite("The health of a store")
struct HealthTests {
  func set(_ pragma: String, of store: TaskStore) async throws {
    try await store.writer.perform { table throws(StoreError) in
      try table.connection.execute("PRAGMA \(pragma)")
    }
  }

  @Test("says what is in the way of writing, until it is gone")
  func trouble() async throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    let task = try #require(try await store.create(newTask()).task)
    #expect(await store.trouble() == nil)
    try await set("max_page_count = 1", of: store)
    let long = newTask(String(repeating: "x", count: 100_000))
    await #expect(throws: StoreError.self) { try await store.create(long) }
    #expect(store.writer.lastFailure?.trouble == .full)
    #expect(try await store.task(task.id)?.id == task.id)
    try await set("max_page_count = 100000", of: store)
    #expect(await store.trouble() == nil)
    #expect(try await store.create(long).task != nil)
  }

  @Test("of a whole store is good, and of one that takes too long unknown")
  func check() async throws {
    let fixture = try StoreFixture()
    for number in 0..<200 { _ = try await fixture.store.create(newTask("task \(number)")) }
    guard case .whole = await fixture.store.check(within: .seconds(60)) else {
      Issue.record("not whole")
      return
    }
    guard case .unfinished = await fixture.store.check(within: .zero) else {
      Issue.record("not stopped")
      return
    }
    #expect(await fixture.store.trouble() == nil)
  }

  /// Closes the store, and writes over the pages of the rows behind the first few.
  func damaged(_ fixture: StoreFixture) async throws -> String {
    let path = fixture.folder.appending(path: "omni.db").path
    for number in 0..<200 {
      _ = try await fixture.store.create(newTask("\(number) " + String(repeating: "x", count: 3000)))
    }
    // Not by the writer, who is in a transaction whenever it does anything.
    try SQLiteConnection(path: path, isReadOnly: false).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    let file = try FileHandle(forUpdating: URL(filePath: path))
    try file.seek(toOffset: 4096 * 100)
    try file.write(contentsOf: Data(repeating: 0x5A, count: 4096 * 20))
    try file.close()
    return path
  }

  @Test("that is damaged is found, and nothing is written any more")
  func damage() async throws {
    let fixture = try StoreFixture()
    _ = try await damaged(fixture)
    let store = try fixture.reopened()
    guard case .damaged(let error) = await store.check(within: .seconds(60)) else {
      Issue.record("not found")
      return
    }
    #expect(error.trouble == .damaged)
    #expect(await store.trouble()?.trouble == .damaged)
    await #expect(throws: StoreError.self) { try await store.create(newTask()) }
    #expect(try await store.page(state: nil, before: PageCursor(sequence: 3), limit: 2).tasks.count == 2)
    #expect(store.counts[.idle] == 200)
  }

  @Test("counts damage that somebody met while reading")
  func met() async throws {
    let fixture = try StoreFixture()
    _ = try await damaged(fixture)
    let store = try fixture.reopened()
    #expect(await store.trouble() == nil)
    await #expect(throws: StoreError.self) {
      var cursor: PageCursor?
      repeat { cursor = try await store.page(state: nil, before: cursor, limit: 50).next } while cursor != nil
    }
    #expect(await store.trouble()?.trouble == .damaged)
  }

  @Test("is bad where SQLite would begin anew")
  func losses() throws {
    let fixture = try StoreFixture()
    let path = fixture.folder.appending(path: "omni.db").path
    let fresh = fixture.folder.appending(path: "fresh.db").path
    // An empty file without a lock that says otherwise is that of a start that was broken off.
    try Data().write(to: URL(filePath: fresh))
    _ = try TaskStore(path: fresh, spec: fixture.spec, maxUnfinished: 10)
    do {
      let lock = try StoreLock(storePath: path)
      _ = try fixture.reopened()
      withExtendedLifetime(lock) {}
    }
    try Data().write(to: URL(filePath: path))
    #expect { _ = try fixture.reopened() } throws: { ($0 as? StoreError)?.trouble == .damaged }
    #expect { try TaskStore.tryOpening(path) } throws: { ($0 as? StoreError)?.trouble == .damaged }
  }

  @Test("knows the log that SQLite wrote, and no other")
  func logs() async throws {
    let fixture = try StoreFixture()
    _ = try await fixture.store.create(newTask())
    let log = fixture.folder.appending(path: "omni.db-wal")
    var head = [UInt8](try Data(contentsOf: log).prefix(LogHeader.size))
    #expect(LogHeader.isRight(head))
    #expect(LogHeader.isRight([UInt8](repeating: 0, count: 32)))
    for place in head.indices {
      head[place] ^= 1
      // The first bit says the order of the bytes of the sums.
      #expect(!LogHeader.isRight(head), "byte \(place)")
      head[place] ^= 1
    }
  }

  @Test("has words for everything")
  func words() {
    for trouble in StoreTrouble.allCases {
      let lines = trouble.text.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.count == 2 && lines[0].hasPrefix("reason: "))
    }
  }
}
