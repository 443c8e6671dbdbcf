internal import JSON
internal import ProtocolSpec

/// Cases about the params of every method, from their schemas.
struct ParamCases {
  private let spec: Specification
  private let seed: UInt64

  init(_ spec: Specification, seed: UInt64) {
    self.spec = spec
    self.seed = seed
  }

  func suites() -> [GeneratedSuite] {
    spec.methods.map { method in
      var cases: [GeneratedCase] = []
      for group in SchemaProbes(method, seed: seed).groups {
        for speech in Speech.allCases { cases += [self.case(group, method, speech)].compactMap(\.self) }
      }
      return GeneratedSuite(
        name: "params-\(Self.name(method.name))",
        comment: "The params of \(method.name): every keyword of their schema, from both sides.", cases: cases
      )
    }
  }

  static func name(_ text: String) -> String {
    var name = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "a"..."z", "0"..."9": name.unicodeScalars.append(scalar)
      case "A"..."Z": name += "-" + String(scalar).lowercased()
      default: if !name.hasSuffix("-") { name += "-" }
      }
    }
    return name
  }

  private func `case`(_ group: ProbeGroup, _ method: MethodSpec, _ speech: Speech) -> GeneratedCase? {
    if speech == .bare && !method.dialects.contains(.bare) { return nil }
    if speech.isTools {
      guard spec.mcp.tool(named: method.name) != nil else { return nil }
      // What is no object at all is no input of a tool, and old revisions serve like new ones.
      if group.path.isEmpty && group.keyword == "type" { return nil }
      if group.isAccepting && speech == .mcpBefore { return nil }
    }
    if group.isAccepting && Self.served(method.name, .null) == nil { return nil }
    var script = Script(speech, spec: spec, begins: false)
    for (number, probe) in group.probes.enumerated() {
      if probe.violations.isEmpty {
        serve(probe, number, method, group, &script)
      } else {
        script.ask(method.name, probe.params.said, .invalid(probe.violations), why: probe.why)
      }
    }
    let place = group.path.joined(separator: "-")
    let parts = [speech.rawValue, place, group.keyword, group.isAccepting ? "served" : "refused"]
    let what = group.path.isEmpty ? "params" : group.path.joined(separator: "/")
    var generated = GeneratedCase(
      id: parts.filter { !$0.isEmpty }.map(Self.name).joined(separator: "-"),
      title: group.isAccepting
        ? "\(method.name) takes what \(group.keyword) of \(what) allows."
        : "\(method.name) refuses what breaks \(group.keyword) of \(what), and says where.",
      covers: covers(group, method, speech), dialect: speech.ownDialect, steps: script.steps)
    if group.isAccepting && method.name == "create_task" { generated.needs = [.faults] }
    if speech.isTools { generated.mcpNeeds = [.tools] }
    return generated
  }

  private func covers(_ group: ProbeGroup, _ method: MethodSpec, _ speech: Speech) -> [String] {
    var tags: [String] = []
    if !group.isAccepting {
      let ids =
        switch speech {
        case .bare: ["errors.bare_text"]
        case .jsonrpc: [group.keyword == "required" ? "errors.missing_field" : "errors.data_path"]
        case .mcp, .mcpBefore, .mcpStateless: ["mcp.tool-input"]
        }
      tags = ids.filter { spec.requirements[$0] != nil }.map { "req:\($0)" } + ["error:invalid_params"]
    }
    return tags + ["method:\(method.name)"]
  }

  // MARK: What is served

  /// A task is made without waiting, so that one that cannot be done holds nobody up.
  private func serve(
    _ probe: Probe, _ number: Int, _ method: MethodSpec, _ group: ProbeGroup, _ script: inout Script
  ) {
    var said = probe.params.said
    guard method.name == "create_task" else {
      guard let outcome = Self.served(method.name, probe.params.real) else { return }
      return script.ask(
        method.name, said, script.speech == .bare ? Self.bare(method.name, outcome) : outcome, why: probe.why)
    }
    if var object = said.object, object["wait"] == nil {
      object["wait"] = false
      said = .object(object)
    }
    let name = "task\(number)"
    let created: JSONValue = [
      "task_id": ["$type": "uuid", "$as": .string(name)], "status": ["$type": "string"],
    ]
    script.ask(method.name, said, .result(created), why: probe.why)
    guard group.path == ["description"] else { return }
    script.ask(
      "get_task_status", ["task_id": ["$ref": .string(name)]],
      .result(["description": said["description"] ?? .null]), why: "the description is kept to the letter")
  }

  /// What fits the schema is answered with this; nil where nothing is known of the method.
  private static func served(_ method: String, _ params: JSONValue) -> Outcome? {
    switch method {
    case "ping": return .result(.object(JSONObject()))
    case "create_task": return .result(.object(JSONObject()))
    case "unsubscribe": return .error(.subscriptionNotFound)
    case "get_task_status", "cancel_task": return .error(.taskNotFound)
    case "system_status": return .result(["system_state": ["$type": "string"]])
    case "list_tasks":
      // Any text fits the schema, but only what an endpoint gave is a cursor.
      if params["cursor"] != nil { return .invalid([Violation(path: ["cursor"], keyword: "format")]) }
      guard let limit = params["limit"] else { return .result(["tasks": ["$type": "array"]]) }
      return .result(["tasks": ["$length": ["$between": [0, limit]]]])
    default: return nil
    }
  }

  private static func bare(_ method: String, _ outcome: Outcome) -> Outcome {
    method == "ping" ? .result("pong") : outcome
  }
}
