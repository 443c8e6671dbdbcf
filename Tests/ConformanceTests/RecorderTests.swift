import Conformance
import JSON
import ProtocolSpec
import Testing
import Wire
import YAML

/// A recording as a few lines: `>` from the client, `<` from the server, `b>` on another connection.
private func recording(_ text: String, every step: Duration = .milliseconds(10)) -> Recording {
  var recording = Recording()
  for (number, line) in text.split(separator: "\n").enumerated() {
    let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
    let name = parts[0].dropLast()
    let connection = name.isEmpty ? 0 : Int((name.utf8.first ?? 0) - UInt8(ascii: "a"))
    let direction: ProxyDirection = parts[0].hasSuffix(">") ? .toServer : .toClient
    recording.entries.append(
      Recording.Entry(
        connection: connection, at: step * number,
        event: .message(.text(Array(parts[1].utf8)), direction)))
  }
  return recording
}

private func transcript(
  _ recording: Recording, environment: [String: String] = [:], isExact: Bool = false,
  keepsTiming: Bool = false
) throws -> RecordedTranscript {
  var options = RecordingOptions(suite: "t")
  options.isExact = isExact
  options.keepsTiming = keepsTiming
  options.isOneCase = true
  return try Recorder(spec: Kit.spec, options: options, secrets: NamedSecrets(environment: environment))
    .transcript(recording)
}

/// The steps that are written for the lines of a session.
private func steps(_ lines: String, environment: [String: String] = [:], isExact: Bool = false) throws
  -> String
{
  let text = try transcript(recording(lines), environment: environment, isExact: isExact).text
  let all = text.split(separator: "\n", omittingEmptySubsequences: false)
  let start = try #require(all.firstIndex(of: "  steps:"))
  return all[(start + 1)...].map { $0.dropFirst(2) }.joined(separator: "\n").trimmingSuffix("\n")
}

extension String {
  fileprivate func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}

private let task = "3b241101-e2bb-4255-8caf-4136c566a962"

