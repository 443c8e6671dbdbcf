internal import JSON
package import YAML

/// The specification as a page of Markdown.
package struct ProtocolPage {
  package private(set) var markdown = ""
  private let spec: Specification
  private let files: SpecFiles
  /// The method that shows what a task is.
  fileprivate static let taskReader = "get_task_status"

  package init(_ spec: Specification, _ files: SpecFiles) throws(SourceError) {
    self.spec = spec
    self.files = files
    try overview()
    methods()
    notifications()
    try errors()
    try machine("States of a task", "states/task.yaml")
    try machine("States of the system", "states/system.yaml")
    try limits()
    try failures()
    faults()
    configuration()
    try requirements()
  }

  private mutating func line(_ text: String = "") { markdown += text + "\n" }

  private mutating func table(_ head: [String], _ rows: [[String]]) {
    line("| \(head.joined(separator: " | ")) |")
    line("|\(head.map { _ in "---|" }.joined())")
    for row in rows { line("| \(row.map(Self.cell).joined(separator: " | ")) |") }
    line()
  }

  private static func cell(_ text: String) -> String {
    text.replacing("\n", with: " ").replacing("|", with: "\\|")
  }

  private static func code(_ text: String) -> String { text.isEmpty ? "" : "`\(text)`" }

  // MARK: Parts

  private mutating func overview() throws(SourceError) {
    let page = try files.node("protocol.yaml").json
    line("# \(spec.overview.title) \(spec.overview.revision)")
    line()
    line("Made from `Spec/` by `omni-conformance docs`; change it there.")
    line()
    line(spec.overview.summary)
    line()
    line(
      "An endpoint listens on `\(spec.defaultURL)`. A WebSocket is served on any path; it speaks the "
        + "subprotocol `\(spec.overview.subprotocol)` to who offers it. Where a token is needed, it comes as "
        + "`Authorization: Bearer TOKEN` or, from browsers, as subprotocol "
        + "`\(spec.overview.tokenSubprotocolPrefix)TOKEN`.")
    line()
    table(
      ["Dialect", "What it is"],
      (page["dialects"]?.array ?? []).map { [Self.code(Self.text($0["name"])), Self.text($0["summary"])] })
    table(
      ["Path", "What it says", "Token"],
      (page["http"]?.array ?? []).map {
        ["`GET \(Self.text($0["path"]))`", Self.text($0["summary"]), $0["token"] == true ? "yes" : "no"]
      })
    line(
      "Of the Model Context Protocol these revisions are spoken on the same socket: "
        + spec.mcp.revisions.map { "`\($0.name)`" }.joined(separator: ", ") + ". Its tools are the methods "
        + spec.mcp.tools.map { "`\($0.method.name)`" }.joined(separator: ", ") + ", its resources "
        + "`\(spec.mcp.resources.system.uri)` and `\(spec.mcp.resources.task.uri)`.")
    line()
  }

  private static func text(_ value: JSONValue?) -> String {
    guard let value else { return "" }
    return value.string ?? value.description
  }

  private mutating func methods() {
    line("## Methods")
    line()
    for method in spec.methods {
      line("### \(method.name)")
      line()
      line(method.summary + (method.dialects.contains(.bare) ? "" : " It is served in JSON-RPC only."))
      line()
      properties("Params", method.paramsSchema)
      if method.name != Self.taskReader && method.resultSchema == spec.method(Self.taskReader)?.resultSchema {
        line("The result is a task, as [\(Self.taskReader)](#\(Self.taskReader)) gives it.")
        line()
      } else {
        properties("Result", method.resultSchema)
      }
      if let bare = method.bareResultSchema {
        line("In the bare dialect the result is `\(bare["const"] ?? bare)`.")
        line()
      }
      let errors = method.errors.map { "[`\($0.rawValue)`](#errors)" }.joined(separator: ", ")
      line(errors.isEmpty ? "It has no errors of its own." : "Errors: \(errors).")
      line()
      for example in method.examples {
        let name = example.name
        line("\(name.prefix(1).uppercased())\(name.dropFirst()):")
        line()
        line("```text")
        var request: JSONObject = ["jsonrpc": "2.0", "id": 1, "method": .string(method.name)]
        if !example.params.isEmpty { request["params"] = .object(example.params) }
        line("→ \(JSONWriter.text(.object(request)))")
        line("← \(JSONWriter.text(["jsonrpc": "2.0", "id": 1, "result": example.result]))")
        line("```")
        line()
      }
    }
  }

  private mutating func notifications() {
    line("## Notifications")
    line()
    line("They are sent in JSON-RPC, to who has asked for their topic with [subscribe](#subscribe).")
    line()
    for notification in spec.notifications {
      line("### \(notification.name.rawValue)")
      line()
      line("Topic `\(notification.topic.rawValue)`. \(notification.summary)")
      line()
      properties("Params", notification.paramsSchema)
      for example in notification.examples {
        line("\(example.name.prefix(1).uppercased())\(example.name.dropFirst()):")
        line()
        line("```text")
        line("← \(JSONWriter.text(notification.message(example.params)))")
        line("```")
        line()
      }
    }
  }

  private mutating func properties(_ title: String, _ schema: JSONValue) {
    let properties = schema["properties"]?.object ?? JSONObject()
    guard !properties.isEmpty else { return }
    let required = schema["required"]?.array ?? []
    let definitions = schema["$defs"]
    table(
      [title, "Type", "", "Meaning"],
      properties.map { name, value in
        let shape = SchemaWords(value, definitions)
        let need = required.contains(.string(name)) ? "required" : ""
        let fallback = value["default"].map { "default `\($0)`" } ?? ""
        return [Self.code(name), shape.type, need.isEmpty ? fallback : need, shape.meaning]
      })
  }

  private mutating func errors() throws(SourceError) {
    line("## Errors")
    line()
    let rows = try files.node("errors.yaml").json["errors"]?.array ?? []
    table(
      ["Name", "Code", "Text", "Meaning", "Data"],
      rows.map { row in
        var texts = [Self.text(row["text"])]
        for (_, text) in row["variants"]?.object ?? JSONObject() { texts.append(Self.text(text)) }
        let data = (row["data"]?["required"]?.array ?? []).map { Self.code(Self.text($0)) }
        return [
          Self.code(Self.text(row["name"])), Self.text(row["code"]),
          texts.map(Self.code).joined(separator: " or "), Self.text(row["summary"]),
          data.joined(separator: ", "),
        ]
      })
  }

  private mutating func machine(_ title: String, _ file: String) throws(SourceError) {
    let machine = try files.node(file).json
    line("## \(title)")
    line()
    line("```mermaid")
    line("stateDiagram-v2")
    line("  [*] --> \(Self.text(machine["initial"]))")
    let transitions = machine["transitions"]?.array ?? []
    for edge in transitions { line("  \(Self.text(edge["from"])) --> \(Self.text(edge["to"]))") }
    let states = machine["states"]?.array ?? []
    for state in states where state["final"] == true { line("  \(Self.text(state["name"])) --> [*]") }
    line("```")
    line()
    table(["State", "Meaning"], states.map { [Self.code(Self.text($0["name"])), Self.text($0["summary"])] })
    table(
      ["From", "To", "When"],
      transitions.map {
        [Self.code(Self.text($0["from"])), Self.code(Self.text($0["to"])), Self.text($0["on"])]
      })
  }

  private mutating func limits() throws(SourceError) {
    line("## Limits")
    line()
    table(
      ["Limit", "Value", "Of what", "Past it", "Key"],
      (try files.node("limits.yaml").json["limits"]?.array ?? []).map { limit in
        let unit = Self.text(limit["unit"])
        return [
          Self.code(Self.text(limit["name"])),
          Self.text(limit["value"]) + (unit == "duration" ? "" : " \(unit)"),
          Self.text(limit["summary"]), Self.text(limit["past"]), Self.code(Self.text(limit["config"])),
        ]
      })
  }

  private mutating func failures() throws(SourceError) {
    line("## Failures of upstreams")
    line()
    table(
      ["Class", "What it is", "Statuses", "Retried", "Counts"],
      (try files.node("failures.yaml").json["classes"]?.array ?? []).map { row in
        let tries = row["tries"].map { ", \($0) tries" } ?? ""
        let counts = row["counts"]?.bool.map { $0 ? "yes" : "no" } ?? "once a window"
        return [
          Self.code(Self.text(row["name"])), Self.text(row["summary"]),
          (row["statuses"]?.array ?? []).map(Self.text).joined(separator: ", "),
          (row["retry"] == true ? "yes" : "no") + tries, counts,
        ]
      })
  }

  private mutating func faults() {
    line("## Faults")
    line()
    line("What `mock-litellm` does on command, and what an orchestrator does about it.")
    line()
    table(
      ["Fault", "What happens", "On the wire", "Class", "What must be done"],
      spec.faults.map { fault in
        [
          Self.code(fault.name), fault.summary, fault.wire, Self.code(fault.failure?.rawValue ?? ""),
          (fault.must + fault.should.map { "should: \($0)" }).joined(separator: "; "),
        ]
      })
  }

  private mutating func configuration() {
    line("## Configuration")
    line()
    table(
      ["Key", "Type", "Default", "Variables", "Meaning"],
      spec.configuration.map { key in
        let values = key.oneOf.isEmpty ? "" : ": \(key.oneOf.joined(separator: ", "))"
        return [
          Self.code(key.key), key.kind.rawValue + values, Self.code(key.fallback ?? ""),
          key.variables.filter { !$0.contains("*") }.map(Self.code).joined(separator: ", "), key.summary,
        ]
      })
  }

  private mutating func requirements() throws(SourceError) {
    line("## Requirements")
    line()
    line("The cases of `Fixtures/` name these as `req:NAME`.")
    line()
    let all = spec.requirements.values.sorted {
      ($0.place.file, $0.place.line) < ($1.place.file, $1.place.line)
    }
    table(
      ["Name", "Level", "What holds"],
      all.map { [Self.code($0.id), $0.level.rawValue.uppercased(), $0.text] })
    markdown.removeLast()
  }
}

