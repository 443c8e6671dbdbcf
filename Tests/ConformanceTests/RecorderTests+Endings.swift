import Conformance
import JSON
import ProtocolSpec
import Testing
import Wire
import YAML

// Secrets, and how connections end.
extension RecorderTests {
  // MARK: Secrets

  @Test("names secrets by their variables, whole and inside texts")
  func secrets() throws {
    let lines = """
      > {"method":"create_task","params":{"description":"use sk-live-12345678 for it","type":"sk-live-12345678"}}
      < {"error":"Invalid params: /type: sk-live-12345678 is none"}
      """
    let written = try steps(lines, environment: ["SOME_KEY": "sk-live-12345678", "HOME": "hidden"])
    #expect(
      written == """
        - client:
            method: create_task
            params: {description: {$join: ["use ", {$secret: SOME_KEY}, " for it"]}, type: {$secret: SOME_KEY}}
        - server:
            error:
              $spec: invalid_params.text
              $say: {$join: ["Invalid params: /type: ", {$secret: SOME_KEY}, " is none"]}
        """)
  }

  @Test(
    "refuses what looks like a secret and has no name",
    arguments: [
      #"> {"method":"create_task","params":{"description":"sk-live-12345678"}}"#,
      #"> {"method":"create_task","params":{"sk-live-12345678":1}}"#,
      #"> {"method":"create_task","params":{"deep":[{"a":"Bearer abcdef"}]}}"#,
      #"> {nope sk-live-12345678"#,
      #"< {"jsonrpc":"2.0","method":"x","params":{"$defs":{"a":"mcp.auth.abcdef"}}}"#,
    ])
  func refuses(_ line: String) throws {
    #expect {
      _ = try transcript(recording(line))
    } throws: { error in
      String(describing: error).hasPrefix("message 1 of connection a, from the ")
    }
  }

  @Test("writes handshakes with what authorizes, and refusals")
  func handshakes() throws {
    var recording = Recording()
    let offer: HTTPHeaders = [
      "Upgrade": "websocket", "Sec-WebSocket-Protocol": "mcp, mcp.auth.token-1234", "User-Agent": "x",
    ]
    let asked: HTTPHeaders = [
      "Host": "h", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Authorization": "Bearer token-1234",
    ]
    let refusal: HTTPHeaders = ["Retry-After": "3", "Date": "today"]
    func add(_ connection: Int, _ event: Recording.Event) {
      recording.entries.append(Recording.Entry(connection: connection, at: .zero, event: event))
    }
    add(
      0,
      .opened(
        HTTPRequestHead(method: "GET", target: "/x?y=1", headers: offer),
        HTTPResponseHead(status: 101, headers: ["Sec-WebSocket-Protocol": "mcp"])))
    add(
      1,
      .answered(
        HTTPRequestHead(method: "GET", target: "/", headers: asked), body: [],
        HTTPResponseHead(status: 503, headers: refusal)))
    add(
      2,
      .answered(
        HTTPRequestHead(method: "GET", target: "/healthz", headers: ["Accept": "*/*"]), body: [],
        HTTPResponseHead(status: 200)))
    add(
      3,
      .answered(
        HTTPRequestHead(method: "GET", target: "/", headers: ["Upgrade": "websocket", "X-A": "1"]), body: [],
        HTTPResponseHead(status: 400)))
    let text = try transcript(recording, environment: ["OMNI_TOKEN": "token-1234"]).text
    let expected = """
        steps:
        - connect: {path: "/x?y=1", subprotocols: [mcp, {$join: [mcp.auth., {$secret: OMNI_TOKEN}]}]}
          accepted: {subprotocol: mcp}
        - connect: {path: /, headers: {Authorization: {$join: ["Bearer ", {$secret: OMNI_TOKEN}]}}}
          refused: {status: 503, headers: {Retry-After: {$type: string, $say: "3"}}}
          conn: b
        - http: {get: /healthz}
          answer: {status: 200}
          conn: c
        - http: {get: /, headers: {Upgrade: websocket, X-A: "1"}}
          answer: {status: 400}
          conn: d

      """
    #expect(text.hasSuffix(expected))
    #expect(throws: RecordingProblem.self) { _ = try transcript(recording) }
  }

  // MARK: Endings

  @Test(
    "writes how a connection ends, but not that a client left in order",
    arguments: [
      ([(.close(code: 1000, reason: ""), .toServer), (.close(code: 1000, reason: ""), .toClient)], ""),
      ([(.close(code: 1001, reason: ""), .toClient)], "\n- closed: {by: server, code: 1001}"),
      (
        [(.close(code: 4001, reason: "why"), .toServer), (.close(code: 4001, reason: ""), .toClient)],
        "\n- close: {code: 4001, reason: why}\n- closed: {by: server, code: 4001}"
      ),
      (
        [(.binary([1, 2]), .toServer), (.close(code: 1003, reason: ""), .toClient)],
        "\n- raw: {binary: \"01 02\"}\n- closed: {by: server, code: 1003}"
      ),
      ([], "\n- closed: {by: server, code: none}"),
    ] as [([(ProxyMessage.Content, ProxyDirection)], String)])
  func endings(_ events: [(ProxyMessage.Content, ProxyDirection)], _ written: String) throws {
    var recording = recording(#"> {"method":"ping"}"# + "\n" + #"< {"result":"pong"}"#)
    for (content, direction) in events {
      recording.entries.append(
        Recording.Entry(connection: 0, at: .seconds(1), event: .message(content, direction)))
    }
    recording.entries.append(Recording.Entry(connection: 0, at: .seconds(1), event: .ended(.toClient)))
    let text = try transcript(recording).text
    let steps = text.split(separator: "\n").map { $0.dropFirst(2) }.joined(separator: "\n")
    #expect(steps.hasSuffix("- server: {result: pong}" + written))
  }

  @Test("leaves out what no transcript can say, and says so")
  func unsayable() throws {
    var recording = recording(#"> {"method":"ping"}"#)
    recording.entries.append(
      Recording.Entry(connection: 0, at: .seconds(1), event: .message(.binary([1]), .toClient)))
    let written = try transcript(recording)
    #expect(written.remarks.count == 1 && written.remarks[0].hasPrefix("connection a: the server sent"))
    #expect(throws: RecordingProblem.self) { _ = try transcript(Recording()) }
  }

  @Test("makes a case of connections that overlap or use the same task, and one of each other")
  func groups() throws {
    var recording = recording(
      """
      a> {"method":"create_task","params":{"description":"hi","wait":false}}
      a< {"result":{"task_id":"\(recordedTask)","status":"idle"}}
      b> {"method":"ping"}
      b< {"result":"pong"}
      c> {"method":"cancel_task","params":{"task_id":"\(recordedTask)"}}
      c< {"result":{"task_id":"\(recordedTask)","state":"cancelled"}}
      """)
    recording.entries.sort { $0.at < $1.at }
    let options = RecordingOptions(suite: "t")
    let recorder = Recorder(spec: Kit.spec, options: options, secrets: NamedSecrets(environment: [:]))
    let written = try recorder.transcript(recording)
    #expect(written.cases == 2)
    #expect(written.text.contains("{method: cancel_task, params: {task_id: {$ref: task}}}\n    conn: b\n"))
  }

  // MARK: The text

  @Test(
    "is written so that it is read as it was",
    arguments: [
      "", " ", "a b", "yes", "null", "~", "1", "1e3", "0x1f", "250ms", "a:b", "a: b", "a #b", "- a", "[",
      "{}",
      "'", "\"", "\\", "\n", "\r\n\t", "é", "\u{85}", "\u{2028}", "\u{FEFF}", "\u{7F}", "\u{0}", "😀",
      "\u{10FFFF}",
      String(repeating: "long words and  two spaces \\ \"quoted\" ", count: 20),
      String(repeating: "x", count: 1000), "  " + String(repeating: "é ", count: 300), "a:", ":a", "a::b",
    ])
  func roundTrip(_ text: String) throws {
    let lines = JSONWriter.text([
      "method": "x", "params": ["a": .string(text), "deep": [["b": .string(text)]]],
    ])
    let written = try transcript(recording("> \(lines)")).text
    let node = try YAMLParser.parse(written, file: "t.yaml")
    let params = node["cases"]?.elements?.first?["steps"]?.elements?.first?["client"]?["params"]?.json
    #expect(params == ["a": .string(text), "deep": [["b": .string(text)]]])
    #expect(written.split(separator: "\n").allSatisfy { $0.count <= 130 })
  }
}
