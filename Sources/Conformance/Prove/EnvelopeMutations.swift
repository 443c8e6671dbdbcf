internal import JSON
internal import JSONSchema
internal import ProtocolSpec

/// What can be done to an answer such that it breaks its dialect, its error's entry in the
/// specification, or, where the case is about its method, the result's schema.
struct EnvelopeMutations {
  private(set) var list: [ValueMutation] = []
  private let plan: MutationPlan
  private let heard: PlayRecording.Heard
  private static let lookedAt = 4

  init(_ plan: MutationPlan, _ heard: PlayRecording.Heard) {
    self.plan = plan
    self.heard = heard
  }

  private mutating func set(_ kind: MutationKind, _ place: JSONPointer, _ value: JSONValue) {
    list.append(ValueMutation(kind, place, .set(place, value)))
  }

  private mutating func remove(_ kind: MutationKind, _ place: JSONPointer) {
    list.append(ValueMutation(kind, place, .remove(place)))
  }

  mutating func add(_ value: JSONValue) {
    guard plan.transcript.dialect != .raw else { return }
    guard let elements = value.array else { return add(value, at: JSONPointer()) }
    for (number, element) in elements.prefix(Self.lookedAt).enumerated() {
      add(element, at: JSONPointer(tokens: [String(number)]))
    }
  }

  private mutating func add(_ answer: JSONValue, at place: JSONPointer) {
    guard answer.object != nil else { return }
    let isBare = answer["jsonrpc"] == nil
    if !isBare {
      remove(.versionDropped, place.appending("jsonrpc"))
      set(.versionChanged, place.appending("jsonrpc"), "1.0")
    }
    if let id = answer["id"] {
      let member = place.appending("id")
      remove(.idDropped, member)
      set(.idChanged, member, id.isNull ? 1 : ValueMutations.other(id))
      if !id.isNull { set(.idRetyped, member, ValueMutations.retyped(id)) }
    }
    let method = isBare ? bareMethod : answer["id"].flatMap { asked(with: $0) }
    if let result = answer["result"] {
      addResult(result, method, isBare: isBare, at: place)
    } else if let error = answer["error"] {
      addError(error, isBare: isBare, at: place)
    }
  }

  private mutating func addResult(
    _ result: JSONValue, _ method: MethodSpec?, isBare: Bool, at place: JSONPointer
  ) {
    let error: JSONValue =
      isBare
      ? "Internal error" : ["code": -32603, "message": "Internal error", "data": .object(JSONObject())]
    set(.resultAndError, place.appending("error"), error)
    let lost: JSONValue = ["code": 1001, "message": "Task not found", "data": .object(JSONObject())]
    let wasRestarted = plan.transcript.steps.prefix(heard.step).contains { step in
      if case .restart = step.action { true } else { false }
    }
    list.append(
      ValueMutation(
        .errorForResult, place, .exchange(place, "result", for: "error", error)))
    if wasRestarted, result["task_id"] != nil {
      let lost: JSONValue = isBare ? "Task not found" : lost
      list.append(ValueMutation(.commitSkipped, place, .exchange(place, "result", for: "error", lost)))
    }
    guard plan.knowsResults, let method, plan.isAbout(method) else { return }
    let schema = isBare ? method.bareResult ?? method.result : method.result
    var inner = ValueMutations()
    inner.violations(of: schema, result, at: place.appending("result"))
    list += inner.list
  }

  private mutating func addError(_ error: JSONValue, isBare: Bool, at place: JSONPointer) {
    let member = place.appending("error")
    let result: JSONValue = isBare ? "pong" : .object(JSONObject())
    list.append(
      ValueMutation(.resultForError, place, .exchange(place, "error", for: "result", result)))
    set(.resultAndError, place.appending("result"), result)
    // The texts of the deployed endpoint are its own.
    let names = plan.knowsResults ? plan.coveredErrors : []
    guard !isBare else {
      if !names.isEmpty { set(.textChanged, member, ValueMutations.otherText) }
      return
    }
    set(.codeChanged, member.appending("code"), error["code"] == -32603 ? -32600 : -32603)
    remove(.memberDropped, member.appending("code"))
    remove(.memberDropped, member.appending("message"))
    guard let code = error["code"]?.int,
      let name = names.first(where: { plan.spec.errors[$0].code == code })
    else { return }
    set(.textChanged, member.appending("message"), ValueMutations.otherText)
    remove(.dataDropped, member.appending("data"))
    guard name == .invalidParams else { return }
    for key in ["path", "keyword"] {
      let inner = member.appending("data").appending(key)
      remove(.memberDropped, inner)
      set(.textChanged, inner, "/other")
    }
  }

  /// The method that was asked for with an id on this connection.
  private func asked(with id: JSONValue) -> MethodSpec? {
    let said = plan.recording.said[heard.place.connection] ?? []
    let requests = said.flatMap { $0.array ?? [$0] }
    return requests.last { $0["id"] == id }?["method"]?.string.flatMap(plan.spec.method)
  }

  /// In bare the answers come in the order of the requests.
  private var bareMethod: MethodSpec? {
    guard let number = heard.place.number, heard.place.epoch == 0 else { return nil }
    let said = plan.recording.said[heard.place.connection] ?? []
    guard said.indices.contains(number) else { return nil }
    return said[number]["method"]?.string.flatMap(plan.spec.method)
  }
}

extension MutationPlan {
  /// Whether the case is evidence for a method, so that all of the method's result is its business.
  func isAbout(_ method: MethodSpec) -> Bool {
    transcript.covers.contains { tag in
      switch tag {
      case .method(let name): name == method.name
      case .requirement(let id): id.hasPrefix(method.name + ".")
      default: false
      }
    }
  }

  var coveredErrors: [ErrorName] {
    transcript.covers.compactMap { tag in
      if case .error(let name) = tag { ErrorName(rawValue: name) } else { nil }
    }
  }
}
