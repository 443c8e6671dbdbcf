import JSON
import ProtocolSpec

/// Gets from the client what a fixture asks for: by results `input_required` from 2026 on, by requests before,
/// and inside a task by the task.
struct FixtureAsking: Sendable {
  enum Outcome: Sendable {
    /// Everything is answered: `key.member` and its text.
    case values([String: String])
    /// The request ends here, with this result.
    case ended(JSONObject)
  }

  private let fixtures: Fixtures
  private let asking: FixtureSpec.Asking
  private let context: any FixtureContext

  init(_ fixtures: Fixtures, _ asking: FixtureSpec.Asking, _ context: any FixtureContext) {
    self.fixtures = fixtures
    self.asking = asking
    self.context = context
  }

  /// - Parameter values: what goes into the texts of the questions.
  /// - Throws: for a client that may not be asked, and for answers that are none.
  func answers(_ values: [String: String]) async throws(ProtocolFault) -> Outcome {
    if let text = asking.elseText, asking.rounds.allSatisfy({ declared($0).isEmpty }) {
      return .ended(["content": [["type": "text", "text": .string(text)]]])
    }
    if let task = context as? FixtureTaskContext { return await askWithin(task, values) }
    if context.revision.isStateless { return try askByResult(values) }
    return await askByRequest(values)
  }

  /// - Throws: if the client has not declared all that is asked for.
  func checkDeclared() throws(ProtocolFault) {
    guard asking.elseText == nil else { return }
    let needed = asking.rounds.joined().map { ClientInput.capability(of: $0.method) }
    guard !needed.allSatisfy(context.declares) else { return }
    throw fixtures.missing(JSONObject(needed.map { ($0, [:]) }))
  }

  /// What of a round the client may be asked for.
  private func declared(_ round: [FixtureSpec.Ask]) -> [FixtureSpec.Ask] {
    guard asking.elseText != nil else { return round }
    return round.filter { context.declares(ClientInput.capability(of: $0.method)) }
  }

  // MARK: - By results

  private func askByResult(_ values: [String: String]) throws(ProtocolFault) -> Outcome {
    try checkDeclared()
    var responses = JSONObject()
    if let given = context.params["inputResponses"] {
      guard case .object(let members) = given else {
        throw fixtures.invalidParams(JSONPointer(tokens: ["inputResponses"]), "must be an object")
      }
      responses = members
    }
    var (answered, isKnown) = try stateBefore()
    // Answers without the state that they belong to are answers to nothing.
    if !isKnown { responses = JSONObject() }
    for round in asking.rounds {
      let asks = declared(round)
      for ask in asks {
        guard let response = responses[ask.key] else { continue }
        try check(response, to: ask)
        answered[ask.key] = response
      }
      let open = asks.filter { !answered.contains($0.key) }
      guard open.isEmpty else { return .ended(inputRequired(open, answered, values)) }
    }
    return .values(found(in: answered))
  }

  /// What was answered in the rounds before, and whether answers may come with this request.
  private func stateBefore() throws(ProtocolFault) -> (JSONObject, Bool) {
    guard asking.isSealed else { return (JSONObject(), true) }
    guard let sealed = context.params["requestState"] else { return (JSONObject(), false) }
    guard let text = sealed.string, case .object(let answered)? = context.open(text) else {
      throw fixtures.invalidParams(
        JSONPointer(tokens: ["requestState"]), fixtures.spec.fixtures.messages.badState)
    }
    return (answered, true)
  }

  private func inputRequired(
    _ asks: [FixtureSpec.Ask], _ answered: JSONObject, _ values: [String: String]
  ) -> JSONObject {
    var result: JSONObject = [
      "resultType": "input_required", "inputRequests": .object(requests(asks, values)),
    ]
    if asking.isSealed { result["requestState"] = .string(context.seal(.object(answered))) }
    return result
  }

