import JSON
import ProtocolSpec

/// Decides which fault meets which request: the first armed rule of the face that matches, has
/// served its `after`, has `times` left and is drawn.
///
/// Each rule draws from a sequence of its own, so the same seed and the same requests on a face
/// give the same faults whatever happens elsewhere.
struct FaultEngine {
  private struct Armed {
    let rule: FaultRule
    var left: Int?
    /// Matching requests that were served because of `after`.
    var served = 0
    var random: SeededGenerator
    /// Whether a closing of the port was begun.
    var hasClosed = false

    /// Counts a matching request; true if the rule happens to it.
    mutating func happens() -> Bool {
      guard left != 0 else { return false }
      guard served >= rule.after else {
        served += 1
        return false
      }
      guard rule.probability >= 1 || random.unit() < rule.probability else { return false }
      left = left.map { $0 - 1 }
      return true
    }
  }

  /// Rules that one face takes.
  static let limit = 10_000

  private let seed: UInt64
  private var rules: [MockFace: [Armed]] = [:]

  init(seed: UInt64) { self.seed = seed }

  func count(on face: MockFace) -> Int { rules[face]?.count ?? 0 }

  /// Adds a rule behind those of the face.
  mutating func arm(_ rule: FaultRule, on face: MockFace) {
    let stream = "\(face.rawValue)/\(count(on: face))"
    rules[face, default: []].append(
      Armed(rule: rule, left: rule.times, random: SeededGenerator(seed: seed, stream: stream)))
  }

  mutating func reset() { rules = [:] }

  /// The rule that a request meets; nil if it is served as usual.
  mutating func fault(method: String, path: String, on face: MockFace) -> FaultRule? {
    for place in (rules[face] ?? []).indices {
      guard let rule = rules[face]?[place].rule else { continue }
      switch rule.action {
      case .refuseConnection: continue
      case .refuseListening:
        if let served = rules[face]?[place].served, served < rule.after { rules[face]?[place].served += 1 }
      default:
        guard rule.on.matches(method: method, path: path) else { continue }
        if rules[face]?[place].happens() == true { return rule }
      }
    }
    return nil
  }

  /// Whether a new connection is refused, by the first rule that says so.
  mutating func refusesConnection(on face: MockFace) -> Bool {
    for place in (rules[face] ?? []).indices {
      guard case .refuseConnection? = rules[face]?[place].rule.action else { continue }
      if rules[face]?[place].happens() == true { return true }
    }
    return false
  }

  /// Whether connections of the face are to be refused now or soon; idle ones must not outlive that.
  func isRefusing(on face: MockFace) -> Bool {
    (rules[face] ?? []).contains { armed in
      switch armed.rule.action {
      case .refuseConnection: armed.left != 0 && armed.served >= armed.rule.after
      case .refuseListening: !armed.hasClosed && armed.served >= armed.rule.after
      default: false
      }
    }
  }

  /// The rules that close the port of `face` now; each is given once.
  mutating func closings(on face: MockFace) -> [FaultRule] {
    var due: [FaultRule] = []
    for place in (rules[face] ?? []).indices {
      guard let armed = rules[face]?[place], case .refuseListening = armed.rule.action else { continue }
      guard !armed.hasClosed, armed.served >= armed.rule.after else { continue }
      rules[face]?[place].hasClosed = true
      var random = armed.random
      if armed.rule.probability >= 1 || random.unit() < armed.rule.probability { due.append(armed.rule) }
    }
    return due
  }

  /// The rules with `times` that were not used up.
  var pending: [JSONValue] {
    MockFace.allCases.flatMap { face in
      (rules[face] ?? []).compactMap { armed -> JSONValue? in
        guard let left = armed.left, left > 0 else { return nil }
        return ["face": .string(face.rawValue), "rule": armed.rule.source, "left": .int(left)]
      }
    }
  }
}