/// A schema in a few words.
private struct SchemaWords {
  private(set) var type: String
  private(set) var meaning: String

  init(_ schema: JSONValue, _ definitions: JSONValue?) {
    var schema = schema
    if let reference = schema["$ref"]?.string {
      let name = reference.split(separator: "/").last.map(String.init) ?? reference
      if name == "task" {
        type = "task, as [\(ProtocolPage.taskReader)](#\(ProtocolPage.taskReader)) gives it"
        meaning = ""
        return
      }
      schema = definitions?[name] ?? schema
    }
    func text(_ value: JSONValue) -> String { value.string ?? value.description }
    if let values = schema["enum"]?.array {
      type = values.map { "`\(text($0))`" }.joined(separator: ", ")
    } else if schema["items"] != nil {
      let items = schema["items"].map { SchemaWords($0, definitions).type } ?? ""
      type = "array of " + items
    } else {
      let members = schema["properties"]?.object?.keys ?? []
      let inside = members.isEmpty ? "" : " with \(members.map { "`\($0)`" }.joined(separator: ", "))"
      type = (schema["type"].map(text) ?? "any") + (schema["format"].map { ", \(text($0))" } ?? "") + inside
    }
    var words: [String] = []
    let bounds = [
      ("minLength", "at least", "characters"), ("maxLength", "at most", "characters"),
      ("minimum", "at least", ""), ("maximum", "at most", ""), ("maxItems", "at most", "elements"),
    ]
    for (key, word, unit) in bounds {
      guard let bound = schema[key] else { continue }
      let plural = bound == 1 && !unit.isEmpty ? String(unit.dropLast()) : unit
      words.append("\(word) \(bound)\(plural.isEmpty ? "" : " \(plural)")")
    }
    let limits = words.joined(separator: ", ")
    meaning = limits.prefix(1).uppercased() + limits.dropFirst() + (limits.isEmpty ? "" : ".")
    if let description = schema["description"] {
      meaning = meaning.isEmpty ? text(description) : "\(text(description)) \(meaning)"
    }
  }
}
