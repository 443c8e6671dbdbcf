import Conformance
import JSON
import Testing
import Transport
import Wire

@Suite("What is recorded of Streamable HTTP")
struct HTTPRecorderTests {
  /// A target of one's choice behind the recorder, and a client of both.
  private struct Stage {
    let loop: EventLoop
    let target: HTTPServer
    let proxy: HTTPProxy
    let log: RecordingLog
    let client: HTTPClient

    init(_ handler: @escaping @Sendable (HTTPExchange) -> Void) throws {
      loop = try EventLoop(name: "http-recorder")
      loop.start()
      target = HTTPServer(listener: try Listener(loop: loop, host: "127.0.0.1", port: 0), handler: handler)
      target.start()
      log = RecordingLog(over: .http)
      proxy = try HTTPProxy(
        target: try HTTPURL("http://127.0.0.1:\(target.port)/mcp"), on: loop,
        tap: StreamableHTTPTap(log, path: "/mcp"))
      proxy.start()
      client = HTTPClient(loop: loop)
    }

    @discardableResult
    func send(
      _ method: String, _ body: String = "", path: String = "/mcp", headers: HTTPHeaders = []
    ) async throws -> HTTPClientResponse {
      try await client.send(
        HTTPClientRequest(method: method, url: proxy.url + path, headers: headers, body: Array(body.utf8)))
    }

    /// The steps of the transcript, each on a line.
    func steps() throws -> [String] {
      let recorder = Recorder(
        spec: Kit.spec, options: RecordingOptions(suite: "test"), secrets: NamedSecrets(environment: [:]))
      let text = try recorder.transcript(log.result).text
      #expect(text.contains("  transports: [http]\n"))
      return text.split(separator: "\n").map(String.init).filter { line in
        ["- client: ", "- server: ", "- conn: ", "conn: ", "status: "].contains {
          line.drop { $0 == " " }.hasPrefix($0)
        }
      }.map { String($0.drop { $0 == " " }) }
    }
  }

  private static let json: HTTPHeaders = ["Content-Type": "application/json"]
  private static let events: HTTPHeaders = ["Content-Type": "text/event-stream"]

  @Test("headers pass but for what belongs to the connection, and other paths are not written")
  func headers() async throws {
    let stage = try Stage { exchange in
      let head = exchange.request.head
      var headers = Self.json
      headers.append("X-Host", head.headers["Host"] ?? "")
      headers.append("X-Origin", head.headers["Origin"] ?? "")
      headers.append("X-Key", head.headers["Authorization"] ?? "")
      headers.append("X-Encoding", head.headers["Accept-Encoding"] ?? "none")
      exchange.respond(status: 200, headers: headers, text: #"{"jsonrpc":"2.0","id":1,"result":{}}"#)
    }
    defer { stage.loop.stop() }
    let answer = try await stage.send(
      "POST", #"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
      headers: [
        "Origin": stage.proxy.url, "Authorization": "Bearer key-nobody-may-see", "Accept-Encoding": "gzip",
      ])
    let own = "127.0.0.1:\(stage.target.port)"
    #expect(answer.headers["X-Host"] == own && answer.headers["X-Origin"] == "http://\(own)")
    #expect(answer.headers["X-Key"] == "Bearer key-nobody-may-see" && answer.headers["X-Encoding"] == "none")
    try await stage.send("GET", path: "/.well-known/oauth-protected-resource")
    #expect(
      try stage.steps() == [
        "- client: {id: {$type: id, $as: id1, $say: 1}, method: ping}",
        "- server: {id: {$ref: id1}, result: {}}",
      ])
  }

  @Test("a session is one connection, and an answer that is no 200 has its status")
  func sessions() async throws {
    let stage = try Stage { exchange in
      let body = (try? JSONParser.parse(exchange.request.body)) ?? .null
      let id = body["id"].map { JSONWriter.text($0) } ?? "null"
      switch body["method"]?.string {
      case "initialize":
        var headers = Self.json
        headers.append("Mcp-Session-Id", "s-\(id)")
        let result = #"{"protocolVersion":"2025-06-18","capabilities":{}}"#
        exchange.respond(
          status: 200, headers: headers, text: #"{"jsonrpc":"2.0","id":\#(id),"result":\#(result)}"#)
      case "ping":
        exchange.respond(
          status: 200, headers: Self.json, text: #"{"jsonrpc":"2.0","id":\#(id),"result":{}}"#)
      default:
        let error = #"{"code":-32600,"message":"no"}"#
        exchange.respond(
          status: 400, headers: Self.json, text: #"{"jsonrpc":"2.0","id":\#(id),"error":\#(error)}"#)
      }
    }
    defer { stage.loop.stop() }
    for id in [1, 2] {
      try await stage.send("POST", #"{"jsonrpc":"2.0","id":\#(id),"method":"initialize","params":{}}"#)
    }
    for (id, session) in [(3, 1), (4, 2), (5, 1)] {
      let method = id == 5 ? "nope" : "ping"
      try await stage.send(
        "POST", #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)"}"#,
        headers: ["Mcp-Session-Id": "s-\(session)"])
    }
    let steps = try stage.steps()
    #expect(steps.filter { $0 == "conn: b" }.count == 2 || steps.contains { $0.contains("id4") })
    #expect(steps.contains("status: 400"))
  }

  @Test("events that are told again when a stream is taken up are written once")
  func resumed() async throws {
    let stage = try Stage { exchange in
      exchange.begin(status: 200, headers: Self.events)
      var bytes: [UInt8] = []
      let isAgain = exchange.request.head.headers["Last-Event-ID"] != nil
      let note = Array(#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"once"}}"#.utf8)
      ServerSentEventEncoder.append(data: note, id: "e1", to: &bytes)
      if isAgain {
        let answer = Array(#"{"jsonrpc":"2.0","id":1,"result":{}}"#.utf8)
        ServerSentEventEncoder.append(data: answer, id: "e2", to: &bytes)
      }
      exchange.write(bytes)
      exchange.finish()
    }
    defer { stage.loop.stop() }
    try await stage.send("POST", #"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
    try await stage.send("GET", headers: ["Last-Event-ID": "e0"])
    let steps = try stage.steps()
    #expect(steps.filter { $0.contains("once") }.count == 1)
    #expect(steps.contains { $0.contains("result: {}") })
  }

  @Test("a target that has gone is answered with 502, and said")
  func gone() async throws {
    let stage = try Stage { $0.reset() }
    defer { stage.loop.stop() }
    let answer = try await stage.send("POST", #"{"jsonrpc":"2.0","id":1,"method":"ping"}"#)
    #expect(answer.status == 502)
    #expect(stage.log.unreachable.count == 1)
  }
}
