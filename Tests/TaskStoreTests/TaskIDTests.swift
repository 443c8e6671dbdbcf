import Foundation
import Testing

@testable import TaskStore

extension TaskIDs {
  func number(of id: String) -> Int64? { Array(id.utf8).withUnsafeBytes { number(of: $0) } }
}

@Suite("Ids of tasks")
struct TaskIDTests {
  let ids: TaskIDs

  init() throws { ids = try #require(TaskIDs(key: TaskIDs.newKey())) }

  @Test("are UUIDs of version 4 in which the number stands", arguments: [1, 2, 4095, 4096, 1 << 40, 1 << 59])
  func roundTrip(number: Int64) throws {
    for nonce in [0, 1, .max, UInt64.random(in: .min ... .max)] {
      let id = ids.id(of: number, nonce: nonce)
      #expect(UUID(uuidString: id)?.uuidString.lowercased() == id)
      let characters = Array(id)
      #expect(characters[14] == "4" && "89ab".contains(characters[19]))
      #expect(ids.number(of: id) == number)
    }
  }

  @Test("tell nothing without the key")
  func otherKey() throws {
    let other = try #require(TaskIDs(key: TaskIDs.newKey()))
    let numbers = (1...100).map { other.number(of: ids.id(of: $0, nonce: 7)) }
    #expect(numbers != (1...100).map { Int64($0) })
    #expect(ids.id(of: 1, nonce: 1).prefix(8) != ids.id(of: 1, nonce: 2).prefix(8))
  }

  @Test(
    "of another form are none",
    arguments: [
      "", "nobody", "01234567-89ab-4def-8123-456789abcde", "01234567-89AB-4def-8123-456789abcdef",
      "01234567-89ab-1def-8123-456789abcdef", "01234567-89ab-4def-c123-456789abcdef",
      "01234567x89ab-4def-8123-456789abcdef", "0123456789ab-4def-8123-456789abcdef-",
    ])
  func foreign(id: String) { #expect(ids.number(of: id) == nil) }

  @Test("are hidden by SipHash-2-4, with its published values")
  func sipHash() throws {
    // The eighth vector of the authors' reference code: key 00…0f, input 00…07.
    let ids = try #require(TaskIDs(key: "07060504030201000f0e0d0c0b0a0908"))
    #expect(ids.hash(0x0706_0504_0302_0100) == 0x93f5_f579_9a93_2462)
  }

  @Test("a key is 32 hexadecimal digits", arguments: ["", "0", String(repeating: "x", count: 32)])
  func badKeys(key: String) { #expect(TaskIDs(key: key) == nil) }
}
