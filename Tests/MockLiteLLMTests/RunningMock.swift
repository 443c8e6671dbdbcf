import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import Testing
import YAML

@testable import mock_litellm

let specification: Result<Specification, SourceError> = Result { () throws(SourceError) in
  try Specification.load()
}

/// A mock on free ports, and requests to it.
struct RunningMock {
  let mock: Mock
  private let ports: JSONValue

  /// Runs `body` against a mock and stops it.
  static func run(
    _ options: Options = Options(), scenario: String? = nil, replays: [MockFace: Replay] = [:],
    log: Log = Log(sink: MemorySink()),
    _ body: (RunningMock) async throws -> Void
  ) async throws {
    var options = options
    (options.port, options.directPort, options.localPort, options.adminPort) = (0, 0, 0, 0)
    let spec = try specification.get()
    let parsed = try scenario.map { try Scenario(YAMLParser.parse($0, file: "s.yaml"), spec: spec) }
    let mock = try Mock(options, scenario: parsed, replays: replays, spec: spec, log: log)
    mock.begin()
    do {
      try await body(RunningMock(mock: mock, ports: mock.addresses(host: "127.0.0.1")))
    } catch {
      await mock.stop()
      throw error
    }
    await mock.stop()
  }

  func port(_ name: String) -> Int {
    ports[name]?.string.flatMap { URL(string: $0)?.port } ?? 0
  }

  static let chat = #"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#
  static let streamed =
    #"{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}"#
  static let message =
    #"{"model":"claude-3-5-sonnet","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#

  static func text(
    _ line: String, headers: [String] = ["Authorization: Bearer sk-test"], body: String = "",
    keepAlive: Bool = false
  ) -> String {
    var lines = ["\(line) HTTP/1.1", "Host: localhost"] + headers
    if !keepAlive { lines.append("Connection: close") }
    if !body.isEmpty { lines.append("Content-Length: \(body.utf8.count)") }
    return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
  }

  /// Sends a request on a connection of its own and gives the bytes of the answer.
  func raw(_ face: String, _ text: String) throws -> (bytes: [UInt8], end: RawClient.End) {
    let client = try #require(RawClient(port: port(face)), "\(face) refuses connections")
    client.write(text)
    return client.readAll()
  }

  func ask(
    _ face: String = "litellm", _ line: String = "POST /v1/chat/completions",
    headers: [String] = ["Authorization: Bearer sk-test"], body: String = ""
  ) throws -> HTTPAnswer {
    try #require(HTTPAnswer(raw(face, Self.text(line, headers: headers, body: body)).bytes))
  }

  func chat() throws -> HTTPAnswer { try ask(body: Self.chat) }

  @discardableResult
  func arm(_ rules: String) throws -> HTTPAnswer {
    try ask("admin", "POST /_mock/arm", headers: [], body: rules)
  }

  func reset() throws { _ = try ask("admin", "POST /_mock/reset", headers: []) }

  func journal(_ query: String = "") throws -> JSONValue {
    try ask("admin", "GET /_mock/journal\(query)", headers: []).json
  }
}

extension HTTPAnswer {
  var json: JSONValue {
    get throws { try JSONParser.parse(body) }
  }
}
