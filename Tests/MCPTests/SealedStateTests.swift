import JSON
import ProtocolSpec
import Testing

@testable import MCP

@Suite("State that a client carries")
struct SealedStateTests {
  let states = SealedState(key: [UInt8](repeating: 7, count: 32), lifetime: .seconds(60))
  let binding = ["tools/call", "a_tool"]
  let start = Timestamp(milliseconds: 1_800_000_000_000)

  @Test("it comes back as it was given")
  func opens() {
    let state: JSONValue = ["round": 1, "answers": ["name": "Zoë. \"x\"\n"], "none": .null]
    let sealed = states.seal(state, for: binding, at: start)
    #expect(states.open(sealed, for: binding, at: start) == state)
    #expect(states.open(sealed, for: binding, at: start.adding(.seconds(60))) == state)
  }

  @Test("it is refused for another request, after its time, and by another process")
  func refuses() {
    let sealed = states.seal(1, for: binding, at: start)
    #expect(states.open(sealed, for: ["tools/call", "b_tool"], at: start) == nil)
    #expect(states.open(sealed, for: ["prompts/get", "a_tool"], at: start) == nil)
    #expect(states.open(sealed, for: ["tools/call"], at: start) == nil)
    #expect(states.open(sealed, for: binding, at: start.adding(.seconds(61))) == nil)
    #expect(SealedState().open(sealed, for: binding, at: start) == nil)
  }

  @Test("whichever character is changed, it is refused")
  func changed() {
    let sealed = states.seal(["ok": true], for: binding, at: start)
    for index in sealed.indices {
      var changed = sealed
      let other: Character = sealed[index] == "0" ? "1" : "0"
      changed.replaceSubrange(index...index, with: [other])
      #expect(states.open(changed, for: binding, at: start) == nil, "\(changed)")
      #expect(states.open(String(sealed[..<index]), for: binding, at: start) == nil)
    }
    #expect(states.open(sealed + "-TAMPERED", for: binding, at: start) == nil)
    #expect(states.open(sealed.uppercased(), for: binding, at: start) == nil)
    for text in ["", ".", "..", "a.", "é.{}"] { #expect(states.open(text, for: binding, at: start) == nil) }
  }
}
