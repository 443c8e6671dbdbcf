import JSON
import JSONSchema
import ProtocolSpec

extension FuzzTarget {
  /// `MessageReader`: lines are the messages of one connection; whatever comes is an `Incoming`,
  /// and a refusal is an answer in its dialect.
  static let messages = FuzzTarget(
    name: "messages", form: .json, dictionary: MessageSeeds.dictionary,
    seeds: { MessageSeeds.texts.map { Array($0.utf8) } },
    check: { bytes in
      let spec = try Files.spec.get()
      var shape = Shape()
      for initial in Dialect.allCases {
        var reader = MessageReader(spec: spec, initial: initial)
        for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).prefix(32) {
          let value = try? JSONParser.parse(Array(line), limits: JSONLimits(depth: spec.limits.jsonDepth))
          try check(reader.read(Array(line)), value, &shape)
        }
      }
      return shape
    })

  private static func check(_ incoming: Incoming, _ value: JSONValue?, _ shape: inout Shape) throws {
    switch incoming {
    case .ignored: shape.add("ignored")
    case .response(let response):
      try expect(response.id == value?["id"], "another id than that of the answer")
    case .request(let request):
      shape.add(request.method.name + request.dialect.rawValue)
      try expect(request.method.params.isValid(.object(request.params)), "defaults make the params invalid")
      try check(request.answer(.success("done")), value)
    case .refused(let answer):
      if case .failure(let fault) = answer.outcome { shape.add(fault.message) }
      try expect(value != nil || answer.id == nil, "an id out of no JSON")
      try check(answer, value)
    case .batch(let elements):
      let values = value?.array ?? []
      try expect(
        values.count == elements.count && !elements.isEmpty, "\(elements.count) of \(values.count) elements")
      for (element, value) in zip(elements, values) { try check(element, value, &shape) }
    }
  }

  private static func check(_ answer: Answer, _ value: JSONValue?) throws {
    var text: [UInt8] = []
    answer.write(to: &text)
    let written: JSONValue
    do {
      written = try JSONParser.parse(text)
    } catch {
      throw Finding("answered \(String(decoding: text, as: UTF8.self)), which is no JSON: \(error)")
    }
    if let id = answer.id {
      try expect(
        written["id"]?.description == value?["id"]?.description, "the id \(id) is echoed as \(written)")
    }
    guard answer.dialect == .jsonrpc else { return }
    let isError = written["error"] != nil
    try expect(
      written["jsonrpc"] == "2.0" && written.object?.count == 3 && isError != (written["result"] != nil)
        && written["id"] != nil, "no JSON-RPC answer: \(written)")
    if isError {
      try expect(
        written["error"]?["code"]?.int != nil && written["error"]?["message"]?.string != nil
          && written["error"]?["data"]?.object != nil, "no JSON-RPC error: \(written)")
    }
  }
}

private enum MessageSeeds {
  static let dictionary =
    JSONSeeds.dictionary + [
      "\"id\"", "\"method\"", "\"params\"", "\"jsonrpc\"", "\"2.0\"", "\"1.0\"", "\"result\"", "\"error\"",
      "\"ping\"",
      "\"create_task\"", "\"get_task_status\"", "\"cancel_task\"", "\"list_tasks\"", "\"system_status\"",
      "\"task_id\"",
      "\"description\"", "\"type\"", "\"wait\"", "\"history\"", "\"limit\"", "\"cursor\"", "\"status\"",
      "\"idempotency_key\"", "\"role\"", "\"content\"", "\"user\"", "null", "1.50", "\"\\u0000\"", "\n", "{}",
      "[]",
    ]

  static let texts = [
    #"{"id":1,"method":"ping"}"#, #"{"jsonrpc":"2.0","id":"a","method":"ping","params":{}}"#,
    #"{"jsonrpc":"2.0","id":1.50,"method":"create_task","params":{"description":"hi","type":"general","wait":false,"idempotency_key":"k","history":[{"role":"user","content":"x"}]}}"#,
    #"[{"jsonrpc":"2.0","id":1,"method":"list_tasks","params":{"limit":10,"status":"idle","cursor":"x"}},{"jsonrpc":"2.0","method":"ping"},1]"#,
    #"{"jsonrpc":"2.0","id":null,"method":"get_task_status","params":{"task_id":"7"}}"#,
    #"{"jsonrpc":"2.0","id":1,"result":{}}"#, "[]", "1", #"{"method":5}"#, #"{"id":{},"method":"nope"}"#,
    "{\"id\":1,\"method\":\"ping\"}\n{\"jsonrpc\":\"2.0\",\"id\":2}\nnot JSON\n5\n[]",
    #"{"id":2,"method":"cancel_task","params":{"task_id":"x"}}"#,
    #"{"id":3,"method":"system_status","params":[]}"#,
  ]
}
