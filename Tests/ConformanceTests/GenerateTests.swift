import Conformance
import Foundation
import JSON
import ProtocolSpec
import Testing
import Transport
import YAML

@Suite("Generated cases")
struct GenerateTests {
  private static let suites = CaseGenerator.suites(Kit.spec, seed: 7)

  private static func transcript(_ id: String) throws -> TranscriptCase {
    let cases = try suites.flatMap { try $0.transcripts(Kit.spec) }
    return try #require(cases.first { $0.id == id })
  }

  @Test("every keyword of every params schema is tried")
  func keywords() { #expect(CaseGenerator.untried(Kit.spec) == []) }

  @Test("the same seed gives the same files, another seed others")
  func seeds() {
    let again = CaseGenerator.suites(Kit.spec, seed: 7).map(\.text)
    #expect(Self.suites.map(\.text) == again)
    #expect(CaseGenerator.suites(Kit.spec, seed: 8).map(\.text) != again)
  }

  @Test("every file is read as a transcript, and says in words what each line tries")
  func files() throws {
    for suite in Self.suites {
      let cases = try suite.transcripts(Kit.spec)
      #expect(cases.map(\.name) == suite.cases.map(\.id))
    }
    let list = try #require(Self.suites.first { $0.name == "params-list-tasks" }).text
    #expect(
      list.contains(
        """
          - server: {id: 2, error: {code: {$spec: invalid_params}, message: {$spec: invalid_params.text}, data: {path: /limit, keyword: minimum}}}
            why: "limit: -0"
        """))
  }

  @Test(
    "both sides of each limit are tried, counted in scalars",
    arguments: [
      ("description: {$repeat: x, times: 32768}", true), ("description: {$repeat: x, times: 32769}", false),
      ("description: {$repeat: \"🚀\", times: 32768}", true),
      ("description: {$repeat: \"🚀\", times: 32769}", false),
      ("description: {$repeat: \"e\\u0301\", times: 16384}", true),
      ("description: {$repeat: \"e\\u0301\", times: 16385}", false),
      ("idempotency_key: {$repeat: x, times: 128}", true),
      ("idempotency_key: {$repeat: x, times: 129}", false),
      ("limit: 500.00}", true), ("limit: 501}", false), ("limit: 1.5}", false), ("limit: 1.0}", true),
      ("limit: -0}", false),
    ])
  func limits(said: String, isServed: Bool) throws {
    let lines = Self.suites.flatMap { $0.text.split(separator: "\n") }
    let places = lines.indices.filter { lines[$0].contains("client: ") && lines[$0].contains(said) }
    #expect(!places.isEmpty)
    for place in places {
      let isRefused = lines[place + 1].contains("error") || lines[place + 1].contains("isError: true")
      #expect(isRefused == !isServed, "\(lines[place]) \(lines[place + 1])")
    }
  }

  @Test("a server that takes what it must refuse fails")
  func findsLeniency() async throws {
    // Answers everything with an empty result.
    let peer = try Peer(behaviour: { text, _ in
      guard let value = try? JSONParser.parse(text), let id = value["id"] else { return [] }
      return [.text(#"{"jsonrpc":"2.0","id":\#(id),"result":{}}"#)]
    })
    for id in [
      "params-create-task/jsonrpc-description-required-refused",
      "params-list-tasks/jsonrpc-limit-maximum-refused",
      "envelope-grammar/jsonrpc-no-ids", "envelope-grammar/jsonrpc-versions",
    ] {
      let target = Target(
        TargetDescription(url: peer.url), faces: nil, loop: peer.loop, children: Children(), inherited: [:])
      let player = Player(
        try Self.transcript(id), target: target, mock: nil, loop: peer.loop, settings: PlaySettings(seed: 1))
      guard case .failed = await player.play() else {
        Issue.record("\(id) passed against a server that refuses nothing")
        continue
      }
    }
  }
}
