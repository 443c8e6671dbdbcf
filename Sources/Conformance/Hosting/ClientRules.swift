package import JSON
internal import JSONSchema
package import ProtocolSpec

/// What holds for every text that a client sends, whatever it wants: checked on each connection, in
/// every case that plays the server.
package struct ClientRules: Sendable {
  /// A rule that was broken.
  package struct Breach: Sendable {
    /// The requirement of `Spec/client.yaml`.
    package let requirement: String
    package let message: String
    package let differences: [Difference]
  }

  private let spec: Specification
  /// Ids of requests that have not been answered.
  private var open: [JSONValue] = []
  /// Requests that have not been answered, also those without an id.
  private var waiting = 0

  package init(_ spec: Specification) { self.spec = spec }

  /// The text as JSON, and the first rule that it breaks.
  package mutating func check(_ text: [UInt8]) -> (value: JSONValue?, breach: Breach?) {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONParser.parse(text)
    } catch {
      let shown = String(String(decoding: text, as: UTF8.self).prefix(120))
      return (nil, breach("json", "the text is no JSON: \(error): \(shown)"))
    }
    guard let batch = value.array else { return (value, message(value)) }
    guard !batch.isEmpty else { return (value, breach("json", "the batch is empty")) }
    for element in batch {
      if let breach = message(element) { return (value, breach) }
    }
    return (value, nil)
  }

  /// The request of this id, or one without, has its answer.
  package mutating func answered(_ id: JSONValue?) {
    waiting = max(waiting - 1, 0)
    if let id, let place = open.firstIndex(of: id) { open.remove(at: place) }
  }

  private mutating func message(_ value: JSONValue) -> Breach? {
    guard let object = value.object else {
      return breach("json", "the text is no request", at: [], expected: "{$type: object}", value)
    }
    if let version = object["jsonrpc"], version != "2.0" {
      return breach("version", "another version", at: ["jsonrpc"], expected: "\"2.0\"", version)
    }
    guard let method = object["method"] else {
      let isAnswer = object.contains("result") || object.contains("error")
      guard isAnswer else {
        return breach(
          "json", "neither a request nor an answer", at: ["method"], expected: "{$type: string}", nil)
      }
      return nil
    }
    guard let name = method.string else {
      return breach("json", "the method is no text", at: ["method"], expected: "{$type: string}", method)
    }
    return identity(object) ?? params(object, name)
  }

  private mutating func identity(_ object: JSONObject) -> Breach? {
    // A notification of JSON-RPC waits for nothing.
    if object["id"] != nil || object["jsonrpc"] == nil { waiting += 1 }
    guard waiting <= spec.limits.inFlight else {
      return breach("in-flight", "\(waiting) requests wait for their answers, limit \(spec.limits.inFlight)")
    }
    guard let id = object["id"] else { return nil }
    guard id.string != nil || id.number != nil else {
      return breach("ids", "the id is none", at: ["id"], expected: "{$type: id}", id)
    }
    guard !open.contains(id) else {
      return breach(
        "ids", "another request of this id waits for its answer", at: ["id"], expected: "a new id", id)
    }
    open.append(id)
    return nil
  }

  private func params(_ object: JSONObject, _ name: String) -> Breach? {
    guard let method = spec.method(name) else { return nil }
    let given = object["params"] ?? .object(JSONObject())
    guard let violation = method.params.firstViolation(given) else { return nil }
    var path = ["params"] + violation.instance.tokens
    if let property = violation.property, violation.keyword == "required" { path.append(property) }
    let got = violation.keyword == "required" ? nil : given[violation.instance]
    return breach(
      "params", "the params of \(name) do not fit its schema", at: path,
      expected: "{$schema: \(name)/params} # \(violation.message)", got)
  }

  private func breach(_ rule: String, _ message: String) -> Breach {
    Breach(requirement: "client.\(rule)", message: message, differences: [])
  }

  private func breach(
    _ rule: String, _ message: String, at path: [String], expected: String, _ got: JSONValue?
  ) -> Breach {
    Breach(
      requirement: "client.\(rule)", message: message,
      differences: [Difference(JSONPointer(tokens: path), expected: expected, got: got)])
  }
}
