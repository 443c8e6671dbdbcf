package import JSON
internal import JSONSchema

/// One thing that is not as the transcript says, and where in the value.
package struct Difference: Sendable, Equatable {
  package let path: JSONPointer
  /// In the notation of transcripts, with the member's name.
  package let expected: String
  package let got: String

  /// With the texts as they are printed.
  init(path: JSONPointer, expectedText: String, gotText: String) {
    self.path = path
    expected = expectedText
    got = gotText
  }

  init(_ path: JSONPointer, expected: String, got: JSONValue?) {
    self.init(path, expected: expected, gotText: got.map { FlowText.text($0) })
  }

  /// - Parameter gotText: nil for what is not there.
  init(_ path: JSONPointer, expected: String, gotText: String?) {
    let name = path.tokens.joined(separator: "/")
    let label = name.isEmpty ? "" : "\(name): "
    self.path = path
    self.expected = label + expected
    got = gotText.map { label + $0 } ?? "(absent)"
  }
}

extension Matcher {
  /// What of `value` is not as this says; empty if it matches. Captures are kept only then.
  package func match(_ value: JSONValue?, _ bindings: inout Bindings) -> [Difference] {
    match(value, at: JSONPointer(), &bindings)
  }

  func match(_ value: JSONValue?, at path: JSONPointer, _ bindings: inout Bindings) -> [Difference] {
    var tried = bindings
    let differences = differences(value, path, &tried)
    if differences.isEmpty { bindings = tried }
    return differences
  }

  private func differences(
    _ value: JSONValue?, _ path: JSONPointer, _ bindings: inout Bindings
  ) -> [Difference] {
    switch rule {
    case .exactly:
      return value == source ? [] : [difference(path, value)]
    case .object(let members):
      return self.members(members, value, path, &bindings)
    case .array(let elements):
      guard let values = value?.array else { return [difference(path, value)] }
      guard values.count == elements.count else {
        return [
          Difference(
            path, expected: "\(counted(elements.count)) \(FlowText.text(source))",
            gotText: "\(counted(values.count)) \(FlowText.text(.array(values)))")
        ]
      }
      return elements.indices.flatMap {
        elements[$0].differences(values[$0], path.appending($0), &bindings)
      }
    case .all(let checks, let capture):
      for check in checks {
        let differences = holds(check, value, path, &bindings)
        guard differences.isEmpty else { return differences }
      }
      // Only a check that allows absence has let it pass.
      guard let value else { return checks.isEmpty ? [difference(path, nil)] : [] }
      if let capture { bindings.captures[capture] = value }
      return []
    }
  }

  private func members(
    _ members: [Member], _ value: JSONValue?, _ path: JSONPointer, _ bindings: inout Bindings
  ) -> [Difference] {
    guard let object = value?.object else { return [difference(path, value)] }
    return members.flatMap { $0.matcher.differences(object[$0.key], path.appending($0.key), &bindings) }
  }

  private func counted(_ count: Int) -> String { count == 1 ? "1 element" : "\(count) elements" }

  private func difference(_ path: JSONPointer, _ value: JSONValue?) -> Difference {
    Difference(path, expected: FlowText.text(source), got: value)
  }

  private func holds(
    _ check: Check, _ value: JSONValue?, _ path: JSONPointer, _ bindings: inout Bindings
  ) -> [Difference] {
    let plain = [difference(path, value)]
    if case .absent(let expected) = check { return expected == (value == nil) ? [] : plain }
    if case .oneOf(let matchers) = check {
      for matcher in matchers where matcher.match(value, at: path, &bindings).isEmpty { return [] }
      return plain
    }
    guard let value else { return plain }
    switch check {
    case .absent, .oneOf: return []
    case .schema(let schema, _):
      return schema.validate(value).map { violation in
        let place = JSONPointer(tokens: path.tokens + violation.instance.tokens)
        return Difference(
          place, expected: "\(FlowText.text(["$schema": source["$schema"] ?? .null])) # \(violation.message)",
          got: value[violation.instance])
      }
    case .members(let members): return self.members(members, value, path, &bindings)
    case .contains(let matcher):
      return contains(matcher, value, path, &bindings) ? [] : plain
    case .length(let matcher):
      guard let length = Self.length(of: value) else { return plain }
      guard !matcher.match(.int(length), at: path, &bindings).isEmpty else { return [] }
      return [
        Difference(
          path, expected: FlowText.text(source),
          gotText: "length \(length) \(FlowText.text(value, limit: 80))")
      ]
    case .json(let matcher):
      guard let inner = value.string.flatMap({ try? JSONParser.parse($0) }) else { return plain }
      return matcher.match(inner, at: path, &bindings)
    case .joined(let parts):
      return value.string.map { JoinedText.matches($0, parts, &bindings) } ?? false ? [] : plain
    case .reference(let name):
      guard let captured = bindings.captures[name] else { return plain }
      guard captured != value else { return [] }
      return [Difference(path, expected: "\(FlowText.text(captured)) # $ref \(name)", got: value)]
    default:
      return holdsAlone(check, value, bindings) ? [] : plain
    }
  }

  /// Checks that need nothing but the value.
  private func holdsAlone(_ check: Check, _ value: JSONValue, _ bindings: Bindings) -> Bool {
    switch check {
    case .type(let type): return type.accepts(value)
    case .regex(let pattern): return value.string.map { Self.matches($0, pattern) } ?? false
    case .between(let low, let high):
      guard let number = value.number else { return false }
      return !(number < low) && !(high < number)
    case .code(let code): return value == .int(code)
    case .text(let template): return value.string.map(template.matches) ?? false
    case .secret(let name): return value.string == bindings.secrets[name]
    case .next: return value.number?.isInteger ?? false
    case .repeated(let text, let times): return value == .string(String(repeating: text, count: times))
    default: return true
    }
  }

  private func contains(
    _ matcher: Matcher, _ value: JSONValue, _ path: JSONPointer, _ bindings: inout Bindings
  ) -> Bool {
    if let text = value.string, let part = matcher.source.string { return text.contains(part) }
    for element in value.array ?? [] where matcher.match(element, at: path, &bindings).isEmpty { return true }
    return false
  }

  private static func length(of value: JSONValue) -> Int? {
    switch value {
    case .string(let text): text.unicodeScalars.count
    case .array(let elements): elements.count
    case .object(let object): object.count
    default: nil
    }
  }

  /// Whether the pattern is found anywhere; compiled here because `Regex` is not `Sendable`.
  private static func matches(_ text: String, _ pattern: String) -> Bool {
    guard let regex = try? Regex(pattern).matchingSemantics(.unicodeScalar).asciiOnlyDigits() else {
      return false
    }
    return ((try? regex.firstMatch(in: text)) ?? nil) != nil
  }
}
