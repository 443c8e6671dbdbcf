internal import JSON
internal import Wire

// What can be done to answers in HTTP, and to those of upgrades.
extension MutationPlan {
  mutating func addAnswers() {
    for (connection, step) in recording.openedBy.sorted(by: { $0.key < $1.key }) {
      guard transcript.steps.indices.contains(step), let answer = recording.answers[connection] else {
        continue
      }
      func change(_ change: AnswerChange) -> Mutation.Change { .answer(connection: connection, change) }
      switch (transcript.steps[step].action, answer) {
      case (.connect(let connect), .upgraded(let head)):
        guard case .accepted(let subprotocol, let headers) = connect.outcome else { continue }
        add(.upgradeRefused, step: step, change(.refuse))
        add(
          .headerChanged, step: step, detail: "Sec-WebSocket-Accept",
          change(.header("Sec-WebSocket-Accept", "x")))
        if let subprotocol {
          addHeader(
            Matcher.Member(key: "Sec-WebSocket-Protocol", matcher: subprotocol), head.headers, connection,
            step)
        }
        for member in headers { addHeader(member, head.headers, connection, step) }
      case (.connect(let connect), .answered(let exchange)):
        guard case .refused(let answered) = connect.outcome else { continue }
        add(.upgradeAccepted, step: step, change(.accept))
        addAnswer(answered, exchange, connection, step)
      case (.http(let http), .answered(let exchange)):
        addAnswer(http.answer, exchange, connection, step)
        add(.answerCut, step: step, change(.cut))
      default: continue
      }
    }
  }

  private mutating func addAnswer(
    _ expected: Answered, _ exchange: ProxiedExchange, _ connection: Int, _ step: Int
  ) {
    func change(_ change: AnswerChange) -> Mutation.Change { .answer(connection: connection, change) }
    let status = exchange.response.status == 500 ? 502 : 500
    add(.statusChanged, step: step, detail: String(status), change(.status(status)))
    if exchange.response.status != 200, !transcript.steps[step].isUpgrade {
      add(.statusChanged, step: step, detail: "200", change(.status(200)))
    }
    for member in expected.headers { addHeader(member, exchange.response.headers, connection, step) }
    guard let body = expected.body else { return }
    guard let value = try? JSONParser.parse(exchange.responseBody) else {
      // A short text may be any.
      var bindings = Bindings()
      if !body.match(ValueMutations.otherText, &bindings).isEmpty {
        add(.bodyChanged, step: step, change(.body("Something else")))
      }
      add(.bodyChanged, step: step, detail: "empty", change(.body("")))
      return
    }
    var edits = ValueMutations()
    edits.add(body, value, at: JSONPointer())
    for mutation in edits.list where mutation.edit.edited(value) != value {
      add(
        .bodyChanged, step: step, detail: "\(mutation.kind.rawValue) \(mutation.place)",
        at: body.deepestPlace(mutation.place.tokens[...]), change(.edit(mutation.edit)))
    }
  }

  private mutating func addHeader(
    _ member: Matcher.Member, _ headers: HTTPHeaders, _ connection: Int, _ step: Int
  ) {
    let name = member.key
    func change(_ value: String?) -> Mutation.Change {
      .answer(connection: connection, .header(name, value))
    }
    if headers[name] != nil, !member.matcher.allowsAbsence {
      add(.headerDropped, step: step, detail: name, change(nil))
    }
    add(.headerChanged, step: step, detail: name, change(headers[name] == nil ? "mcp" : "other"))
  }
}

extension Step {
  fileprivate var isUpgrade: Bool { if case .connect = action { true } else { false } }
}
