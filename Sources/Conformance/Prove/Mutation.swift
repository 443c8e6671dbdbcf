package import JSON
internal import ProtocolSpec
package import YAML

/// What is done to one thing that a target says.
package enum MutationKind: String, Sendable, CaseIterable {
  // Values of a message.
  case memberDropped = "member-dropped"
  case memberAdded = "member-added"
  case typeChanged = "type-changed"
  case valueChanged = "value-changed"
  case stateChanged = "state-changed"
  case elementDropped = "element-dropped"
  case elementAdded = "element-added"
  case orderSwapped = "order-swapped"
  // The envelope.
  case versionDropped = "version-dropped"
  case versionChanged = "version-changed"
  case idDropped = "id-dropped"
  case idChanged = "id-changed"
  case idRetyped = "id-retyped"
  case resultAndError = "result-and-error"
  case errorForResult = "error-for-result"
  case resultForError = "result-for-error"
  case codeChanged = "code-changed"
  case textChanged = "text-changed"
  case dataDropped = "data-dropped"
  case commitSkipped = "commit-skipped"
  // Frames and connections.
  case frameMissing = "frame-missing"
  case frameTwice = "frame-twice"
  case frameLate = "frame-late"
  case frameCut = "frame-cut"
  case framesSwapped = "frames-swapped"
  case frameAdded = "frame-added"
  case textCut = "text-cut"
  case binaryForText = "binary-for-text"
  case closeForFrame = "close-for-frame"
  case endForFrame = "end-for-frame"
  case closeCodeChanged = "close-code-changed"
  case closeLate = "close-late"
  case frameForClose = "frame-for-close"
  case pongChanged = "pong-changed"
  case pongMissing = "pong-missing"
  // Answers in HTTP.
  case upgradeRefused = "upgrade-refused"
  case upgradeAccepted = "upgrade-accepted"
  case statusChanged = "status-changed"
  case headerDropped = "header-dropped"
  case headerChanged = "header-changed"
  case bodyChanged = "body-changed"
  case answerCut = "answer-cut"
  // The backend and the process.
  case callMissing = "call-missing"
  case callAdded = "call-added"
  case callChanged = "call-changed"
  case callsTooClose = "calls-too-close"
  case faultUnused = "fault-unused"
  case exitChanged = "exit-changed"
}

/// One thing that is done in one play of a case, which has to notice it.
package struct Mutation: Sendable {
  package enum Change: Sendable {
    case frame(FramePlace, FrameChange)
    /// Of the answer on the connection with this number.
    case answer(connection: Int, AnswerChange)
    case calls(CallsChange)
    case exit
  }

  package let kind: MutationKind
  /// The step that must notice it, counted from 0; the number of steps stands for the end of the case.
  package let step: Int
  /// Which value, connection or call; empty where there is but one.
  package let detail: String
  /// Of the step, or of what is expected in it.
  package let place: SourcePlace
  package let change: Change
  /// Tells apart what is done to one value in two ways.
  package var variant = 1

  /// `2.member-dropped:/result/status`: steps count from 1 here, as people do.
  package var id: String {
    let subject = detail.isEmpty ? "" : ":\(detail)"
    return "\(step + 1).\(kind.rawValue)\(subject)\(variant > 1 ? "~\(variant)" : "")"
  }
}

/// A message on its way to the client, such that the same one is found in the next play.
package struct FramePlace: Sendable, Hashable {
  package enum Kind: Sendable { case message, pong, close }

  /// Connections count from 1, in the order in which they are opened.
  package let connection: Int
  package let kind: Kind
  /// Polls ask as often as they must, so what follows one is counted anew.
  package let epoch: Int
  /// Nil: what ends a poll.
  package let number: Int?
}

package enum FrameChange: Sendable {
  case edit(JSONEdit)
  /// Only the front of a text.
  case cutText
  case drop, twice
  case wait(Duration)
  case binary
  /// Only the front of a frame, then the end.
  case cutFrame
  case close(UInt16)
  case end
  case swapWithNext
  case addBehind(JSONValue)
  case addBefore(JSONValue)
  /// Of a pong.
  case bytes([UInt8])
  /// Of the HTTP answer that brought a message.
  case status(Int)
}

package enum AnswerChange: Sendable {
  case refuse, accept
  case status(Int)
  /// Nil: the field is left out.
  case header(String, String?)
  case edit(JSONEdit)
  case body(String)
  case cut
}

