import JSON
import ProtocolSpec

/// Decides which fault meets which request: the first armed rule of the face that matches, is in
/// force, has served its `after`, has `times` left and is drawn.
///
/// Each rule draws from a sequence of its own, so the same seed and the same requests on a face
/// give the same faults whatever happens elsewhere.
struct FaultEngine {
  /// What a request meets.
  struct Met {
    /// The rule to follow; of a sequence the entry.
    let rule: FaultRule
    /// Where its requests wait for each other.
    let queue: AnswerQueue?
  }

  /// A rule that closes a port, and how long from now it does.
  struct Closing {
    let wait: Duration
    /// Nil until the mock is reset.
    let lasting: Duration?
  }

  private struct Armed {
    let rule: FaultRule
    /// When it comes in force on the clock of the mock.
    var begin: Duration
    var left: Int?
    /// Matching requests that were served because of `after`.
    var served = 0
    /// The entry of the sequence that is next.
    var next = 0
    var random: SeededGenerator
    /// Whether a closing of the port was begun.
    var hasClosed = false
    let queue: AnswerQueue?

    func isInForce(_ now: Duration) -> Bool {
      now >= begin && (rule.lasting.map { now < begin + $0 } ?? true)
    }

    /// Begins again with the clock at 0.
    mutating func restart() {
      begin = rule.at ?? .zero
      hasClosed = false
    }

    /// Counts a matching request; true if the rule happens to it.
    mutating func happens(_ now: Duration) -> Bool {
      guard left != 0, isInForce(now) else { return false }
      guard served >= rule.after else {
        served += 1
        return false
      }
      guard rule.probability >= 1 || random.unit() < rule.probability else { return false }
      left = left.map { $0 - 1 }
      return true
    }

    /// What a request meets to which the rule happens; nil if it is served as usual.
    mutating func met() -> Met? {
      guard case .sequence(let entries, let repeats) = rule.action else {
        return Met(rule: rule, queue: queue)
      }
      let entry = next < entries.count ? entries[next] : nil
      next = repeats ? (next + 1) % entries.count : next + 1
      return entry.map { Met(rule: $0, queue: queue) }
    }
  }

  /// Rules that one face takes.
  static let limit = 10_000

  private let seed: UInt64
  private var rules: [MockFace: [Armed]] = [:]
  /// Whether a rule of the face asks what a request's body says.
  private var looksAtBodies: Set<MockFace> = []

  init(seed: UInt64) { self.seed = seed }

  func count(on face: MockFace) -> Int { rules[face]?.count ?? 0 }

  /// Adds a rule behind those of the face.
  mutating func arm(_ rule: FaultRule, on face: MockFace, now: Duration = .zero) {
    let stream = "\(face.rawValue)/\(count(on: face))"
    if rule.isAboutStreams { looksAtBodies.insert(face) }
    rules[face, default: []].append(
      Armed(
        rule: rule, begin: rule.at ?? now, left: rule.times,
        random: SeededGenerator(seed: seed, stream: stream), queue: rule.atATime.map(AnswerQueue.init)))
  }

  mutating func reset() {
    for armed in rules.values.joined() { armed.queue?.open() }
    rules = [:]
    looksAtBodies = []
  }

  /// The clock begins anew: what was armed for a time is in force from now on.
  mutating func restartClock() {
    for face in rules.keys {
      for place in (rules[face] ?? []).indices {
        rules[face]?[place].restart()
      }
    }
  }

  /// The rule that a request meets; nil if it is served as usual.
  mutating func fault(for request: FaceRequest, on face: MockFace, now: Duration = .zero) -> Met? {
    guard let count = rules[face]?.count else { return nil }
    let isStream = looksAtBodies.contains(face) && request.asksForStream
    for place in 0..<count {
      guard let rule = rules[face]?[place].rule else { continue }
      switch rule.action {
      case .refuseConnection: continue
      case .refuseListening:
        if let served = rules[face]?[place].served, served < rule.after { rules[face]?[place].served += 1 }
      default:
        guard rule.on.matches(method: request.method, path: request.path) else { continue }
        guard isStream || !rule.isAboutStreams else { continue }
        if rules[face]?[place].happens(now) == true { return rules[face]?[place].met() }
      }
    }
    return nil
  }

  /// How a new connection ends at once, by the first rule that says so; nil if it is served.
  mutating func refusal(on face: MockFace, now: Duration = .zero) -> BreakEnd? {
    for place in (rules[face] ?? []).indices {
      guard case .refuseConnection(let end)? = rules[face]?[place].rule.action else { continue }
      if rules[face]?[place].happens(now) == true { return end }
    }
    return nil
  }

  /// Whether connections of the face are to be refused now or soon; idle ones must not outlive that.
  func isRefusing(on face: MockFace, now: Duration = .zero) -> Bool {
    (rules[face] ?? []).contains { armed in
      guard armed.served >= armed.rule.after, armed.isInForce(now) else { return false }
      return switch armed.rule.action {
      case .refuseConnection: armed.left != 0
      case .refuseListening: !armed.hasClosed
      default: false
      }
    }
  }

  /// The closings of the port of `face` that are known now; each is given once.
  mutating func closings(on face: MockFace, now: Duration = .zero) -> [Closing] {
    var due: [Closing] = []
    for place in (rules[face] ?? []).indices {
      guard let armed = rules[face]?[place], case .refuseListening = armed.rule.action else { continue }
      guard !armed.hasClosed, armed.served >= armed.rule.after else { continue }
      rules[face]?[place].hasClosed = true
      var random = armed.random
      guard armed.rule.probability >= 1 || random.unit() < armed.rule.probability else { continue }
      // Where nothing says when it begins, requests served before it do, and it lasts from then on.
      let begin = armed.rule.at ?? now
      let wait = max(begin - now, .zero) + (armed.rule.delay ?? .zero)
      let over = max(now - begin, .zero)
      guard let lasting = armed.rule.lasting else {
        due.append(Closing(wait: wait, lasting: nil))
        continue
      }
      if lasting > over { due.append(Closing(wait: wait, lasting: lasting - over)) }
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

/// Lets so many answers run at a time; the others wait in the order they came. Belongs to the loop.
final class AnswerQueue {
  private var limit: Int
  private var running = 0
  private var waiting: [() -> Void] = []
  /// Those at the front of `waiting` that have begun.
  private var begun = 0

  init(limit: Int) { self.limit = limit }

  /// Runs `job` when there is room; it ends with `leave`.
  func enter(_ job: @escaping () -> Void) {
    guard running >= limit else {
      running += 1
      return job()
    }
    waiting.append(job)
  }

  func leave() {
    running -= 1
    admit()
  }

  /// Nobody waits from now on.
  func open() {
    limit = .max
    admit()
  }

  private func admit() {
    while running < limit, begun < waiting.count {
      let job = waiting[begun]
      begun += 1
      running += 1
      if begun == waiting.count { (waiting, begun) = ([], 0) }
      job()
    }
  }
}
