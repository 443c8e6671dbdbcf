import Foundation
import JSON
import ProtocolSpec
import Testing

@testable import TaskStore

extension TaskReader {
  func text(ofTask id: String) throws -> String? {
    try Array(id.utf8).withUnsafeBytes { try text(of: $0).map { String(decoding: $0, as: UTF8.self) } }
  }
}

@Suite("A reader of its own")
struct ReaderTests {
  @Test("gives a task as its JSON text, byte for byte")
  func texts() async throws {
    let fixture = try StoreFixture()
    let store = fixture.store
    let reader = try store.makeReader()
    var ids: [String] = []
    for description in [
      "hi", "a \"quote\" and a \\", "line\nbreak\u{1}\u{0}", "naïve \u{1F600}",
      String(repeating: "é", count: 5000),
    ] {
      ids.append(try #require(try await store.create(newTask(description)).task).id)
    }
    var change = TaskChange()
    change.result = "done \"well\""
    change.isTruncated = true
    try await fixture.bring(ids[0], to: .executing)
    _ = try await store.transition(ids[0], to: .completed, change)
    change = TaskChange()
    change.error = "timeout: late"
    change.errorInfo = ["class": "timeout", "tried": 5]
    change.attempts = 12
    _ = try await store.transition(ids[1], to: .failed, change)
    for id in ids + ids {
      let task = try #require(try await store.task(id))
      #expect(try reader.text(ofTask: id) == task.json.description)
    }
  }

  @Test("tells what has been answered, also while it looks at a snapshot")
  func freshness() async throws {
    let fixture = try StoreFixture()
    let reader = try fixture.store.makeReader()
    for turn in 0..<50 {
      let id = try #require(try await fixture.store.create(newTask()).task).id
      #expect(try reader.text(ofTask: id)?.contains(#""state":"idle""#) == true)
      if turn % 3 == 0 { reader.release() }
      _ = try await fixture.store.transition(id, to: .waiting)
      #expect(try reader.text(ofTask: id)?.contains(#""state":"waiting""#) == true)
      _ = try await fixture.store.transition(id, to: .cancelled)
      #expect(try reader.text(ofTask: id)?.contains(#""state":"cancelled""#) == true)
    }
    #expect(reader.isHolding)
    reader.release()
    #expect(!reader.isHolding)
  }

  @Test("knows no task by an id that only resembles one")
  func exactIDs() async throws {
    let fixture = try StoreFixture()
    let reader = try fixture.store.makeReader()
    let id = try #require(try await fixture.store.create(newTask()).task).id
    let path = fixture.folder.appending(path: "omni.db").path
    let ids = try Schema.ids(SQLiteConnection(path: path, isReadOnly: true))
    let twins = (1...5).map { ids.id(of: 1, nonce: $0) }
    // Twice, since the text of the task is kept after the first time.
    for _ in 0..<2 {
      #expect(try reader.text(ofTask: id) != nil)
      var others = twins + [id.uppercased(), id + "0", String(id.dropLast()), "", "nobody"]
      for place in id.indices where id[place] != "-" {
        for digit in "0123456789abcdef" where digit != id[place] {
          others.append(id.replacingCharacters(in: place...place, with: String(digit)))
        }
      }
      for other in others { #expect(try reader.text(ofTask: other) == nil) }
    }
  }

  @Test("keeps no more texts than fit, and forgets them with the next commit")
  func keptTexts() {
    let texts = KeptTexts()
    texts.clear(asOf: 1)
    let long = [UInt8](repeating: 65, count: 1000)
    var number: Int64 = 0
    while !texts.isFull {
      number += 1
      _ = texts.add(number) { output in long.withUnsafeBytes { output.add($0) } }
    }
    #expect((60...70).contains(number))
    #expect(texts.text(of: 1)?.elementsEqual(long) == true)
    #expect(texts.text(of: number + 1) == nil)
    texts.clear(asOf: 2)
    #expect(texts.text(of: 1) == nil && !texts.isFull && texts.asOf == 2)
  }
}
