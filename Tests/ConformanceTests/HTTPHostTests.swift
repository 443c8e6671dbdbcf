import Conformance
import JSON
import Testing
import Transport
import Wire

@Suite("a server of Streamable HTTP that judges its clients")
struct HTTPHostTests {
  /// A host with one client, and what is told of it.
  private struct Stage {
    let loop: EventLoop
    let host: HTTPHost
    let client: HTTPClient
    private static let limit = Duration.seconds(20)

    init() throws {
      loop = try EventLoop(name: "http-host")
      loop.start()
      host = try HTTPHost(loop: loop)
      client = HTTPClient(loop: loop)
    }

    func request(_ method: String, _ body: String = "", session: String? = nil) -> HTTPClientRequest {
      var headers: HTTPHeaders = ["Accept": "application/json, text/event-stream"]
      if !body.isEmpty { headers.append("Content-Type", "application/json") }
      if let session {
        headers.append("Mcp-Session-Id", session)
        headers.append("MCP-Protocol-Version", "2025-11-25")
      }
      return HTTPClientRequest(method: method, url: host.url, headers: headers, body: Array(body.utf8))
    }

    func send(_ request: HTTPClientRequest) -> Task<HTTPClientResponse, any Error> {
      let client = client
      return Task { try await client.send(request) }
    }

    func next() async throws -> GuestEvent { try #require(await host.next(within: Self.limit)) }

    func arrival() async throws -> any Guest {
      guard case .arrived(let guest) = try await next() else { throw Surprise() }
      guest.accept(subprotocol: nil, headers: [])
      return guest
    }

    /// The text of the next message.
    func text() async throws -> String {
      guard case .received(_, .message(.text, let bytes), _) = try await next() else { throw Surprise() }
      return String(decoding: bytes, as: UTF8.self)
    }

    /// A client whose session has begun.
    func begun() async throws -> (guest: any Guest, session: String) {
      let answer = send(request("POST", HTTPHostTests.initialize))
      let guest = try await arrival()
      _ = try await text()
      guest.say(#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}"#)
      return (guest, try #require(try await answer.value.headers["Mcp-Session-Id"]))
    }
  }

  private struct Surprise: Error {}

  private static let initialize = #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#
  private static let ping = #"{"jsonrpc":"2.0","id":7,"method":"ping"}"#
  private static let pong = #"{"jsonrpc":"2.0","id":7,"result":{}}"#

  @Test("answers come as JSON and as events by turns, with what belongs to them before")
  func answers() async throws {
    let stage = try Stage()
    defer { stage.loop.stop() }
    let (guest, session) = try await stage.begun()
    var kinds: [String] = []
    for _ in 0..<2 {
      let answer = stage.send(stage.request("POST", Self.ping, session: session))
      #expect(try await stage.text() == Self.ping)
      guest.say(Self.pong)
      let response = try await answer.value
      kinds.append(response.headers["Content-Type"] ?? "")
      #expect(String(decoding: response.body, as: UTF8.self).contains(Self.pong))
    }
    #expect(kinds.sorted() == ["application/json", "text/event-stream"])
    let answer = stage.send(stage.request("POST", Self.ping, session: session))
    _ = try await stage.text()
    let note = #"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#
    guest.say(note)
    guest.say(Self.pong)
    let body = String(decoding: try await answer.value.body, as: UTF8.self)
    #expect(body == "event: message\ndata: \(note)\n\nevent: message\ndata: \(Self.pong)\n\n")
  }

  @Test("what belongs to no request waits for the stream of a GET")
  func listening() async throws {
    let stage = try Stage()
    defer { stage.loop.stop() }
    let (guest, session) = try await stage.begun()
    let changed = #"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#
    guest.say(changed)
    let stream = try await stage.client.stream(stage.request("GET", session: session))
    #expect(stream.headers["Content-Type"] == "text/event-stream")
    var text = ""
    for try await piece in stream.body {
      text += String(decoding: piece, as: UTF8.self)
      if text.hasSuffix("\n\n") { break }
    }
    #expect(text == "event: message\ndata: \(changed)\n\n")
    // One stream is enough.
    #expect(try await stage.client.send(stage.request("GET", session: session)).status == 409)
    stream.body.cancel()
  }

  @Test("a notification is accepted, and a DELETE ends the session in order")
  func ends() async throws {
    let stage = try Stage()
    defer { stage.loop.stop() }
    let (_, session) = try await stage.begun()
    let note = #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#
    let accepted = try await stage.client.send(stage.request("POST", note, session: session))
    #expect(accepted.status == 202 && accepted.body.isEmpty)
    #expect(try await stage.text() == note)
    #expect(try await stage.client.send(stage.request("DELETE", session: session)).status == 200)
    guard case .received(_, .closed(1000, _, clean: true, how: .closeFrame), _) = try await stage.next()
    else { throw Surprise() }
    for method in ["POST", "GET", "DELETE"] {
      let body = method == "POST" ? Self.ping : ""
      #expect(try await stage.client.send(stage.request(method, body, session: session)).status == 404)
    }
    // Who has no session begins another.
    _ = try await stage.begun()
  }

  @Test("what breaks the transport is told", arguments: ["session", "Accept", "Content-Type", "version"])
  func breaches(what: String) async throws {
    let stage = try Stage()
    defer { stage.loop.stop() }
    let (_, session) = try await stage.begun()
    var request = stage.request("POST", Self.ping, session: what == "session" ? nil : session)
    switch what {
    case "Accept": request.headers.set("Accept", "application/json")
    case "Content-Type": request.headers.set("Content-Type", "text/plain")
    case "version": request.headers.set("MCP-Protocol-Version", "2025-06-18")
    default: break
    }
    let answer = stage.send(request)
    guard case .breach("client.streamable-http", let text) = try await stage.next() else { throw Surprise() }
    #expect(text.lowercased().contains(what.lowercased()))
    answer.cancel()
  }

  @Test("who leaves cancels a request without a session, and no other")
  func leaving() async throws {
    let stage = try Stage()
    defer { stage.loop.stop() }
    let meta = #""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#
    let asked = #"{"jsonrpc":"2.0","id":"x","method":"tools/list","params":{\#(meta)}}"#
    var request = stage.request("POST", asked)
    request.headers.append("MCP-Protocol-Version", "2026-07-28")
    let answer = stage.send(request)
    _ = try await stage.arrival()
    #expect(try await stage.text() == asked)
    answer.cancel()
    let note = try JSONParser.parse(Array(try await stage.text().utf8))
    #expect(note["method"] == "notifications/cancelled" && note["params"]?["requestId"] == "x")
  }
}

extension Guest {
  fileprivate func say(_ text: String) { send(.text, Array(text.utf8), fin: true) }
}
