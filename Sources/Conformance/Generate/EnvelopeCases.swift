internal import JSON
internal import ProtocolSpec

/// Cases about what stands around the params: ids, versions, methods, and texts that are no JSON.
struct EnvelopeCases {
  private let spec: Specification
  private var cases: [GeneratedCase] = []
  private static let ping = "\"jsonrpc\":\"2.0\",\"method\":\"ping\""
  private static let pong: JSONValue = ["id": "alive", "result": .object(JSONObject())]

  init(_ spec: Specification) {
    self.spec = spec
    ids()
    shapes()
    versions()
    notifications()
    malformed()
  }

  var suite: GeneratedSuite {
    GeneratedSuite(
      name: "envelope-grammar", comment: "Ids of every kind, shapes of requests, and texts that are no JSON.",
      cases: cases)
  }

  private mutating func add(
    _ id: String, _ title: String, _ covers: [String], _ script: Script, level: RequirementLevel = .must
  ) {
    cases.append(
      GeneratedCase(
        id: "\(script.speech.rawValue)-\(id)", title: title, covers: covers, dialect: script.speech.dialect,
        level: level, steps: script.steps))
  }

  private func fault(_ name: ErrorName, id: JSONValue) -> JSONValue {
    [
      "id": id,
      "error": [
        "code": ["$spec": .string(name.rawValue)], "message": ["$spec": .string("\(name.rawValue).text")],
        "data": ["$type": "object"],
      ],
    ]
  }

  private static func number(_ text: String) -> JSONValue { .number(JSONNumber(checked: text)) }

  // MARK: Ids

  private mutating func ids() {
    let longText = String(repeating: "i", count: 300)
    let texts: [JSONValue] = [
      0, "", "0", -1, 7, "größe 🚀", "e\u{301}", "é", "\u{0}", "\u{2028}", " ", "null", .string(longText),
    ]
    let numbers = [
      "1.50", "-0", "1e2", "1E+2", "0.1", "9007199254740993", "18446744073709551616",
      "-9223372036854775809", "123456789012345678901234567890", "1e400",
    ].map(Self.number)
    let words: [JSONValue] = [.null]
    let bad: [JSONValue] = [true, false, .object(JSONObject()), .array([]), [1], ["id": 1]]
    var script = Script(.jsonrpc, spec: spec)
    for id in texts + numbers + words {
      script.send(
        raw: .string("{\(Self.ping),\"id\":\(JSONWriter.text(id))}"),
        ["id": id, "result": .object(JSONObject())])
    }
    add("ids", "Every id comes back with its type and text.", ["req:jsonrpc.id", "method:ping"], script)
    script = Script(.jsonrpc, spec: spec)
    for id in bad {
      script.send(
        raw: .string("{\(Self.ping),\"id\":\(JSONWriter.text(id))}"), fault(.invalidRequest, id: .null))
    }
    add(
      "no-ids", "What is no id makes the request invalid, answered with id null.",
      ["req:jsonrpc.id", "error:invalid_request"], script)
    script = Script(.bare, spec: spec)
    for id in texts + numbers {
      script.send(
        raw: .string("{\"method\":\"ping\",\"id\":\(JSONWriter.text(id))}"), ["id": id, "result": "pong"])
    }
    script.send(raw: "{\"method\":\"ping\"}", ["id": ["$absent": true], "result": "pong"])
    add("ids", "An id is echoed if the request had one.", ["req:dialect.bare-id", "method:ping"], script)
    script = Script(.mcp, spec: spec)
    for id in texts + ["9007199254740993", "18446744073709551616"].map(Self.number) {
      script.send(
        raw: .string("{\(Self.ping),\"id\":\(JSONWriter.text(id))}"),
        ["id": id, "result": .object(JSONObject())])
    }
    add("ids", "Strings and integers are ids.", ["req:mcp.ids", "req:mcp.ping"], script)
    script = Script(.mcp, spec: spec)
    for id in bad + [.null, Self.number("1.5")] {
      // Without a readable id the answer has none from 2025-11-25 on; null stood there before.
      var choices = [fault(.invalidRequest, id: ["$absent": true]), fault(.invalidRequest, id: .null)]
      if id.number != nil { choices.append(fault(.invalidRequest, id: id)) }
      script.send(
        raw: .string("{\(Self.ping),\"id\":\(JSONWriter.text(id))}"), ["$oneOf": .array(choices)])
    }
    add(
      "no-ids", "What is neither a string nor an integer is no id.",
      ["req:mcp.ids", "error:invalid_request"], script)
  }

  // MARK: Shapes

