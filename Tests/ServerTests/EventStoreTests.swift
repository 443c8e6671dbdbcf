import Testing

@testable import omni_server

@Suite("The events that a session keeps")
struct EventStoreTests {
  func texts(_ store: EventStore, _ place: String) throws -> [String]? {
    let id = try #require(EventStore.ID(place))
    return store.events(after: id)?.map { "\($0.id.text) \(String(decoding: $0.data, as: UTF8.self))" }
  }

  @Test("who comes back is given what followed on that stream, and nothing of any other")
  func replay() throws {
    var store = EventStore(maxEvents: 10, maxBytes: 100)
    let first = store.open()
    let second = store.open()
    #expect(store.append(Array("a".utf8), to: first).text == "0-1")
    #expect(store.append(Array("b".utf8), to: second).text == "1-1")
    #expect(store.append(Array("c".utf8), to: first).text == "0-2")
    #expect(try texts(store, "0-0") == ["0-1 a", "0-2 c"])
    #expect(try texts(store, "0-1") == ["0-2 c"])
    #expect(try texts(store, "0-2") == [])
    #expect(try texts(store, "1-0") == ["1-1 b"])
    #expect(try texts(store, "0-3") == nil)
  }

  @Test("a place that was never told is none", arguments: ["0-2", "1-0", "0-99999999999"])
  func unknown(place: String) throws {
    var store = EventStore(maxEvents: 10, maxBytes: 100)
    let stream = store.open()
    _ = store.append([1], to: stream)
    #expect(try texts(store, place) == nil)
  }

  @Test(
    "a text that is no place is refused",
    arguments: [
      "", "0", "0-", "-1", "0-1-2", "a-b", "00-1", "0-01", "+0-1", " 0-1", "0-99999999999999999999",
    ])
  func noPlace(text: String) { #expect(EventStore.ID(text) == nil) }

  @Test("past the number of events the oldest go, whichever stream they are of")
  func maxEvents() throws {
    var store = EventStore(maxEvents: 3, maxBytes: 100)
    let first = store.open()
    let second = store.open()
    for byte in UInt8(ascii: "a")...UInt8(ascii: "d") {
      _ = store.append([byte], to: byte % 2 == 0 ? first : second)
    }
    #expect(try texts(store, "1-0") == ["1-2 c"])
    #expect(try texts(store, "0-0") == ["0-1 b", "0-2 d"])
  }

  @Test("past the number of bytes the oldest go, and what is larger than all is not kept")
  func maxBytes() throws {
    var store = EventStore(maxEvents: 10, maxBytes: 4)
    let stream = store.open()
    _ = store.append(Array("aa".utf8), to: stream)
    _ = store.append(Array("bbb".utf8), to: stream)
    #expect(try texts(store, "0-0") == ["0-2 bbb"])
    #expect(store.append(Array("ccccc".utf8), to: stream).text == "0-3")
    #expect(try texts(store, "0-0") == ["0-2 bbb"])
    _ = store.append(Array("dddd".utf8), to: stream)
    #expect(try texts(store, "0-0") == ["0-4 dddd"])
  }

  @Test("a stream that has ended is forgotten with its last event")
  func end() throws {
    var store = EventStore(maxEvents: 2, maxBytes: 100)
    let first = store.open()
    let second = store.open()
    _ = store.append([1], to: first)
    store.end(first)
    #expect(try texts(store, "0-1") == [])
    _ = store.append([2], to: second)
    #expect(try texts(store, "0-1") == [])
    _ = store.append([3], to: second)
    #expect(try texts(store, "0-1") == nil)
    #expect(try texts(store, "1-2") == [], "one that goes on is not forgotten")
    // Nothing was ever sent on it.
    let third = store.open()
    store.end(third)
    #expect(try texts(store, "2-0") == nil)
  }

  @Test("a long life does not change what is kept")
  func longLife() throws {
    var store = EventStore(maxEvents: 5, maxBytes: 1000)
    let stream = store.open()
    for number in 1...10_000 { _ = store.append(Array(String(number).utf8), to: stream) }
    #expect(try texts(store, "0-9998") == ["0-9999 9999", "0-10000 10000"])
    #expect(try texts(store, "0-0")?.count == 5)
  }
}
