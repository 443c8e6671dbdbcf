import JSON
import Testing
import Transport
import Wire

@testable import mock_litellm

/// The faults as an HTTP client with a pool of connections meets them.
@Suite("faults as a client sees them")
struct ClientTests {
  private func withClient(_ body: (HTTPClient) async throws -> Void) async throws {
    let loop = try EventLoop(name: "client")
    loop.start()
    defer { loop.stop() }
    try await body(HTTPClient(loop: loop))
  }

  private func request(_ mock: RunningMock, stream: Bool = false) -> HTTPClientRequest {
    HTTPClientRequest(
      method: "POST", url: "http://127.0.0.1:\(mock.port("litellm"))/v1/chat/completions",
      headers: ["Authorization": "Bearer sk-1", "Content-Type": "application/json"],
      body: Array((stream ? RunningMock.streamed : RunningMock.chat).utf8))
  }

  private func failure(_ mock: RunningMock, _ client: HTTPClient, deadlines: Deadlines = Deadlines()) async
    -> String
  {
    do throws(HTTPClientError) {
      let answer = try await client.send(request(mock), deadlines: deadlines)
      return String(answer.status)
    } catch {
      return switch error {
      case .refused: "refused"
      case .reset: "reset"
      case .truncated: "truncated"
      case .firstByteTimeout: "first byte"
      default: "\(error)"
      }
    }
  }

  @Test("a kept connection meets every fault as what it is, then service again")
  func kinds() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try await withClient { client in
        #expect(await failure(mock, client) == "200")
        try mock.arm(
          #"{"litellm":[{"status":503,"times":1},{"reset":true,"times":1},{"truncate":5,"times":1},{"hang":true,"times":1}]}"#
        )
        #expect(await failure(mock, client) == "503")
        #expect(await failure(mock, client) == "reset")
        #expect(await failure(mock, client) == "truncated")
        #expect(
          await failure(mock, client, deadlines: Deadlines(firstByte: .milliseconds(100))) == "first byte")
        #expect(await failure(mock, client) == "200")
        try mock.arm(#"{"litellm":[{"refuse":true}]}"#)
        #expect(await failure(mock, client) == "refused")
        try mock.reset()
        #expect(await failure(mock, client) == "200")
        try mock.arm(#"{"litellm":[{"refuse":true,"times":1}]}"#)
        #expect(await failure(mock, client) == "reset")
        #expect(await failure(mock, client) == "200")
      }
    }
  }

  @Test("a stream comes in pieces, and ends with an error where it is cut")
  func streams() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      try await withClient { client in
        func read() async throws -> String {
          var text: [UInt8] = []
          for try await piece in try await client.stream(request(mock, stream: true)).body { text += piece }
          return String(decoding: text, as: UTF8.self)
        }
        #expect(try await read().hasSuffix("data: [DONE]\n\n"))
        try mock.arm(#"{"litellm":[{"truncate":30,"times":1},{"reset":true,"times":1}]}"#)
        await #expect(throws: HTTPClientError.self) { try await read() }
        await #expect(throws: HTTPClientError.self) { try await read() }
      }
    }
  }
}