  private func check(_ response: JSONValue, to ask: FixtureSpec.Ask) throws(ProtocolFault) {
    guard !Self.answers(response, ask.method) else { return }
    throw fixtures.invalidParams(
      JSONPointer(tokens: ["inputResponses", ask.key]),
      fill(fixtures.spec.fixtures.messages.badAnswer, ["method": ask.method]))
  }

  // MARK: - By requests

  private func askByRequest(_ values: [String: String]) async -> Outcome {
    var answered = JSONObject()
    for ask in asking.rounds.lazy.joined() {
      let capability = ClientInput.capability(of: ask.method)
      guard context.declares(capability) else {
        if asking.elseText != nil { continue }
        return .ended(fixtures.unsupported(capability))
      }
      let params = fillTexts(.object(ask.params), values).object ?? ask.params
      do throws(ProtocolFault) {
        let answer = try await context.ask(ask.method, params)
        guard Self.answers(answer, ask.method) else {
          let text = fill(fixtures.spec.fixtures.messages.badAnswer, ["method": ask.method])
          return .ended(Fixtures.failure(text))
        }
        answered[ask.key] = answer
      } catch {
        return .ended(Fixtures.failure(error.message))
      }
    }
    return .values(found(in: answered))
  }

  // MARK: - Within a task

  private func askWithin(_ task: FixtureTaskContext, _ values: [String: String]) async -> Outcome {
    var answered = JSONObject()
    for round in asking.rounds {
      let asks = declared(round)
      guard !asks.isEmpty else { continue }
      for (key, answer) in await task.answers(to: requests(asks, values)) { answered[key] = answer }
    }
    return .values(found(in: answered))
  }

  // MARK: - Answers

  private func requests(_ asks: [FixtureSpec.Ask], _ values: [String: String]) -> JSONObject {
    JSONObject(
      asks.lazy.map { ask in
        let params = fillTexts(.object(ask.params), values)
        return (ask.key, ["method": .string(ask.method), "params": params])
      })
  }

  /// Whether `answer` has the members that the result of `method` must have.
  private static func answers(_ answer: JSONValue, _ method: String) -> Bool {
    switch ClientInput.capability(of: method) {
    case "elicitation": ["accept", "decline", "cancel"].contains(answer["action"]?.string)
    case "sampling": answer["role"]?.string != nil && answer["content"] != nil
    default: answer["roots"]?.array != nil
    }
  }

  private func found(in answers: JSONObject) -> [String: String] {
    var values: [String: String] = [:]
    for ask in asking.rounds.lazy.joined() {
      let answer = answers[ask.key] ?? .null
      let members: [String: String] =
        switch ClientInput.capability(of: ask.method) {
        case "elicitation": Self.form(answer, ask.params)
        case "sampling": ["text": Self.text(answer)]
        default: Self.roots(answer)
        }
      for (name, text) in members { values["\(ask.key).\(name)"] = text }
    }
    return values
  }

  /// The action, the whole content as JSON, and its fields; a question mark for a field that was not filled in.
  private static func form(_ answer: JSONValue, _ params: JSONObject) -> [String: String] {
    let content = answer["content"]?.object ?? JSONObject()
    var members: [String: String] = [:]
    for (field, _) in params["requestedSchema"]?["properties"]?.object ?? JSONObject() {
      members[field] = content[field].map { $0.string ?? JSONWriter.text($0) } ?? "?"
    }
    members["action"] = answer["action"]?.string ?? "none"
    members["content"] = JSONWriter.text(.object(content))
    return members
  }

  /// The texts of a message, whose content is one block or several.
  private static func text(_ answer: JSONValue) -> String {
    let blocks = answer["content"]?.array ?? answer["content"].map { [$0] } ?? []
    let texts = blocks.compactMap { $0["text"]?.string }
    return texts.isEmpty ? "no text" : texts.joined(separator: " ")
  }

  private static func roots(_ answer: JSONValue) -> [String: String] {
    let roots = answer["roots"]?.array ?? []
    let uris = roots.compactMap { $0["uri"]?.string }
    return ["count": String(roots.count), "uris": uris.joined(separator: ", ")]
  }
}
