import JSON
import ProtocolSpec
import Wire

/// LiteLLM's router: it asks the deployments of a model, again where that may help, lets those rest
/// that are throttled, and falls back to other models. As recorded with LiteLLM 1.106.
///
/// A model with one deployment never rests; what may pass is tried again after a pause, and not before
/// Retry-After. Of several, a deployment that answers 429 or 401 rests and the call ends; after other
/// errors another one is asked at once.
struct Gateway {
  /// How a call ended.
  struct Outcome {
    /// The model that answered, or was asked last.
    let model: String
    /// Nil for an answer.
    let failure: Failure?
    /// Names the deployment that answered.
    let deployment: Int
    /// What the deployment does to its answer that LiteLLM passes on.
    let rule: FaultRule?
    let retries: Int
    let fallbacks: Int
    /// How long it all took.
    let time: Duration
  }

  struct Failure {
    let status: Int
    var type: String?
    var message: String?
    /// As the deployment said it, or in seconds the rest of a cooldown.
    var retryAfter: String?
    var isCooldown = false

    /// Whether the same call may do better.
    var mayPass: Bool { [408, 429].contains(status) || status >= 500 }

    /// Whether another model may do better: not with a request that is refused for what it is.
    var mayFallBack: Bool {
      status != 400 || message?.contains("ContextWindowExceededError") == true
    }
  }

  private struct Deployment {
    var faults: FaultEngine
    /// On the clock of the gateway.
    var restsUntil = Duration.zero
  }

  private let settings: GatewaySettings
  private var groups: [String: [Deployment]] = [:]
  private var random: SeededGenerator

  init(_ settings: GatewaySettings, seed: UInt64) {
    self.settings = settings
    random = SeededGenerator(seed: seed, stream: "gateway")
    for (model, deployments) in settings.deployments {
      groups[model] = deployments.enumerated().map { index, rules in
        var faults = FaultEngine(seed: seed &+ UInt64(index))
        for rule in rules { faults.arm(rule, on: .litellm) }
        return Deployment(faults: faults)
      }
    }
  }

  /// Asks for `model`.
  ///
  /// - Parameters:
  ///   - body: the request's, for `num_retries`, `timeout` and `disable_fallbacks`.
  ///   - now: the time since the gateway began.
  mutating func call(_ model: String, _ request: FaceRequest, _ body: JSONValue, now: Duration) -> Outcome {
    let retries = request.header("x-litellm-num-retries").flatMap { Int($0) } ?? body["num_retries"]?.int
    let seconds = request.header("x-litellm-timeout").flatMap { Double($0) } ?? body["timeout"]?.double
    // What no clock can hold is no timeout.
    let timeout = seconds.flatMap { (0...1e9).contains($0) ? Duration.seconds($0) : nil } ?? settings.timeout
    let others = body["disable_fallbacks"]?.bool == true ? [] : settings.fallbacks[model] ?? []
    var time = now
    var last = call(model, request, body, retries ?? settings.retries, timeout, at: &time)
    var fallbacks = 0
    for other in others {
      guard let failure = last.failure, failure.mayFallBack else { break }
      fallbacks += 1
      last = call(other, request, body, retries ?? settings.retries, timeout, at: &time)
    }
    return Outcome(
      model: last.model, failure: last.failure, deployment: last.deployment, rule: last.rule,
      retries: last.retries, fallbacks: fallbacks, time: time - now)
  }