package enum JSONEdit: Sendable {
  case set(JSONPointer, JSONValue)
  case remove(JSONPointer)
  case swap(JSONPointer, Int, Int)
  /// Another member in the stead of one of the object at a place.
  case exchange(JSONPointer, String, for: String, JSONValue)

  package func edited(_ value: JSONValue) -> JSONValue {
    switch self {
    case .set(let place, let new): value.replacing(place.tokens[...]) { _ in new }
    case .remove(let place): value.replacing(place.tokens[...]) { _ in nil }
    case .swap(let place, let one, let other):
      value.replacing(place.tokens[...]) { list in
        guard var elements = list?.array, one < elements.count, other < elements.count else { return list }
        elements.swapAt(one, other)
        return .array(elements)
      }
    case .exchange(let place, let old, let name, let new):
      value.replacing(place.tokens[...]) { answer in
        guard var members = answer?.object else { return answer }
        members[old] = nil
        members[name] = new
        return .object(members)
      }
    }
  }
}

extension JSONValue {
  /// With another value at a place, which need not be there; nil removes it.
  fileprivate func replacing(
    _ tokens: ArraySlice<String>, _ change: (JSONValue?) -> JSONValue?
  ) -> JSONValue {
    guard let token = tokens.first else { return change(self) ?? .null }
    let rest = tokens.dropFirst()
    func replaced(_ old: JSONValue?) -> JSONValue? {
      if rest.isEmpty { return change(old) }
      return (old ?? .object(JSONObject())).replacing(rest, change)
    }
    if var elements = array, let place = Int(token), elements.indices.contains(place) {
      if let new = replaced(elements[place]) { elements[place] = new } else { elements.remove(at: place) }
      return .array(elements)
    }
    guard var object else { return self }
    object[token] = replaced(object[token])
    return .object(object)
  }
}

/// Something done to what the mock tells of its calls.
package struct CallsChange: Sendable {
  enum Change: Sendable {
    case removeAll
    /// - Parameter invents: whether one is made up where there was none.
    case add(Int, invents: Bool)
    case edit(JSONEdit)
    case header(String, String?)
    case sameTime
    case leaveRuleUnused
  }

  let face: MockFace
  let observation: Observation?
  let change: Change

  func changed(_ journal: JSONValue) -> JSONValue {
    guard var members = journal.object else { return journal }
    var calls = members["calls"]?.array ?? []
    switch change {
    case .removeAll: calls.removeAll(where: isMeant)
    case .add(let count, let invents):
      guard let call = calls.first(where: isMeant) ?? (invents ? invented : nil) else { break }
      calls += Array(repeating: call, count: count)
    case .edit(let edit): replaceFirst(&calls) { edit.edited($0) }
    case .header(let name, let value):
      replaceFirst(&calls) { call in
        guard var members = call.object, var headers = members["headers"]?.object else { return call }
        for key in headers.keys where key.lowercased() == name.lowercased() { headers[key] = nil }
        if let value { headers[name] = .string(value) }
        members["headers"] = .object(headers)
        return .object(members)
      }
    case .sameTime:
      for place in calls.indices where isMeant(calls[place]) {
        calls[place] = JSONEdit.set(JSONPointer(tokens: ["at_ms"]), 1).edited(calls[place])
      }
    case .leaveRuleUnused:
      let rule: JSONValue = ["face": .string(face.rawValue), "rule": ["times": 1], "left": 1]
      members["pending"] = .array((members["pending"]?.array ?? []) + [rule])
    }
    members["calls"] = .array(calls)
    return .object(members)
  }

  private func replaceFirst(_ calls: inout [JSONValue], _ change: (JSONValue) -> JSONValue) {
    guard let place = calls.firstIndex(where: isMeant) else { return }
    calls[place] = change(calls[place])
  }

  func isMeant(_ value: JSONValue) -> Bool {
    let call = Journal.Call(value)
    guard let observation, call.face == face.rawValue else { return false }
    return observation.path.matches(method: call.method, path: call.path)
  }

  /// A call that was never made.
  private var invented: JSONValue {
    let words = (observation?.path.description ?? "/").split(separator: " ").map(String.init)
    let path = (words.last ?? "/").replacing("*", with: "")
    return [
      "face": .string(face.rawValue), "method": .string(words.count == 2 ? words[0] : "POST"),
      "path": .string(path.hasPrefix("/") ? path : "/" + path), "headers": .object(JSONObject()),
      "body": .null,
      "at_ms": 1,
    ]
  }
}
