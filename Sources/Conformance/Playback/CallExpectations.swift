package import JSON
package import ProtocolSpec
package import YAML

/// What a mock must have been asked, said as the `observe` of a transcript says it, and beside the faces
/// in which order.
///
/// ```yaml
/// litellm: {path: /v1/chat/completions, count: 2, spacing: {atLeast: 1s}}
/// direct: [{path: /v1/messages, body: {model: {$regex: ^claude}}}]
/// order: [{litellm: {path: /v1/chat/completions}}, {direct: {path: /v1/messages}}]
/// ```
package struct CallExpectations: Sendable {
  /// A call that comes after the one before it in the list.
  private struct Turn {
    let face: MockFace
    let call: Observation
  }

  private let faces: [ObservedFace]
  private let order: [Turn]

  /// - Throws: the first part of `node` that is no expectation, with its place.
  package init(_ node: YAMLNode, spec: Specification) throws(SourceError) {
    var reader = StepReader(spec: spec, dialect: .jsonrpc, within: .zero, level: .must, play: .either)
    let entries = try node.mapping().filter { $0.key != "order" }
    try node.checkKeys(MockFace.allCases.map(\.rawValue) + ["order"])
    faces = try reader.observedFaces(YAMLNode(.mapping(entries), at: node.place, in: node.source))
    var order: [Turn] = []
    for element in try node["order"]?.sequence() ?? [] {
      guard let turn = try reader.observedFaces(element).only, let call = turn.expectations.only else {
        throw element.error("a face and one call are expected, such as {litellm: {path: /v1/models}}")
      }
      guard call.count == nil, call.spacing == nil else {
        throw element.error("an element of order is one call: neither count nor spacing belong to it")
      }
      order.append(Turn(face: turn.face, call: call))
    }
    self.order = order
    guard !faces.isEmpty || !order.isEmpty else {
      throw node.error("nothing is expected: name a face, such as {litellm: {path: /v1/models, count: 1}}")
    }
  }

  /// What of a journal is not as this says; empty if all of it holds.
  ///
  /// - Parameter journal: the answer of mock-litellm to `GET /_mock/journal`.
  package func differences(_ journal: JSONValue) -> [Difference] {
    let calls = Journal(journal).calls
    var bindings = Bindings()
    var differences: [Difference] = []
    let forgotten = (journal["count"]?.int ?? calls.count) - calls.count
    if forgotten > 0 {
      differences.append(
        Difference(
          JSONPointer(tokens: ["calls"]), expected: "the whole journal",
          gotText: "without its first \(forgotten) calls, which were forgotten"))
    }
    for face in faces {
      for expectation in face.expectations {
        differences += expectation.differences(calls, face: face.face, &bindings)
      }
    }
    return differences + orderDifferences(calls, &bindings)
  }

  /// Each turn takes the first call behind that of the turn before it, which leaves most to the next.
  private func orderDifferences(_ calls: [Journal.Call], _ bindings: inout Bindings) -> [Difference] {
    var rest = calls[...]
    for (number, turn) in order.enumerated() {
      let place = rest.firstIndex { turn.call.isMet(by: $0, face: turn.face, &bindings) }
      guard let place else {
        let before = number == 0 ? "" : " behind that of element \(number - 1)"
        return [
          Difference(
            JSONPointer(tokens: ["order"]).appending(number),
            expected: "a call of \(turn.face.rawValue) \(turn.call.path)\(before)",
            gotText: rest.isEmpty
              ? "no call" : rest.map { "\($0.face) \($0.method) \($0.path)" }.joined(separator: ", "))
        ]
      }
      rest = rest[(place + 1)...]
    }
    return []
  }
}

extension Array {
  /// The element of an array that has one.
  fileprivate var only: Element? { count == 1 ? first : nil }
}
