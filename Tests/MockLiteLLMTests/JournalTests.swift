import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import Testing

@testable import mock_litellm

@Suite("the journal and the admin API")
struct JournalTests {
  @Test("a call is written down with its body, without its key")
  func call() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"status":500,"times":2}]}"#)
      _ = try mock.ask(
        "litellm", "POST /v1/chat/completions?a=1", headers: ["Authorization: Bearer sk-secret-1"],
        body: RunningMock.chat)
      _ = try mock.ask("direct", "GET /", headers: ["x-api-key: sk-secret-2"])
      let answer = try mock.ask("admin", "GET /_mock/journal", headers: [])
      #expect(!answer.text.contains("secret"))
      let journal = try answer.json
      let first = try #require(journal["calls"]?[0])
      #expect(first["n"] == 1 && first["face"] == "litellm" && first["method"] == "POST")
      #expect(first["path"] == "/v1/chat/completions" && first["query"] == "a=1")
      #expect(first["headers"]?["authorization"] == "Bearer ***")
      #expect(first["body"]?["model"] == "gpt-4o-mini")
      #expect(first["fault"] == ["status": 500, "times": 2])
      #expect(first["status"] == 500)
      #expect(first["at_ms"]?.double ?? -1 >= 0)
      #expect(journal["calls"]?[1]?["face"] == "direct")
      #expect(journal["count"] == 2)
      #expect(journal["pending"] == [["face": "litellm", "rule": ["status": 500, "times": 2], "left": 1]])
      #expect(journal["connections"] == ["litellm": 1, "direct": 1, "local": 0])
      #expect(try mock.journal("?after=1")["calls"]?.array?.count == 1)
      try mock.reset()
      #expect(try mock.journal()["calls"] == [])
      #expect(try mock.journal()["pending"] == [])
    }
  }

  @Test("a waiting call for the journal answers as soon as there is something new")
  func longPoll() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      _ = try mock.chat()
      let waiting = try #require(RawClient(port: mock.port("admin")))
      waiting.write(RunningMock.text("GET /_mock/journal?after=1&wait=60s"))
      _ = try mock.chat()
      let answer = try #require(HTTPAnswer(waiting.readAll().bytes))
      #expect(try answer.json["calls"]?.array?.count == 1)
      #expect(try answer.json["calls"]?[0]?["n"] == 2)
      #expect(try mock.journal("?after=2&wait=50ms")["calls"] == [])
    }
  }

  @Test("the oldest calls go, the count stays")
  func bound() {
    var journal = Journal(calls: 3, bytes: 1000)
    for number in 1...10 {
      let request = FaceRequest(method: "GET", path: "/\(number)")
      let ticket = journal.add(request, on: .litellm, atMilliseconds: 0, fault: nil)
      journal.setStatus(200 + number, of: ticket)
    }
    let members = journal.members(after: 0)
    #expect(members["count"] == 10)
    #expect(members["calls"]?.array?.map { $0["n"] } == [8, 9, 10])
    #expect(members["calls"]?.array?.map { $0["status"] } == [208, 209, 210])
    #expect(journal.members(after: 9)["calls"]?.array?.map { $0["path"] } == ["/10"])
    #expect(journal.members(after: 10)["calls"] == [])
    #expect(journal.members(after: 99)["calls"] == [])
    _ = journal.add(
      FaceRequest(method: "GET", path: "/", body: Array(repeating: 1, count: 2000)), on: .local,
      atMilliseconds: 0, fault: nil)
    #expect(journal.members(after: 0)["calls"]?.array?.count == 1)
  }

  @Test("a status that comes after a reset changes nothing")
  func lateStatus() {
    var journal = Journal()
    let ticket = journal.add(
      FaceRequest(method: "GET", path: "/"), on: .litellm, atMilliseconds: 0, fault: nil)
    journal.reset()
    _ = journal.add(FaceRequest(method: "GET", path: "/"), on: .litellm, atMilliseconds: 0, fault: nil)
    journal.setStatus(500, of: ticket)
    #expect(journal.members(after: 0)["calls"]?[0]?["status"] == .null)
  }

  @Test(
    "what cannot be armed is refused with the member that is wrong, and nothing is armed",
    arguments: [
      (
        #"{"litellm":[{"status":500},{"status":700}]}"#,
        "/litellm/1/status: a status from 200 to 599 is expected, not 700"
      ),
      (#"{"litelm":[]}"#, #"/litelm: unknown face "litelm", did you mean "litellm"?"#),
      (#"{"litellm":{}}"#, "/litellm: a list of rules is expected"),
      ("[]", #"an object of face and rules is expected, such as {"litellm":[…]}"#),
      ("{", "not JSON: a key in double quotes is expected: line 1 column 2"),
    ])
  func badRules(text: String, message: String) async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let answer = try mock.arm(text)
      #expect(answer.status == 400)
      #expect(try answer.json["error"]?.string == message)
      #expect(try mock.chat().status == 200)
    }
  }

  @Test("the admin API stands under the same paths on every face, and knows nothing else")
  func paths() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      for face in ["litellm", "direct", "local"] {
        #expect(try mock.ask(face, "GET /_mock/journal").json["calls"] == [])
      }
      #expect(try mock.ask("admin", "GET /").status == 404)
      #expect(try mock.ask("admin", "GET /_mock/reset").status == 405)
      #expect(try mock.ask("admin", "GET /_mock/journal?after=x").status == 400)
      #expect(try mock.ask("admin", "GET /_mock/journal?wait=2h").status == 400)
    }
  }

  @Test("requests are logged at debug, without keys")
  func logged() async throws {
    let sink = MemorySink()
    var options = Options()
    options.apiKey = "sk-very-secret"
    let log = Log(level: .debug, sink: sink, secrets: ["sk-very-secret"])
    try await RunningMock.run(options, log: log) { (mock: RunningMock) async throws in
      _ = try mock.ask(headers: ["Authorization: Bearer sk-very-secret"], body: RunningMock.chat)
      log.info("the key is sk-very-secret", ["authorization": "Bearer x-1"])
    }
    let lines = try sink.lines.map { try JSONParser.parse($0) }
    #expect(lines.contains { $0["msg"] == "request" && $0["status"] == 200 && $0["level"] == "debug" })
    #expect(lines.contains { $0["msg"] == "the key is ***" && $0["authorization"] == "Bearer ***" })
    #expect(!sink.lines.joined().contains("very-secret"))
  }

  @Test("a log line is one JSON object with time, level, message and fields")
  func logLine() {
    let sink = MemorySink()
    let log = Log(sink: sink, now: { Timestamp(milliseconds: 1_709_164_799_123) })
    log.info("said\nhello", ["n": 1, "msg": "not this", "x-api-key": "abcdef"])
    log.debug("not shown")
    #expect(
      sink.lines == [
        #"{"ts":"2024-02-28T23:59:59.123Z","level":"info","msg":"said\nhello","n":1,"x-api-key":"***"}"#
      ])
  }
}
