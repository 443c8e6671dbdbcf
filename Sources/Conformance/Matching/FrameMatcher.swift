package import JSON

/// How the messages of a transcript are framed.
package enum TranscriptDialect: String, Sendable, CaseIterable {
  case bare, jsonrpc
  case mcp20241105 = "mcp-2024-11-05"
  case mcp20250326 = "mcp-2025-03-26"
  case mcp20250618 = "mcp-2025-06-18"
  case mcp20251125 = "mcp-2025-11-25"
  case mcp20260728 = "mcp-2026-07-28"
  /// No envelope: messages match as they stand.
  case raw
}

/// What a whole message must be: the envelope of its dialect strictly, what is inside as a subset.
package struct FrameMatcher: Sendable {
  package let matcher: Matcher
  let dialect: TranscriptDialect

  package init(_ matcher: Matcher, dialect: TranscriptDialect) {
    self.matcher = matcher
    self.dialect = dialect
  }

  package func match(_ value: JSONValue, _ bindings: inout Bindings) -> [Difference] {
    if case .all(let checks, nil) = matcher.rule, checks.count == 1, case .oneOf(let choices) = checks[0] {
      for choice in choices where FrameMatcher(choice, dialect: dialect).match(value, &bindings).isEmpty {
        return []
      }
      return [Difference(JSONPointer(), expected: FlowText.text(matcher.source), got: value)]
    }
    var tried = bindings
    let differences =
      matcher.match(value, at: JSONPointer(), &tried) + envelope(value, matcher, JSONPointer())
    if differences.isEmpty { bindings = tried }
    return differences
  }

  private func envelope(_ value: JSONValue, _ matcher: Matcher, _ path: JSONPointer) -> [Difference] {
    guard dialect != .raw else { return [] }
    switch matcher.rule {
    case .object(let members):
      guard let object = value.object else { return [] }
      return envelope(object, members, path)
    case .array(let elements):
      guard let values = value.array, values.count == elements.count else { return [] }
      return elements.indices.flatMap { envelope(values[$0], elements[$0], path.appending($0)) }
    default: return []
    }
  }

  private func envelope(_ object: JSONObject, _ members: [Matcher.Member], _ path: JSONPointer)
    -> [Difference]
  {
    var differences: [Difference] = []
    if dialect.isJSONRPC, !members.contains(where: { $0.key == "jsonrpc" }), object["jsonrpc"] != "2.0" {
      differences.append(
        Difference(path.appending("jsonrpc"), expected: "\"2.0\"", got: object["jsonrpc"]))
    }
    let allowed = allowedKeys(members)
    for (key, value) in object where !allowed.contains(key) {
      differences.append(Difference(path.appending(key), expected: "(no such member)", got: value))
    }
    // JSON-RPC 2.0 §5: id is REQUIRED in a response; notifications have a method instead.
    if dialect.isJSONRPC, !members.contains(where: { $0.key == "method" }), !object.contains("id"),
      !members.contains(where: { $0.key == "id" })
    {
      differences.append(Difference(path.appending("id"), expected: "{$type: id}", got: nil))
    }
    return differences + errorShape(object, path) + idText(object, members, path)
  }

  private func allowedKeys(_ members: [Matcher.Member]) -> Set<String> {
    var allowed = Set(members.map(\.key))
    let says = members.contains { ["result", "error", "method"].contains($0.key) && !$0.matcher.isAbsent }
    if !says { allowed.formUnion(["result", "error"]) }
    if dialect.isJSONRPC {
      allowed.insert("jsonrpc")
      if !allowed.contains("method") { allowed.insert("id") }
    }
    return allowed
  }

  /// An error object has an integer code and a message (JSON-RPC 2.0 §5.1).
  private func errorShape(_ object: JSONObject, _ path: JSONPointer) -> [Difference] {
    guard dialect.isJSONRPC, let error = object["error"]?.object else { return [] }
    let place = path.appending("error")
    var differences: [Difference] = []
    if !(error["code"]?.number?.isInteger ?? false) {
      differences.append(Difference(place.appending("code"), expected: "{$type: int}", got: error["code"]))
    }
    if error["message"]?.string == nil {
      differences.append(
        Difference(place.appending("message"), expected: "{$type: string}", got: error["message"]))
    }
    return differences
  }

  /// An id keeps its text: `1.50` is not echoed as `1.5`.
  private func idText(_ object: JSONObject, _ members: [Matcher.Member], _ path: JSONPointer) -> [Difference]
  {
    guard let expected = members.first(where: { $0.key == "id" })?.matcher, case .exactly = expected.rule,
      let wanted = expected.source.number, let got = object["id"]?.number, wanted == got,
      wanted.text != got.text
    else { return [] }
    return [Difference(path.appending("id"), expected: wanted.text, gotText: got.text)]
  }
}
