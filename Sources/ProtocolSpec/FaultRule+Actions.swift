internal import JSON

extension FaultRuleReader {
  /// Entries of a sequence at the most.
  private static let longestSequence = 10_000

  /// `sequence: [{status: 500}, ok, {fault: hang}]`; nil without one.
  func sequence(_ faults: [FaultSpec]) throws(FaultRuleError) -> FaultAction? {
    let repeats = try flag("repeat")
    guard let value = members["sequence"] else {
      if repeats { throw error("repeat", "repeat is for a sequence") }
      return nil
    }
    guard let list = value.array, !list.isEmpty, list.count <= Self.longestSequence else {
      throw error("sequence", "a list of 1 to \(Self.longestSequence) rules is expected")
    }
    var entries: [FaultRule?] = []
    for (index, entry) in list.enumerated() {
      if entry == "ok" {
        entries.append(nil)
        continue
      }
      func failed(_ message: String, at tokens: [String] = []) -> FaultRuleError {
        FaultRuleError(
          pointer: JSONPointer(tokens: ["sequence", String(index)] + tokens), message: message)
      }
      guard entry.object != nil else { throw failed("a rule or ok is expected, not \(entry)") }
      do throws(FaultRuleError) {
        let rule = try FaultRule(entry, faults: faults, isEntry: true)
        switch rule.action {
        case .refuseConnection, .refuseListening, .sequence:
          throw failed("a refused connection or a sequence cannot stand in a sequence")
        default: entries.append(rule)
        }
      } catch {
        throw error.pointer.tokens.first == "sequence"
          ? error : failed(error.message, at: error.pointer.tokens)
      }
    }
    return .sequence(entries, repeats: repeats)
  }

  func action(times: Int?, sequence: FaultAction?) throws(FaultRuleError) -> FaultAction {
    var actions: [(key: String, action: FaultAction)] = []
    if let status = try int("status", atLeast: 200) {
      guard status <= 599 else {
        throw error("status", "a status from 200 to 599 is expected, not \(status)")
      }
      actions.append(
        (
          "status",
          .answer(status: status, type: try text("type"), message: try text("message"), body: members["body"])
        ))
    } else if let body = members["body"] {
      actions.append(("body", .answer(status: 200, type: nil, message: nil, body: body)))
    }
    if let bytes = try int("truncate", atLeast: 1) { actions.append(("truncate", .truncate(bytes: bytes))) }
    if try flag("malformed") { actions.append(("malformed", .malformed)) }
    let events = try int("events", atLeast: 0)
    for end in [BreakEnd.hang, .reset, .close] {
      guard let point = try breakPoint(end.rawValue) else { continue }
      guard point == .accept else {
        actions.append((end.rawValue, .breakOff(point, end, events: events)))
        continue
      }
      if end == .hang { throw error("hang", "a connection that was accepted has no answer to hang in") }
      try refuseMatching()
      actions.append((end.rawValue, .refuseConnection(end)))
    }
    if try flag("refuse") { actions.append(("refuse", try refusal(times: times))) }
    if let text = try text("raw") { actions.append(("raw", .raw(Array(text.utf8)))) }
    if let fault = try choice("stream", StreamFault.self) {
      actions.append(("stream", .stream(fault, events: events)))
    }
    if let sequence { actions.append(("sequence", sequence)) }
    if actions.count > 1 {
      throw error(actions[1].key, "\(actions[1].key) and \(actions[0].key) exclude each other")
    }
    if events != nil { try checkEvents(actions.first?.action) }
    return actions.first?.action ?? .serve
  }

  /// `true` breaks off behind the request.
  private func breakPoint(_ key: String) throws(FaultRuleError) -> BreakPoint? {
    guard members[key]?.bool == nil else { return try flag(key) ? .request : nil }
    return try choice(key, BreakPoint.self)
  }

  /// A closed port cannot count who knocks, so a counted refusal resets each connection as it is made.
  private func refusal(times: Int?) throws(FaultRuleError) -> FaultAction {
    try refuseMatching()
    guard times != nil else { return .refuseListening }
    if members.contains("for") { throw error("for", "for and times exclude each other") }
    return .refuseConnection(.reset)
  }

  private func refuseMatching() throws(FaultRuleError) {
    if members.contains("on") { throw error("on", "a refused connection has no request to match") }
  }

  private func checkEvents(_ action: FaultAction?) throws(FaultRuleError) {
    switch action {
    case .stream, .breakOff(.middle, _, _): return
    default: throw error("events", "events is for a stream that breaks off in the middle or is not as usual")
    }
  }
}
