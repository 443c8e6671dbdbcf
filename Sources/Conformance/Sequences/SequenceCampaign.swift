internal import JSON
package import ProtocolSpec
package import Transport
internal import YAML

/// Plays many random sequences against one target, and makes what fails small.
package struct SequenceCampaign {
  /// One that failed.
  package struct Found: Sendable {
    package let number: Int
    package let plan: SequencePlan
    package let smallest: SequencePlan
    package let failure: SequenceFailure
    /// Of three plays of the whole sequence, how many failed.
    package let reproduced: Int
    package let trials: Int
    package let suite: GeneratedSuite
  }

  package struct Result: Sendable {
    package let played: Int
    package let steps: Int
    package let duration: Duration
    package let found: Found?
  }

  private let spec: Specification
  private let stands: [Stand]
  private let loop: EventLoop
  private let settings: PlaySettings
  /// Values of one campaign are not those of another one on the same server.
  private let nonce = UInt64.random(in: .min ... .max)

  /// - Parameter stands: each plays sequences of its own; those of one server would meet in its lists.
  package init(spec: Specification, stands: [Stand], loop: EventLoop, settings: PlaySettings) {
    self.spec = spec
    self.stands = stands
    self.loop = loop
    self.settings = settings
  }

  /// - Parameter numbers: which sequences of the seed.
  package func run(
    _ numbers: Range<Int>, length: Int, restarts: Bool
  ) async throws(TargetProblem) -> Result {
    let start = ContinuousClock.now
    let line = Line(numbers)
    let outcomes = await withTaskGroup { group in
      for stand in stands {
        group.addTask { await work(line, stand, length: length, restarts: restarts) }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    var found: [Found] = []
    for outcome in outcomes {
      switch outcome {
      case .success(let one): if let one { found.append(one) }
      case .failure(let problem): throw problem
      }
    }
    let played = await line.taken
    return Result(
      played: played, steps: played * length, duration: .now - start,
      found: found.min { $0.number < $1.number })
  }

  /// The sequences that nobody has taken yet.
  private actor Line {
    private var rest: Range<Int>
    private(set) var taken = 0

    init(_ numbers: Range<Int>) { rest = numbers }

    func next() -> Int? {
      guard let number = rest.popFirst() else { return nil }
      taken += 1
      return number
    }

    /// Something was found: one failure at a time is enough.
    func close() { rest = rest.upperBound..<rest.upperBound }
  }

  private func work(
    _ line: Line, _ stand: Stand, length: Int, restarts: Bool
  ) async -> Swift.Result<Found?, TargetProblem> {
    do throws(TargetProblem) {
      while let number = await line.next() {
        let plan = SequencePlan(seed: settings.seed, number: number, length: length, restarts: restarts)
        guard let failure = try await play(plan, at: stand, salt: UInt64(number)) else { continue }
        await line.close()
        return .success(await shrink(plan, failure, number, at: stand))
      }
      return .success(nil)
    } catch {
      await line.close()
      return .failure(error)
    }
  }

  private func shrink(
    _ plan: SequencePlan, _ failure: SequenceFailure, _ number: Int, at stand: Stand
  ) async -> Found {
    var salt = UInt64(number) << 32
    var shrinker = SequenceShrinker(plan, failure) { candidate in
      salt += 1
      do throws(TargetProblem) {
        return try await play(candidate, at: stand, salt: salt)
      } catch {
        return nil
      }
    }
    let (smallest, failure, reproduced) = await shrinker.shrink()
    return Found(
      number: number, plan: plan, smallest: smallest, failure: failure, reproduced: reproduced,
      trials: shrinker.trials, suite: suite(smallest, failure, number))
  }

  private func suite(_ plan: SequencePlan, _ failure: SequenceFailure, _ number: Int) -> GeneratedSuite {
    var written = GeneratedCase(
      id: "sequence-\(settings.seed)-\(number)",
      title: "What a client may see at the end of \(plan.steps.count) steps.",
      covers: methods(failure.lines).map { "method:\($0)" }, dialect: failure.dialect, steps: failure.lines)
    if failure.usesMock || written.covers.contains("method:create_task") { written.needs = [.faults] }
    return GeneratedSuite(
      name: "sequences", comment: "Found by a random sequence of seed \(settings.seed), and made small.",
      cases: [written])
  }

  private func methods(_ lines: [JSONValue]) -> [String] {
    var names: [String] = []
    for line in lines {
      for request in line["client"]?.array ?? [line["client"] ?? .null] {
        guard let name = request["method"]?.string, spec.method(name) != nil, !names.contains(name) else {
          continue
        }
        names.append(name)
      }
    }
    return names.isEmpty ? ["ping"] : names
  }

  /// - Returns: how it failed; nil if it did not.
  private func play(
    _ plan: SequencePlan, at stand: Stand, salt: UInt64
  ) async throws(TargetProblem) -> SequenceFailure? {
    let (target, mock) = (stand.target, stand.mock)
    try await target.prepare(fresh: false, environment: [])
    // The journal of the mock is not to grow without end.
    if let mock, plan.hasFaults || salt % 256 == 0 {
      do throws(MockBackend.Problem) {
        try await mock.reset()
      } catch {
        throw TargetProblem(error.description)
      }
    }
    let player = Player(
      Self.shell, target: target, mock: mock, loop: loop,
      settings: PlaySettings(
        seed: nonce &+ salt, slack: settings.slack, threshold: settings.threshold, secrets: settings.secrets,
        masking: settings.masking))
    var run = SequenceRun(plan, player: player, hasMock: mock != nil, spec: spec)
    switch await run.play() {
    case .passed: return nil
    case .failed(let failure):
      await target.spoil()
      return failure
    case .impossible(let reason): throw TargetProblem(reason)
    }
  }

  /// The case that a sequence is played as.
  private static let shell = TranscriptCase(
    suite: "sequences", name: "sequence", title: "a random sequence",
    place: SourcePlace(file: "sequence", line: 1, column: 1), covers: [], level: .must, play: .client,
    dialect: .jsonrpc, isFresh: false, isAlone: false, needs: [], environment: [], arm: [], steps: [],
    observe: [],
    secrets: [], servesBackground: false, servesOn: false)
}
