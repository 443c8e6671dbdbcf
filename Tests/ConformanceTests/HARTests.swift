import Conformance
import JSON
import Testing

/// A file in the shape in which the developer tools of Chrome save one: a page, timings, and a
/// WebSocket among other entries.
private let chrome = """
  {"log": {"version": "1.2", "creator": {"name": "WebInspector", "version": "537.36"},
   "pages": [{"startedDateTime": "2026-01-02T03:04:05.000Z", "id": "page_1", "title": "x", "pageTimings": {}}],
   "entries": [
    {"_connectionId": "1", "_resourceType": "document", "cache": {}, "pageref": "page_1", "time": 3,
     "startedDateTime": "2026-01-02T03:04:05.000Z", "timings": {"send": 1, "wait": 1, "receive": 1},
     "request": {"method": "GET", "url": "http://127.0.0.1:18765/", "httpVersion": "HTTP/1.1", "headers": []},
     "response": {"status": 200, "headers": [], "content": {"size": 0, "mimeType": "text/html"}}},
    {"_connectionId": "2", "_resourceType": "websocket", "cache": {}, "pageref": "page_1", "time": 9,
     "startedDateTime": "2026-01-02T03:04:05.100Z", "timings": {"send": 0, "wait": 0, "receive": 0},
     "request": {"method": "GET", "url": "ws://127.0.0.1:18765/socket?x=1", "httpVersion": "HTTP/1.1",
      "headers": [{"name": "Upgrade", "value": "websocket"}, {"name": "Origin", "value": "http://127.0.0.1:18765"},
       {"name": "Sec-WebSocket-Protocol", "value": "mcp"}], "queryString": [{"name": "x", "value": "1"}]},
     "response": {"status": 101, "statusText": "Switching Protocols", "httpVersion": "HTTP/1.1",
      "headers": [{"name": "Sec-WebSocket-Protocol", "value": "mcp"}], "content": {"size": 0, "mimeType": ""}},
     "_webSocketMessages": [
      {"type": "send", "time": 1767323045.2, "opcode": 1, "data": "{\\"jsonrpc\\":\\"2.0\\",\\"id\\":1,\\"method\\":\\"ping\\"}"},
      {"type": "receive", "time": 1767323045.3, "opcode": 1, "data": "{\\"jsonrpc\\":\\"2.0\\",\\"id\\":1,\\"result\\":{}}"},
      {"type": "error", "time": 1767323045.4, "opcode": -1, "data": "Connection closed"}]}]}}
  """

/// As mitmproxy exports flows: two sockets one behind the other, binary data in base64.
private let mitmproxy = """
  {"log": {"version": "1.2", "creator": {"name": "mitmproxy", "version": "12.0"}, "pages": [], "entries": [
    {"startedDateTime": "2026-01-02T03:04:07+00:00", "time": 5.1, "timings": {}, "serverIPAddress": "127.0.0.1",
     "request": {"method": "GET", "url": "http://127.0.0.1:18765/", "httpVersion": "HTTP/1.1", "cookies": [],
      "headers": [{"name": "Upgrade", "value": "websocket"}], "queryString": [], "headersSize": 9, "bodySize": 0},
     "response": {"status": 101, "statusText": "Switching Protocols", "headers": [], "cookies": [],
      "content": {"size": 0, "compression": 0, "mimeType": ""}}, "_resourceType": "websocket",
     "_webSocketMessages": [
      {"type": "send", "time": 1767323047.5, "opcode": 2, "data": "AQL/"}]},
    {"startedDateTime": "2026-01-02T03:04:05+00:00", "time": 5.1, "timings": {}, "serverIPAddress": "127.0.0.1",
     "request": {"method": "GET", "url": "https://example.org/a", "httpVersion": "HTTP/1.1", "cookies": [],
      "headers": [{"name": "Upgrade", "value": "websocket"}], "queryString": [], "headersSize": 9, "bodySize": 0},
     "response": {"status": 101, "statusText": "Switching Protocols", "headers": [], "cookies": [],
      "content": {"size": 0, "compression": 0, "mimeType": ""}}, "_resourceType": "websocket",
     "_webSocketMessages": [
      {"type": "send", "time": 1767323045.5, "opcode": 1, "data": "{\\"method\\":\\"ping\\"}"},
      {"type": "receive", "time": 1767323045.6, "opcode": 1, "data": "{\\"result\\":\\"pong\\"}"},
      {"type": "receive", "time": 1767323046.0, "opcode": 8, "data": "A+k="}]}]}}
  """

@Suite("HAR files")
struct HARTests {
  private func transcript(_ har: String) throws -> RecordedTranscript {
    let recorder = Recorder(
      spec: Kit.spec, options: RecordingOptions(suite: "har"), secrets: NamedSecrets(environment: [:]))
    return try recorder.transcript(HARFile.recording(Array(har.utf8)))
  }

  @Test("of Chrome become transcripts")
  func ofChrome() throws {
    #expect(
      try transcript(chrome).text == """
        format: 1
        suite: har
        dialect: jsonrpc
        defaults: {within: 2s, level: must, play: either}
        cases:
        - id: session-1
          title: "A recorded session: ping."
          covers: [method:ping]
          steps:
          - connect: {path: "/socket?x=1", subprotocols: [mcp], headers: {Origin: "http://127.0.0.1:18765"}}
            accepted: {subprotocol: mcp}
          - client: {id: {$type: id, $as: id1, $say: 1}, method: ping}
          - server: {id: {$ref: id1}, result: {}}

        """)
  }

  @Test("of mitmproxy become transcripts, a case for each socket in the order of time")
  func ofMitmproxy() throws {
    let written = try transcript(mitmproxy)
    #expect(written.cases == 2)
    #expect(
      written.text.hasSuffix(
        """
          steps:
          - connect: {path: /a}
          - client: {method: ping}
          - server: {result: pong}
          - closed: {by: server, code: 1001}

        - id: session-2
          title: A recorded session.
          covers: [req:wire.rfc6455-5.2]
          dialect: raw
          steps:
          - raw: {binary: "01 02 ff"}

        """))
  }

  @Test(
    "that are wrong are refused with the place",
    arguments: [
      ("", "the file: no JSON: "),
      ("[]", "the file: an object is expected, not array"),
      (#"{"log": {}}"#, #"/log: the member "entries" is missing"#),
      (
        #"{"log": {"entries": [{"request": {}}]}}"#,
        "/log/entries: none of the 1 entries has _webSocketMessages"
      ),
      (
        chrome.replacing(#""time": 1767323045.3"#, with: #""time": "x""#),
        "/log/entries/1/_webSocketMessages/1/time: a number is expected, not string"
      ),
      (
        chrome.replacing(#""receive""#, with: #""got""#),
        #"/log/entries/1/_webSocketMessages/1/type: send or receive is expected, not "got""#
      ),
      (
        mitmproxy.replacing("AQL/", with: "?"), "/log/entries/0/_webSocketMessages/0/data: base64 is expected"
      ),
      (
        mitmproxy.replacing(#""opcode": 2"#, with: #""opcode": 3"#),
        "/log/entries/0/_webSocketMessages/0/opcode: 1 (text), 2 (binary), 8, 9 or 10 is expected"
      ),
      (
        chrome.replacing("ws://127.0.0.1:18765/socket?x=1", with: "nowhere"),
        "/log/entries/1/request/url: a URL is expected"
      ),
    ])
  func refused(_ har: String, _ message: String) throws {
    #expect {
      _ = try HARFile.recording(Array(har.utf8))
    } throws: { error in
      String(describing: error).hasPrefix(message)
    }
  }
}
