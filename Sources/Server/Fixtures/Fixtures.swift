import JSON
import ProtocolSpec

/// The fixtures of `Spec/fixtures.yaml`, served beside the five tools with `--conformance-fixtures`.
final class Fixtures: Sendable {
  let spec: Specification
  let tasks: FixtureTasks

  /// - Parameter tasks: where calls live that became tasks.
  init(_ spec: Specification, tasks: FixtureTasks = FixtureTasks()) {
    self.spec = spec
    self.tasks = tasks
  }

  func hasTool(_ name: String) -> Bool { tool(name) != nil }

  func hasPrompt(_ name: String) -> Bool { prompt(name) != nil }

  /// Whether what `completion/complete` asks about is here; there is never anything to suggest.
  func completes(_ reference: JSONValue?) -> Bool {
    hasPrompt(reference?["name"]?.string ?? "")
      || spec.fixtures.templates.contains { $0.uri == reference?["uri"]?.string }
  }

  /// The result of `tools/call`; nil if there is no such tool here.
  func callTool(
    _ name: String, _ arguments: JSONObject, _ context: any FixtureContext
  ) async throws(ProtocolFault) -> JSONObject? {
    guard let tool = tool(name) else { return nil }
    var given = arguments
    for (key, value) in tool.defaults where !given.contains(key) { given[key] = value }
    if let mistake = tool.mistake(in: given) {
      guard context.revision.has(.inputFaultsAsResults) else {
        throw invalidParams(JSONPointer(tokens: ["arguments"] + mistake.path.tokens), mistake.message)
      }
      return Self.failure("\(mistake.path): \(mistake.message)")
    }
    let call = FixtureCall(fixtures: self, tool: tool, arguments: given, context: context)
    guard context.revision.isStateless, tool.tasks != .never else { return try await call.run() }
    if context.declaresTasks { return try await call.startTask() }
    guard tool.tasks == .optional else {
      throw missing(["extensions": .object([FixtureTasks.extensionName: [:]])])
    }
    return try await call.run()
  }

  /// The result of `prompts/get`; nil if there is no such prompt here.
  func getPrompt(
    _ name: String, _ arguments: JSONObject, _ context: any FixtureContext
  ) async throws(ProtocolFault) -> JSONObject? {
    guard let prompt = prompt(name) else { return nil }
    var values: [String: String] = [:]
    for argument in prompt.arguments {
      let path = JSONPointer(tokens: ["arguments", argument.name])
      guard let value = arguments[argument.name] else {
        if argument.isRequired { throw invalidParams(path, "required but missing") }
        continue
      }
      guard let text = value.string else { throw invalidParams(path, "must be a string") }
      values[argument.name] = text
    }
    if let asking = prompt.asking, context.revision.isStateless {
      switch try await FixtureAsking(self, asking, context).answers(values) {
      case .ended(let result): return result
      case .values(let found): values.merge(found) { _, new in new }
      }
    }
    return [
      "description": .string(prompt.description), "messages": fillTexts(prompt.messages, values),
    ]
  }

  /// The element of `contents` of `resources/read`; nil if there is no such resource here.
  func read(_ uri: String) -> JSONObject? {
    if let resource = spec.fixtures.resources.first(where: { $0.uri == uri }) { return resource.contents }
    for template in spec.fixtures.templates {
      guard let values = Self.match(uri, template.uri) else { continue }
      // What is filled into JSON is written as JSON writes it, without the quotes.
      let escaped = values.mapValues { String(JSONWriter.text(.string($0)).dropFirst().dropLast()) }
      return [
        "uri": .string(uri), "mimeType": .string(template.mimeType),
        "text": .string(fillNames(template.text, escaped)),
      ]
    }
    return nil
  }

  /// The values of the variables for which `template` gives `uri`; nil if it gives it for none.
  private static func match(_ uri: String, _ template: String) -> [String: String]? {
    let parts = uri.split(separator: "/", omittingEmptySubsequences: false)
    let pattern = template.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == pattern.count else { return nil }
    var values: [String: String] = [:]
    for (part, form) in zip(parts, pattern) {
      if form.hasPrefix("{"), form.hasSuffix("}"), !part.isEmpty {
        values[String(form.dropFirst().dropLast())] = String(part)
      } else if part != form {
        return nil
      }
    }
    return values
  }

  private func tool(_ name: String) -> FixtureSpec.Tool? {
    spec.fixtures.tools.first { $0.name == name }
  }

  private func prompt(_ name: String) -> FixtureSpec.Prompt? {
    spec.fixtures.prompts.first { $0.name == name }
  }

  /// A result that says what went wrong inside the tool.
  static func failure(_ text: String) -> JSONObject {
    ["content": [["type": "text", "text": .string(text)]], "isError": true]
  }

  func invalidParams(_ path: JSONPointer, _ detail: String) -> ProtocolFault {
    spec.errors.fault(
      .invalidParams, ["path": path.description, "detail": detail],
      data: JSONObject([("path", .string(path.description))]))
  }

  /// The client has not declared what the request needs.
  func missing(_ capabilities: JSONObject) -> ProtocolFault {
    let names = capabilities["extensions"]?.object?.keys ?? capabilities.keys
    return spec.errors.fault(
      .missingCapability, ["capability": names.joined(separator: ", ")],
      data: JSONObject([("requiredCapabilities", .object(capabilities))]))
  }
}
