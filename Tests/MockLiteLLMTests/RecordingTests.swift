import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import Testing
import YAML

@testable import mock_litellm

@Suite("recording and replay")
struct RecordingTests {
  private static let key = "Authorization: Bearer sk-very-secret-1"

  private static func request(_ line: String, _ body: String = "") -> String {
    RunningMock.text(line, headers: [key], body: body)
  }

  /// What a recorder at `mock` writes down while `ask` talks to it, and the answers.
  private static func record(
    before mock: RunningMock, _ requests: [String]
  ) async throws -> (file: String, answers: [(bytes: [UInt8], end: RawClient.End)]) {
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).yaml").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    var options = RecordOptions()
    options.upstream = "http://127.0.0.1:\(mock.port("litellm"))"
    (options.output, options.port) = (path, 0)
    let recorder = try Recorder(options, log: Log(sink: MemorySink()))
    recorder.begin()
    var answers: [(bytes: [UInt8], end: RawClient.End)] = []
    for request in requests {
      let client = try #require(RawClient(port: Int(recorder.port)))
      client.write(request)
      answers.append(client.readAll())
    }
    await recorder.stop(within: .seconds(20))
    return (try String(contentsOfFile: path, encoding: .utf8), answers)
  }

  private static func replaying(
    _ file: String, _ body: (RunningMock) async throws -> Void
  ) async throws {
    let replay = Replay(try RecordedCall.all(YAMLParser.parse(file, file: "calls.yaml")))
    try await RunningMock.run(replays: [.litellm: replay], body)
  }

  private static let requests = [
    request("POST /v1/chat/completions", RunningMock.chat),
    request("POST /v1/chat/completions", RunningMock.streamed), request("GET /v1/models?a=1"),
    request("POST /v1/chat/completions", RunningMock.chat), request("GET /nowhere"),
  ]

  @Test("what was recorded is replayed: status, headers and bytes of each call, in its turn")
  func roundTrip() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let (file, recorded) = try await Self.record(before: mock, Self.requests)
      #expect(!file.contains("very-secret"))
      let original = try recorded.map { try #require(HTTPAnswer($0.bytes)) }
      #expect(original.map(\.status) == [200, 200, 200, 200, 404])
      #expect(original[0].body != original[3].body, "each completion has an id of its own")
      try await Self.replaying(file) { replay in
        for _ in 0..<2 {
          for (request, answer) in zip(Self.requests, original) {
            let again = try #require(HTTPAnswer(replay.raw("litellm", request).bytes))
            #expect(again.status == answer.status)
            #expect(again.body == answer.body)
            #expect(again["content-type"] == answer["content-type"])
            #expect(again["x-litellm-version"] == answer["x-litellm-version"])
          }
          try replay.reset()
        }
        // The last answer stays when all were given.
        _ = try replay.raw("litellm", Self.requests[0])
        for _ in 0..<3 { #expect(try replay.chat().body == original[3].body) }
        let missing = try replay.ask(body: RunningMock.chat.replacing("hi", with: "ho"))
        #expect(missing.status == 404)
        let text = try missing.json["error"]?["message"]?.string
        #expect(
          text
            == "no answer is recorded for POST /v1/chat/completions with this body; 3 with other bodies are")
        #expect(try replay.ask("direct", "GET /").status == 200)
      }
    }
  }

  @Test("a stream comes in its pieces and no faster than it was")
  func pace() async throws {
    let file = """
      format: 1
      upstream: "http://127.0.0.1:1"
      calls:
      - request: {"method":"POST","target":"/v1/chat/completions","headers":{},"body":{"stream":true}}
        answer: {"status":200,"headers":{"content-type":"text/event-stream"}}
        pieces:
        - {"after_ms":20,"text":"data: 1\\n\\n"}
        - {"after_ms":120.5,"base64":"ZGF0YTogMgoK"}
      """
    try await Self.replaying(file) { mock in
      let start = ContinuousClock.now
      let answer = try mock.raw(
        "litellm", Self.request("POST /v1/chat/completions", #"{ "stream": true }"#))
      #expect(ContinuousClock.now - start >= .milliseconds(120))
      let text = String(decoding: answer.bytes, as: UTF8.self)
      #expect(text.hasSuffix("9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n"))
      let metrics = try mock.ask("admin", "GET /metrics", headers: []).text
      #expect(metrics.contains("mock_litellm_streams_open{face=\"litellm\"} 0\n"))
    }
  }

  @Test("answers that break are recorded and break again")
  func broken() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"truncate":10,"times":1},{"reset":true,"times":1}]}"#)
      let (file, recorded) = try await Self.record(before: mock, [Self.requests[0], Self.requests[0]])
      let cut = try #require(HTTPAnswer(recorded[0].bytes))
      #expect(recorded[1].bytes.isEmpty)
      try await Self.replaying(file) { replay in
        let again = try #require(HTTPAnswer(replay.raw("litellm", Self.requests[0]).bytes))
        #expect(again.body == cut.body && again["content-length"] == cut["content-length"])
        #expect(try replay.raw("litellm", Self.requests[0]).bytes.isEmpty)
      }
    }
  }

  @Test("faults go before recorded answers, and spoil them")
  func faults() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let (file, _) = try await Self.record(before: mock, [Self.requests[0]])
      try await Self.replaying(file) { replay in
        try replay.arm(#"{"litellm":[{"status":503,"times":1},{"headers":{"x-odd":"1"},"times":1}]}"#)
        #expect(try replay.chat().status == 503)
        let answer = try replay.chat()
        #expect(answer.status == 200 && answer["x-odd"] == "1")
        #expect(try answer.json["object"] == "chat.completion")
      }
    }
  }

  @Test("nobody listens at the upstream: 502, and nothing is recorded")
  func unreachable() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"fault":"refuse"}]}"#)
      let (file, answers) = try await Self.record(before: mock, [Self.requests[0]])
      #expect(HTTPAnswer(answers[0].bytes)?.status == 502)
      #expect(try RecordedCall.all(YAMLParser.parse(file, file: "f")).isEmpty)
    }
  }

  @Test("a key is masked wherever it stands, also between two pieces")
  func secrets() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).yaml").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let file = try RecordingFile(path, upstream: "http://a")
    func piece(_ text: String) -> RecordedCall.Piece {
      RecordedCall.Piece(after: .milliseconds(1), bytes: Array(text.utf8))
    }
    try file.add(
      RecordedCall(
        method: "POST", target: "/x?key=topsecret1", requestHeaders: [("X-Api-Key", "topsecret1")],
        requestBody: ["user": "I am topsecret1"], status: 401, headers: [("x-echo", "topsecret1")],
        pieces: [piece("your topse"), piece("cret1 is bad\u{2028}\u{7F}😀")], isCut: false))
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(!text.contains("topse"))
    let call = try #require(try RecordedCall.all(YAMLParser.parse(text, file: "f")).first)
    #expect(call.target == "/x?key=***" && call.requestBody == ["user": "I am ***"])
    #expect(String(decoding: call.body, as: UTF8.self) == "your *** is bad\u{2028}\u{7F}😀")
  }

  @Test(
    "a body is the recorded one where only secrets differ",
    arguments: [
      (#"{"a":[1,"x"]}"#, #"{"a":[1,"x"]}"#, true), (#"{"a":1,"b":2}"#, #"{"a":1}"#, false),
      (#"{"a":1}"#, #"{"a":1,"b":2}"#, false), (#"["key 123, and 4"]"#, #"["key ***, and ***"]"#, true),
      (#"["key 123"]"#, #"["key ***!"]"#, false), (#"["a"]"#, #"["aa***a"]"#, false),
      (#"["aa"]"#, #"["a***a"]"#, true), ("[1]", "[1,2]", false), ("null", "null", true),
    ])
  func matching(body: String, recorded: String, isSame: Bool) throws {
    #expect(Replay.matches(try JSONParser.parse(body), recorded: try JSONParser.parse(recorded)) == isSame)
  }

  @Test(
    "what is no recording is refused with its place",
    arguments: [
      ("format: 2\ncalls:\n", "f:1:9: format 2 is not known, this is for 1"),
      (
        "format: 1\nupstream: a\ncalls:\n- {request: {method: GET}, answer: {}}\n",
        #"f:4:13: the key "target" is missing"#
      ),
      (
        "format: 1\ncalls:\n- {request: {method: GET, target: /}, answer: {status: 200}, pieces: [{base64: '='}]}\n",
        "f:3:80: no base64"
      ),
    ])
  func badFile(text: String, message: String) {
    #expect {
      try RecordedCall.all(YAMLParser.parse(text, file: "f"))
    } throws: { error in
      "\(error)".hasPrefix(message)
    }
  }

  @Test(
    "wrong options of record in one clear line",
    arguments: [
      (["record"], "record needs --upstream"),
      (["record", "--upstream", "http://a:1"], "record needs --output"),
      (
        ["record", "--upstream", "https://a", "--output", "f"],
        "--upstream takes http://host:port without a path and without TLS, not https://a"
      ),
      (["record", "--outptu", "f"], #"unknown option "--outptu", did you mean "--output"?"#),
    ])
  func options(arguments: [String], message: String) {
    #expect { try Command.parse(arguments) } throws: { "\($0)" == message }
  }
}
