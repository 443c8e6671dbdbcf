internal import JSON
internal import ProtocolSpec

/// A request that a client repeated until its answer said what it waited for.
struct RecordedPoll {
  /// The last, and its answer.
  let request: JSONValue
  let answer: JSONValue
  let pointer: JSONPointer
  let until: String
  let allow: [String]
  /// Between two requests; nil if there was one.
  let every: Duration?
  let took: Duration

  /// `items` with what was asked again and again in one piece.
  static func folded(_ items: [RecordedItem], _ spec: Specification) -> [RecordedItem] {
    var folder = Folder(spec: spec)
    var output: [RecordedItem] = []
    var place = 0
    while place < items.count {
      if let (poll, count) = folder.poll(items[place...]) {
        let first = items[place]
        output.append(
          RecordedItem(connection: first.connection, at: first.at, number: first.number, kind: .poll(poll)))
        for item in items[place..<(place + count)] { folder.note(item) }
        place += count
      } else {
        folder.note(items[place])
        output.append(items[place])
        place += 1
      }
    }
    return output
  }

  private struct Folder {
    let spec: Specification
    /// What was last heard of each task.
    private var states: [String: TaskState] = [:]

    init(spec: Specification) { self.spec = spec }

    mutating func note(_ item: RecordedItem) {
      guard case .server(let frame) = item.kind, let result = frame["result"] else { return }
      for told in [result, result["structuredContent"] ?? .null] {
        guard let task = told["task_id"]?.string,
          let state = (told["state"] ?? told["status"])?.string.flatMap(TaskState.init(rawValue:))
        else { continue }
        states[task] = state
      }
    }

    /// The poll that begins at the first of `items`, and how many of them it is.
    func poll(_ items: ArraySlice<RecordedItem>) -> (RecordedPoll, Int)? {
      var rounds: [(request: RecordedItem, frame: JSONValue, answer: JSONValue, state: String)] = []
      var pointer: JSONPointer?
      var rest = items
      while let (request, frame, answer) = Self.round(rest), let found = Self.pointer(frame, answer),
        let state = answer[found]?.string
      {
        if let first = rounds.first {
          guard Self.isSame(first.frame, frame), first.request.connection == request.connection,
            found == pointer
          else { break }
        }
        pointer = found
        rounds.append((request, frame, answer, state))
        rest = rest.dropFirst(2)
        if isEnd(state) { break }
      }
      guard let first = rounds.first, let last = rounds.last, let pointer else { return nil }
      guard isEnd(last.state) ? rounds.count > 1 || wasUnderWay(first.frame) : hasChanged(rounds.map(\.state))
      else { return nil }
      let took = last.request.at - first.request.at
      let poll = RecordedPoll(
        request: last.frame, answer: last.answer, pointer: pointer, until: last.state,
        allow: allowed(rounds.map(\.state)), every: rounds.count > 1 ? took / (rounds.count - 1) : nil,
        took: took)
      return (poll, 2 * rounds.count)
    }

    /// A request and its answer, with nothing between.
    private static func round(_ items: ArraySlice<RecordedItem>) -> (RecordedItem, JSONValue, JSONValue)? {
      guard let first = items.first, let second = items.dropFirst().first,
        first.connection == second.connection, case .client(let frame) = first.kind,
        case .server(let answer) = second.kind, frame["id"] == answer["id"]
      else { return nil }
      return (first, frame, answer)
    }

    /// Where the answer says what may change.
    private static func pointer(_ frame: JSONValue, _ answer: JSONValue) -> JSONPointer? {
      let method = frame["method"]?.string
      let tool = method == MCPMethod.toolsCall.rawValue ? frame["params"]?["name"]?.string : method
      let member = ["get_task_status": "state", "system_status": "system_state"][tool ?? ""]
      guard let member else { return nil }
      for path in [["result", member], ["result", "structuredContent", member]] {
        let pointer = JSONPointer(tokens: path)
        if answer[pointer]?.string != nil { return pointer }
      }
      return nil
    }

    private static func isSame(_ a: JSONValue, _ b: JSONValue) -> Bool {
      func asked(_ value: JSONValue) -> JSONValue {
        guard var object = value.object else { return value }
        object["id"] = nil
        return .object(object)
      }
      return asked(a) == asked(b)
    }

    private func isEnd(_ state: String) -> Bool {
      TaskState(rawValue: state).map { spec.taskStates.final.contains($0) } ?? false
    }

    private func wasUnderWay(_ frame: JSONValue) -> Bool {
      let params = frame["params"]
      guard let task = (params?["arguments"] ?? params)?["task_id"]?.string, let state = states[task] else {
        return false
      }
      return !spec.taskStates.final.contains(state)
    }

    /// The system went from one state to another while it was asked.
    private func hasChanged(_ states: [String]) -> Bool {
      guard let last = states.last, SystemState(rawValue: last) != nil else { return false }
      return states.contains { $0 != last }
    }

    private func allowed(_ seen: [String]) -> [String] {
      guard TaskState(rawValue: seen.last ?? "") != nil else {
        return SystemState.allCases.map(\.rawValue).filter { seen.dropLast().contains($0) }
      }
      return TaskState.allCases.filter { state in
        guard !spec.taskStates.final.contains(state) else { return false }
        return state != .waiting || seen.contains(state.rawValue)
      }.map(\.rawValue)
    }
  }
}