@Suite("What is recorded")
struct RecorderTests {
  struct Golden: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let lines: String
    let steps: String
  }

  static let golden = [
    Golden(
      testDescription: "a ping in JSON-RPC",
      lines: """
        > {"jsonrpc":"2.0","id":7,"method":"ping"}
        < {"jsonrpc":"2.0","id":7,"result":{}}
        """,
      steps: """
        - client: {id: {$type: id, $as: id1, $say: 7}, method: ping}
        - server: {id: {$ref: id1}, result: {}}
        """),
    Golden(
      testDescription: "bare answers and errors by their names",
      lines: """
        > {"method":"ping"}
        < {"result":"pong"}
        > {"method":"get_task_status","params":{}}
        < {"error":"Missing task_id"}
        > {"method":"get_task_status","params":{"task_id":"x"}}
        < {"result":{"error":"Task not found"}}
        > {"method":"nope"}
        < {"error":"Unknown method: nope"}
        """,
      steps: """
        - client: {method: ping}
        - server: {result: pong}
        - client: {method: get_task_status, params: {}}
        - server: {error: {$spec: invalid_params.required, $say: Missing task_id}}
        - client: {method: get_task_status, params: {task_id: x}}
        - server: {result: {error: {$spec: task_not_found.text}}}
        - client: {method: nope}
        - server: {error: {$spec: method_not_found.text, $say: "Unknown method: nope"}}
        """),
    Golden(
      testDescription: "ids inside texts, and the text of a model",
      lines: """
        > {"jsonrpc":"2.0","id":"a","method":"create_task","params":{"description":"hi","idempotency_key":"k1"}}
        < {"jsonrpc":"2.0","id":"a","result":{"task_id":"\(task)","status":"completed","result":"hello"}}
        > {"jsonrpc":"2.0","id":"b","method":"cancel_task","params":{"task_id":"\(task)"}}
        < {"jsonrpc":"2.0","id":"b","error":{"code":1002,"message":"Task \(task) is already completed","data":{}}}
        """,
      steps: """
        - client:
            id: {$type: id, $as: id1, $say: a}
            method: create_task
            params: {description: hi, idempotency_key: {$type: string, $as: key}}
        - server:
            id: {$ref: id1}
            result: {task_id: {$type: uuid, $as: task}, status: completed, result: {$type: string, $say: hello}}
        - client: {id: {$type: id, $as: id2, $say: b}, method: cancel_task, params: {task_id: {$ref: task}}}
        - server:
            id: {$ref: id2}
            error:
              code: {$spec: task_not_cancellable}
              message:
                $spec: task_not_cancellable.text
                $say: {$join: ["Task ", {$ref: task}, " is already completed"]}
              data: {}
        """),
    Golden(
      testDescription: "a loop that waits for a task is one step",
      lines: """
        > {"method":"create_task","params":{"description":"hi","wait":false}}
        < {"result":{"task_id":"\(task)","status":"idle"}}
        > {"method":"get_task_status","params":{"task_id":"\(task)"}}
        < {"result":{"task_id":"\(task)","state":"idle"}}
        > {"method":"get_task_status","params":{"task_id":"\(task)"}}
        < {"result":{"task_id":"\(task)","state":"executing"}}
        > {"method":"get_task_status","params":{"task_id":"\(task)"}}
        < {"result":{"task_id":"\(task)","state":"completed","updated_at":"2026-01-02T03:04:05.678Z"}}
        > {"method":"ping"}
        < {"result":"pong"}
        """,
      steps: """
        - client: {method: create_task, params: {description: hi, wait: false}}
        - server: {result: {task_id: {$type: uuid, $as: task}, status: idle}}
        - poll: {every: 20ms, for: 5s, at: /result/state, allow: [idle, dispatching, executing], until: completed}
          client: {method: get_task_status, params: {task_id: {$ref: task}}}
          server:
            result:
              task_id: {$ref: task}
              state: completed
              updated_at: {$type: timestamp, $say: "2026-01-02T03:04:05.678Z"}
        - client: {method: ping}
        - server: {result: pong}
        """),
    Golden(
      testDescription: "answers of requests that ran at the same time come in any order",
      lines: """
        > {"jsonrpc":"2.0","id":1,"method":"create_task","params":{"description":"hi"}}
        > {"jsonrpc":"2.0","id":2,"method":"ping"}
        < {"jsonrpc":"2.0","id":2,"result":{}}
        < {"jsonrpc":"2.0","id":1,"result":{"task_id":"\(task)","status":"cancelled"}}
        """,
      steps: """
        - client: {id: {$type: id, $as: id1, $say: 1}, method: create_task, params: {description: hi}}
        - client: {id: {$type: id, $as: id2, $say: 2}, method: ping}
        - unordered:
          - server: {id: {$ref: id2}, result: {}}
          - server: {id: {$ref: id1}, result: {task_id: {$type: uuid, $as: task}, status: cancelled}}
        """),
    Golden(
      testDescription: "what is no JSON, and a batch, and two dialects on one connection",
      lines: """
        > {nope
        < {"error":"Invalid JSON: no"}
        > [{"jsonrpc":"2.0","method":"ping"},{"jsonrpc":"2.0","id":null,"method":"ping"}]
        < [{"jsonrpc":"2.0","id":null,"result":{}}]
        """,
      steps: """
        - raw: {text: "{nope"}
        - server: {error: {$spec: parse_error.text, $say: "Invalid JSON: no"}}
        - client: [{jsonrpc: "2.0", method: ping}, {jsonrpc: "2.0", id: null, method: ping}]
        - server: [{jsonrpc: "2.0", id: null, result: {}}]
        """),
    Golden(
      testDescription: "a list tells by one task, a page by its cursor",
      lines: """
        > {"method":"create_task","params":{"description":"hi","wait":false}}
        < {"result":{"task_id":"\(task)","status":"idle"}}
        > {"method":"list_tasks"}
        < {"result":{"tasks":[{"task_id":"00000000-0000-4000-8000-000000000000","attempts":1},\
        {"task_id":"\(task)","state":"cancelled"}],"next_cursor":"c-17"}}
        > {"method":"list_tasks","params":{"cursor":"c-17"}}
        < {"result":{"tasks":[]}}
        """,
      steps: """
        - client: {method: create_task, params: {description: hi, wait: false}}
        - server: {result: {task_id: {$type: uuid, $as: task}, status: idle}}
        - client: {method: list_tasks}
        - server:
            result:
              tasks:
                $contains: {task_id: {$ref: task}, state: cancelled}
                $say:
                - {task_id: "00000000-0000-4000-8000-000000000000", attempts: {$type: int, $say: 1}}
                - {task_id: {$ref: task}, state: cancelled}
              next_cursor: {$type: string, $as: next_cursor}
        - client: {method: list_tasks, params: {cursor: {$ref: next_cursor}}}
        - server: {result: {tasks: []}}
        """),
    Golden(
      testDescription: "a tool's text says what its structured content says",
      lines: """
        > {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_task","arguments":{"description":"hi"}}}
        < {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\\"task_id\\":\\"\(task)\\",\\"status\\":\\"idle\\"}"}],\
        "structuredContent":{"task_id":"\(task)","status":"idle"}}}
        """,
      steps: """
        - client:
            id: {$type: id, $as: id1, $say: 1}
            method: tools/call
            params: {name: create_task, arguments: {description: hi}}
        - server:
            id: {$ref: id1}
            result:
              content: [{type: text, text: {$json: {task_id: {$type: uuid, $as: task}, status: idle}}}]
              structuredContent: {task_id: {$ref: task}, status: idle}
        """),
  ]

  @Test("becomes a transcript", arguments: golden)
  func becomes(_ golden: Golden) throws {
    #expect(try steps(golden.lines) == golden.steps)
  }

  @Test("keeps the texts of models where that is asked for")
  func exact() throws {
    let lines = """
      > {"method":"create_task","params":{"description":"hi"}}
      < {"result":{"task_id":"\(task)","status":"completed","result":"hello"}}
      """
    #expect(try steps(lines, isExact: true).contains("status: completed, result: hello}"))
  }

  @Test("says what the case is evidence for, and in which dialect")
  func covers() throws {
    let lines = """
      > {"method":"create_task","params":{"description":"hi"}}
      < {"result":{"task_id":"\(task)","status":"completed","result":"hello"}}
      > {"method":"system_status"}
      < {"result":{"system_state":"degraded"}}
      > {"method":"nope"}
      < {"error":"Unknown method: nope"}
      """
    let text = try transcript(recording(lines)).text
    #expect(
      text.contains(
        """
          covers:
          - method:create_task
          - state:completed
          - method:system_status
          - system:degraded
          - error:method_not_found
        """)
        || text.contains(
          "  covers: [method:create_task, state:completed, method:system_status, system:degraded, error:method_not_found]"
        ))
    #expect(
      text.hasPrefix(
        "format: 1\nsuite: t\ndialect: bare\ndefaults: {within: 2s, level: must, play: either}\n"))
  }

  @Test("gives slow answers more time, and asks for the wait only where that is asked for")
  func timing() throws {
    let slow = recording(
      """
      > {"method":"create_task","params":{"description":"hi"}}
      < {"result":{"task_id":"\(task)","status":"idle"}}
      """, every: .milliseconds(1200))
    let usual = try transcript(slow).text
    #expect(usual.contains("within: 5s") && !usual.contains("notBefore"))
    #expect(try transcript(slow, keepsTiming: true).text.contains("notBefore: 300ms"))
  }

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
      a< {"result":{"task_id":"\(task)","status":"idle"}}
      b> {"method":"ping"}
      b< {"result":"pong"}
      c> {"method":"cancel_task","params":{"task_id":"\(task)"}}
      c< {"result":{"task_id":"\(task)","state":"cancelled"}}
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