  private mutating func shapes() {
    let shapes: [JSONValue] = [
      .null, true, false, 0, Self.number("1.5"), "", "text", .array([]), [1], [["a": 1]],
    ]
    for speech in [Speech.bare, .jsonrpc] {
      var script = Script(speech, spec: spec)
      let dialect: Dialect = speech == .bare ? .bare : .jsonrpc
      for method in spec.methods where method.dialects.contains(dialect) {
        for shape in shapes {
          script.ask(
            method.name, shape, .invalid([Violation(path: [], keyword: "type")]),
            why: "\(method.name) with params \(FlowText.text(shape))")
        }
      }
      add(
        "params-shape", "Params that are no object are refused at path \"\" by every method.",
        ["req:jsonrpc.params-shape", "error:invalid_params"], script)
      script = Script(speech, spec: spec)
      let methods: [JSONValue] = [
        .null, true, 5, .array([]), ["ping"], .object(JSONObject()), ["name": "ping"],
      ]
      for (number, method) in methods.enumerated() {
        let text = JSONWriter.text(method)
        if speech == .bare {
          script.send(raw: .string("{\"method\":\(text)}"), ["error": ["$spec": "invalid_request.text"]])
        } else {
          script.send(
            raw: .string("{\"jsonrpc\":\"2.0\",\"id\":\(number),\"method\":\(text)}"),
            fault(.invalidRequest, id: .int(number)))
        }
      }
      add(
        "method-shape", "A method that is no text makes the request invalid.",
        ["req:envelope.method", "error:invalid_request"], script)
      script = Script(speech, spec: spec)
      for name in [
        "Ping", "ping ", " ping", "pin", "pings", "rpc.discover", "ping\u{0}", "task/ping", "größe",
      ] {
        script.ask(name, nil, .error(.methodNotFound), why: "\(FlowText.text(.string(name))) is no method")
      }
      add(
        "unknown-methods", "Methods are compared exactly.",
        ["req:errors.unknown_method", "error:method_not_found"], script)
    }
  }

  private mutating func versions() {
    var script = Script(.jsonrpc, spec: spec)
    let versions = [
      "\"1.0\"", "\"2\"", "\"2.00\"", "\"\"", "\" 2.0\"", "2", "2.0", "null", "true", "[]", "{}",
    ]
    for (number, version) in versions.enumerated() {
      script.send(
        raw: .string("{\"jsonrpc\":\(version),\"id\":\(number),\"method\":\"ping\"}"),
        fault(.invalidRequest, id: .int(number)), why: "jsonrpc: \(version)")
    }
    add(
      "versions", "Another version of JSON-RPC is an invalid request, answered in JSON-RPC with its id.",
      ["req:jsonrpc.version", "error:invalid_request"], script)
  }

  private mutating func notifications() {
    var script = Script(.jsonrpc, spec: spec)
    for method in spec.methods {
      for params in [nil, "null", "[]", "5", "{\"task_id\":5,\"description\":5,\"limit\":\"x\"}"] {
        // Without params a method may do something, as it may with an object that fits.
        if params == nil && SchemaProbes.sample(method.paramsSchema) != .object(JSONObject()) { continue }
        let members = params.map { ",\"params\":\($0)" } ?? ""
        script.send(raw: .string("{\"jsonrpc\":\"2.0\",\"method\":\"\(method.name)\"\(members)}"), nil)
      }
    }
    for text in [
      "{\"jsonrpc\":\"2.0\",\"method\":\"nope\"}", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,\"message\":\"x\"}}",
      "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":null}",
    ] {
      script.send(raw: .string(text), nil)
    }
    script.send(raw: .string("{\(Self.ping),\"id\":\"alive\"}"), Self.pong, why: "the next request is served")
    add(
      "no-answers", "Notifications, right or wrong, and responses are never answered.",
      ["req:jsonrpc.notification", "req:jsonrpc.response-ignored"], script)
  }

  // MARK: No JSON

  private mutating func malformed() {
    let texts = [
      "", " ", "\n", "{", "}", "[", "]", "[1,", "[1 2]", "[,]", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
      "{\"a\" 1}", "{a:1}", "{'a':1}", "{1:1}", "{\"method\":\"ping\"} x", "{\"method\":\"ping\"}{}", "nul",
      "True", "NULL", "undefined", "NaN", "Infinity", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+", "0x10",
      "1_000", "\"abc", "\"\\x\"", "\"\\u12\"", "\"\\u{41}\"", "\"tab\there\"", "\"line\nbreak\"", "'a'",
      "// comment\n{}", "/* c */{}", "[1,,2]", "{\"a\":1 \"b\":2}", "{\"method\":\"ping\"",
      "\u{FF5B}\u{FF5D}",
    ]
    for speech in [Speech.bare, .jsonrpc] {
      var script = Script(speech, spec: spec)
      script.ask("ping", nil, .result(speech == .bare ? "pong" : .object(JSONObject())))
      for text in texts {
        let answer: JSONValue =
          speech == .bare ? ["error": ["$spec": "parse_error.text"]] : fault(.parseError, id: .null)
        script.send(raw: .string(text), answer)
      }
      script.ask(
        "ping", nil, .result(speech == .bare ? "pong" : .object(JSONObject())), why: "the connection lives on"
      )
      add(
        "no-json", "A text that is no JSON is a parse error, and the connection lives on.",
        ["req:errors.parse", "req:limits.alive", "error:parse_error"], script)
    }
  }
}