  private mutating func call(
    _ model: String, _ request: FaceRequest, _ body: JSONValue, _ retries: Int, _ timeout: Duration,
    at time: inout Duration
  ) -> Outcome {
    let streams = body["stream"]?.bool == true
    let count = groups[model]?.count ?? 0
    var tries = 0
    func outcome(_ failure: Failure?, _ deployment: Int = 0, _ rule: FaultRule? = nil) -> Outcome {
      Outcome(
        model: model, failure: failure, deployment: deployment, rule: rule, retries: tries, fallbacks: 0,
        time: .zero)
    }
    while true {
      guard count > 0 else { return outcome(nil) }
      guard let place = pick(model, at: time) else { return outcome(cooldown(model, at: time)) }
      guard
        let rule = groups[model]?[place].faults.fault(for: request, on: .litellm, now: time)?.rule
      else { return outcome(nil, place) }
      time += rule.delay ?? .zero
      guard let failure = Failure(rule, streams: streams) else { return outcome(nil, place, rule) }
      if rule.hangs { time += timeout }
      let told = failure.retryAfter.flatMap { Double($0) }.map { Duration.seconds(min(max($0, 0), 1e6)) }
      if count > 1, [401, 429].contains(failure.status) {
        groups[model]?[place].restsUntil = time + (told ?? settings.cooldown)
        return outcome(failure, place)
      }
      guard failure.mayPass, tries < retries else { return outcome(failure, place) }
      if count == 1 { time += max(settings.retryPause * (1 << min(tries, 20)), told ?? .zero) }
      tries += 1
    }
  }

  /// A deployment that does not rest, each as likely as the other.
  private mutating func pick(_ model: String, at time: Duration) -> Int? {
    let group = groups[model] ?? []
    let awake = group.indices.filter { group[$0].restsUntil <= time }
    guard let first = awake.first else { return nil }
    return awake.count == 1 ? first : awake[Int(random.next() % UInt64(awake.count))]
  }

  private func cooldown(_ model: String, at time: Duration) -> Failure {
    let rests = (groups[model] ?? []).map { $0.restsUntil - time }
    let seconds = Int(((rests.min() ?? .zero) / .seconds(1)).rounded(.up))
    return Failure(
      status: 429, type: "all_deployments_in_cooldown", retryAfter: String(max(seconds, 1)),
      isCooldown: true)
  }
}

extension Gateway.Failure {
  /// What LiteLLM makes of a deployment that does as the rule says; nil where there is an answer.
  ///
  /// - Parameter streams: a stream was asked for; what goes wrong after its first event is an event too.
  init?(_ rule: FaultRule, streams: Bool) {
    func broken(_ message: String) -> Gateway.Failure {
      Gateway.Failure(
        status: 500, message: "litellm.InternalServerError: InternalServerError: OpenAIException - \(message)"
      )
    }
    switch rule.action {
    case .answer(let status, let type, let message, let body):
      guard status >= 300 else {
        // An answer without choices is no answer; with an empty list of them it is passed on.
        if let body, body["choices"]?.array == nil {
          self = broken("the answer has no choices")
          return
        }
        return nil
      }
      let header = rule.headers.first { HTTPHeaders.isSame($0.name, "retry-after") }
      self.init(status: status, type: type, message: message, retryAfter: header?.value)
    case .breakOff(.middle, _, let events) where streams && events != 0: return nil
    case .stream(.error, events: 0), .stream(.malformed, events: 0): self = broken("Connection error.")
    case .breakOff where rule.hangs:
      self.init(status: 408, message: "litellm.Timeout: APITimeoutError - Request timed out.")
    case .breakOff, .refuseConnection, .refuseListening: self = broken("Connection error.")
    case .truncate: self = broken("Connection error.")
    case .malformed, .raw: self = broken("the answer is not JSON")
    case .stream, .serve, .sequence: return nil
    }
  }
}

extension FaultRule {
  /// Whether LiteLLM waits for the answer until its timeout.
  fileprivate var hangs: Bool {
    if case .breakOff(_, .hang, _) = action { return true }
    return false
  }

  /// What the client of LiteLLM sees of a deployment's stream: LiteLLM frames it anew, tells of an end
  /// before its time in an event, and makes a missing finish up.
  var asPassedOn: FaultAction? {
    switch action {
    case .breakOff(.middle, _, let events): .stream(.error, events: events)
    case .stream(.error, let events), .stream(.malformed, let events): .stream(.error, events: events)
    default: nil
    }
  }
}
