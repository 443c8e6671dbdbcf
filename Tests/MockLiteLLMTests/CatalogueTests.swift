import Foundation
import JSON
import ProtocolSpec
import Testing

@testable import mock_litellm

/// Every fault of the specification as a client meets it on a connection of its own.
@Suite("the faults of the specification")
struct CatalogueTests {
  private func meet(_ name: String, _ body: String = RunningMock.chat) async throws -> (
    bytes: [UInt8], end: RawClient.End
  ) {
    var seen: (bytes: [UInt8], end: RawClient.End) = ([], .timedOut)
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"fault":"\#(name)","times":1}]}"#)
      // A reset may already meet the connect.
      if let client = RawClient(port: mock.port("litellm")) {
        client.write(RunningMock.text("POST /v1/chat/completions", body: body))
        seen = client.readAll()
      } else {
        seen = ([], .reset)
      }
      // Once only: the next one is served.
      #expect(try mock.ask(body: body).status == 200)
    }
    return seen
  }

  @Test("there are enough of them, each with a sentence about the wire")
  func complete() throws {
    let faults = try specification.get().faults
    #expect(faults.count >= 60)
    #expect(faults.allSatisfy { !$0.wire.isEmpty && !$0.must.isEmpty })
  }

  /// Those that answer with a status at any time.
  private static let answering = (try? specification.get())?.faults.filter {
    $0.arm["status"] != nil && $0.arm["for"] == nil
  }

  @Test("statuses", arguments: answering ?? [])
  func statuses(fault: FaultSpec) async throws {
    let status = try #require(fault.arm["status"]?.int)
    try await RunningMock.run { (mock: RunningMock) async throws in
      try mock.arm(#"{"litellm":[{"fault":"\#(fault.name)"}],"direct":[{"fault":"\#(fault.name)"}]}"#)
      let line = fault.arm["on"]?.string ?? "POST /v1/chat/completions"
      let body = fault.arm["on"] == nil ? RunningMock.chat : ""
      var statuses: Set<Int> = []
      for _ in 0..<(fault.arm["probability"] == nil ? 1 : 40) {
        let answer = try mock.ask("litellm", line, body: body)
        statuses.insert(answer.status)
        guard answer.status >= 400, fault.arm["body"] == nil else { continue }
        let error = try #require(try answer.json["error"])
        #expect(error["code"]?.string == String(status))
        if let type = fault.arm["type"] { #expect(error["type"] == type) }
      }
      #expect(statuses.contains(status))
      guard fault.arm["on"] == nil, fault.arm["probability"] == nil else { return }
      let direct = try mock.ask(
        "direct", "POST /v1/messages", headers: ["x-api-key: k", "anthropic-version: 2023-06-01"],
        body: RunningMock.message)
      #expect(direct.status == status)
    }
  }

  @Test(
    "connections that end too early",
    arguments: [
      ("reset-on-accept", "", .reset), ("close-on-accept", "", .closed), ("reset", "", .reset),
      ("close-without-answer", "", .closed), ("close-in-status-line", "HTTP/1.1 2", .closed),
      ("close-in-head", "HTTP/1.1 200 OK\r\nvary: Origin\r\ncontent-ty", .closed),
      ("reset-in-head", "HTTP/1.1 200 OK\r\nvary: Origin\r\ncontent-ty", .reset),
      ("no-http", "220 mail.example.org ESMTP\r\n", .closed),
    ] as [(String, String, RawClient.End)])
  func connections(name: String, text: String, end: RawClient.End) async throws {
    let seen = try await meet(name)
    #expect(String(decoding: seen.bytes, as: UTF8.self) == text)
    // What the client sent unread, its kernel may answer with either.
    if name != "close-on-accept" { #expect(seen.end == end) }
  }

  @Test(
    "bodies that end too early",
    arguments: [
      ("close-after-head", .closed), ("reset-after-head", .reset), ("reset-in-body", .reset),
      ("truncated-body", .closed),
    ] as [(String, RawClient.End)])
  func bodies(name: String, end: RawClient.End) async throws {
    let seen = try await meet(name)
    let answer = try #require(HTTPAnswer(seen.bytes))
    #expect(answer.status == 200 && !answer.isComplete)
    #expect(answer.body.isEmpty == name.hasSuffix("head"))
    #expect(seen.end == end)
  }

  @Test(
    "bodies of 200 that are no completion",
    arguments: [
      ("empty-body", "application/json", ""), ("json-array", "application/json", "[]"),
      ("json-scalar", "application/json", "42"), ("html-200", "text/html; charset=utf-8", nil),
      ("error-200", "application/json", nil), ("no-choices", "application/json", nil),
    ] as [(String, String, String?)])
  func wrongBodies(name: String, type: String, body: String?) async throws {
    let answer = try #require(HTTPAnswer(try await meet(name).bytes))
    #expect(answer.status == 200 && answer.isComplete)
    #expect(answer["content-type"] == type)
    if let body { #expect(answer.text == body) }
    if let json = try? answer.json { #expect(json["choices"] == nil) }
  }

  @Test("a body larger than any client should take")
  func oversized() async throws {
    let answer = try #require(HTTPAnswer(try await meet("oversized-body").bytes))
    #expect(answer.body.count > 32 << 20)
    #expect(answer["content-length"] == String(answer.body.count))
  }

  @Test(
    "completions with the wrong thing in them",
    arguments: [
      ("empty-choices", "/choices", []), ("null-content", "/choices/0/message/content", .null),
      ("empty-text", "/choices/0/message/content", ""),
      ("broken-tool-call", "/choices/0/message/tool_calls/0/function/arguments", #"{"path": "/tm"#),
      ("content-filter", "/choices/0/finish_reason", "content_filter"),
      ("finish-length", "/choices/0/finish_reason", "length"), ("no-usage", "/usage", nil),
      ("wrong-model", "/model", "another-model"),
    ] as [(String, String, JSONValue?)])
  func semantics(name: String, pointer: String, value: JSONValue?) async throws {
    let answer = try #require(HTTPAnswer(try await meet(name).bytes))
    #expect(answer.status == 200)
    let place = try #require(JSONPointer(pointer))
    #expect(try answer.json[place] == value)
    // A stream carries the same.
    let stream = try #require(HTTPAnswer(try await meet(name, RunningMock.streamed).bytes))
    #expect(stream.events.last == "[DONE]")
    if name == "wrong-model" { #expect(stream.events[0].contains(#""model":"another-model""#)) }
    if name == "finish-length" { #expect(stream.text.contains(#""finish_reason":"length""#)) }
    if name == "broken-tool-call" { #expect(stream.text.contains(#"{\"path\": \"/tm"#)) }
  }

  @Test("a Retry-After as a date lies as far ahead as told", arguments: ["http-429-date", "http-503-date"])
  func dates(name: String) async throws {
    let before = Date()
    let answer = try #require(HTTPAnswer(try await meet(name).bytes))
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(identifier: "GMT")
    format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss zzz"
    let date = try #require(format.date(from: answer["retry-after"] ?? ""))
    #expect(date >= before.addingTimeInterval(2))
  }
}
