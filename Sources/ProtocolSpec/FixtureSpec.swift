package import JSON
internal import JSONSchema
internal import YAML

/// `Spec/fixtures.yaml`: what the server has for the scenarios of the official MCP conformance suite.
package struct FixtureSpec: Sendable {
  package let tools: [Tool]
  package let prompts: [Prompt]
  package let resources: [Resource]
  package let templates: [Template]
  package let messages: Messages

  /// A request to the client, whose params have `{name}` where values go.
  package struct Ask: Sendable {
    /// What the answer is known by.
    package let key: String
    package let method: String
    package let params: JSONObject
  }

  /// What is asked for, round after round.
  package struct Asking: Sendable {
    package let rounds: [[Ask]]
    /// Whether what was answered so far goes through the client, sealed.
    package let isSealed: Bool
    /// Whether only what the client has declared is asked for; the text where that is nothing.
    package let elseText: String?
    /// Whether the answers come before a task is made.
    package let isBeforeTask: Bool
  }

  /// What a tool does beside giving its result.
  package enum Handler: Sendable {
    case none
    case log([LogEntry], pause: Duration)
    case progress(Progress, pause: Duration)
    /// Lets the time of an integer argument pass, in units, telling progress after every pause.
    case wait(argument: String, unit: Duration, pause: Duration)
    case ask(Asking)
    case require(JSONObject)
    case change(ListName)
    case reconnect(pause: Duration)
    case fault
  }

  package struct LogEntry: Sendable {
    package let level: String
    package let data: JSONValue
  }

  package struct Progress: Sendable {
    package let steps: [Int]
    package let total: Int
    /// With `{step}` and `{total}`.
    package let message: String
  }

  package enum ListName: String, Sendable, CaseIterable {
    case tools
    case prompts
    case resources
  }

  /// Whether a call becomes a task of the extension.
  package enum TaskSupport: String, Sendable, CaseIterable {
    case never
    /// Where the client has the extension.
    case optional
    /// A client without it is refused.
    case required
  }

  package struct Tool: Sendable {
    package let name: String
    package let title: String
    package let description: String
    package let inputSchema: JSONValue
    let input: JSONSchema
    /// Values of arguments that may be absent.
    package let defaults: JSONObject
    package let tasks: TaskSupport
    package let handler: Handler
    /// With `{name}` where values go.
    package let result: JSONObject

    /// What is wrong with `arguments`: where, below them, and in which words; nil if they fit.
    package func mistake(in arguments: JSONObject) -> (path: JSONPointer, message: String)? {
      input.firstViolation(.object(arguments)).map { violation in
        let isMissing = violation.keyword == "required"
        let property = isMissing ? violation.property : nil
        return (property.map(violation.instance.appending) ?? violation.instance, violation.message)
      }
    }
  }

  package struct Prompt: Sendable {
    package struct Argument: Sendable {
      package let name: String
      package let description: String
      package let isRequired: Bool
    }

    package let name: String
    package let title: String
    package let description: String
    package let arguments: [Argument]
    /// What is asked for before it is given.
    package let asking: Asking?
    /// With `{name}` where values go.
    package let messages: JSONValue
  }

  package struct Resource: Sendable {
    package let uri: String
    package let name: String
    package let title: String
    package let description: String
    package let mimeType: String
    /// Of `resources/read`.
    package let contents: JSONObject
  }

  /// A template of RFC 6570, level 1, whose variables stand for one segment each.
  package struct Template: Sendable {
    package let uri: String
    package let name: String
    package let title: String
    package let description: String
    package let mimeType: String
    /// JSON, with `{name}` where values go.
    package let text: String
  }

  package struct Messages: Sendable {
    /// With `{capability}`.
    package let unsupported: String
    package let badState: String
    /// With `{method}`.
    package let badAnswer: String
  }

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["format", "assets", "tools", "prompts", "resources", "templates", "texts"])
    let assets = try node.required("assets")
    for asset in try assets.mapping() { _ = try asset.value.string() }
    let reader = FixtureReader(assets: assets.json.object ?? JSONObject())
    tools = try FixtureReader.list(node.required("tools"), reader.tool, name: \.name)
    prompts = try FixtureReader.list(node.required("prompts"), reader.prompt, name: \.name)
    resources = try FixtureReader.list(node.required("resources"), reader.resource, name: \.uri)
    templates = try FixtureReader.list(node.required("templates"), reader.template, name: \.uri)
    let texts = try node.required("texts")
    try texts.checkKeys(["unsupported", "bad_state", "bad_answer"])
    messages = Messages(
      unsupported: try texts.required("unsupported").string(),
      badState: try texts.required("bad_state").string(),
      badAnswer: try texts.required("bad_answer").string())
  }
}

/// `value` with every `{name}` in its texts replaced, where `values` has it; other braces stay.
package func fillTexts(_ value: JSONValue, _ values: [String: String]) -> JSONValue {
  switch value {
  case .string(let text): .string(fillNames(text, values))
  case .array(let elements): .array(elements.map { fillTexts($0, values) })
  case .object(let members):
    .object(JSONObject(members.lazy.map { ($0.key, fillTexts($0.value, values)) }))
  default: value
  }
}

/// `template` with every `{name}` replaced that `values` has, name being letters, digits, dots and underscores.
package func fillNames(_ template: String, _ values: [String: String]) -> String {
  var text = ""
  var rest = template[...]
  while let open = rest.firstIndex(of: "{") {
    text += rest[..<open]
    let inside = rest[rest.index(after: open)...]
    let name = inside.prefix { $0.isLetter || $0.isNumber || $0 == "." || $0 == "_" }
    if name.endIndex < inside.endIndex, inside[name.endIndex] == "}", let value = values[String(name)] {
      text += value
      rest = inside[inside.index(after: name.endIndex)...]
    } else {
      text += "{"
      rest = inside
    }
  }
  return text + rest
}
