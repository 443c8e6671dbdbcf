internal import JSON
internal import YAML

/// What a failed call of an upstream is called (`Spec/failures.yaml`).
package enum FailureClass: String, Sendable, CaseIterable {
  case gatewayUnreachable = "gateway_unreachable"
  case gatewayCooldown = "gateway_cooldown"
  case budgetExceeded = "budget_exceeded"
  case auth
  case overloaded
  case rateLimited = "rate_limited"
  case invalidRequest = "invalid_request"
  case upstreamUnavailable = "upstream_unavailable"
  case badResponse = "bad_response"
  case streamTruncated = "stream_truncated"
  case invalidOutput = "invalid_output"
  case timeout
  case executorFailed = "executor_failed"
  case executorUnavailable = "executor_unavailable"
  case attemptsExhausted = "attempts_exhausted"
}

/// Whether a failure adds to the failures in a row of its upstream.
package enum FailureCount: String, Sendable, CaseIterable {
  case always = "true"
  case never = "false"
  /// Once within `policy.cooldownWindow`.
  case onceAWindow = "once_a_window"
}

/// The taxonomy of upstream failures, and the policy of retries.
package struct FailureTable: Sendable {
  package struct Row: Sendable {
    package let name: FailureClass
    package let isRetried: Bool
    /// Tries of one upstream, if fewer than the policy's.
    package let tries: Int?
    package let counts: FailureCount
    package let statuses: [Int]
    package let signs: Signs
  }

  /// What tells an error by its body.
  package struct Signs: Sendable {
    /// Of its `type` or `code`.
    package let types: [String]
    /// Parts of its message, in lower case.
    package let messages: [String]
  }

  package struct Policy: Sendable {
    package let triesPerUpstream: Int
    package let maxAttempts: Int
    package let backoffBase: Duration
    package let backoffCap: Duration
    /// A Retry-After above this suspends the task.
    package let suspendAbove: Duration
    package let budgetMinimum: Int
    /// Retries allowed for each success of the window, beside the minimum.
    package let budgetShare: Double
    package let budgetWindow: Duration
    package let cooldownWindow: Duration
    /// Tasks in flight at first after a recovery; each success allows one more.
    package let slowStart: Int
    /// Errors that a larger model may not give.
    package let largerModel: Signs
  }

  package struct Messages: Sendable {
    package let cloudUnavailable: String
    package let litellmUnavailable: String
    package let rateLimited: String
    package let executorUnavailable: String
  }

  package let policy: Policy
  package let messages: Messages
  private let rows: [FailureClass: Row]
  /// In the order of the file, which is that of the lookups.
  private let order: [FailureClass]
  private let taskErrorTemplate: String

  init(_ node: YAMLNode, _ requirements: inout RequirementReader) throws(SourceError) {
    try node.checkKeys(["format", "policy", "classes", "task_error", "messages", "requirements"])
    policy = try Policy(node.required("policy"))
    let list = try node.required("classes")
    var rows: [FailureClass: Row] = [:]
    var order: [FailureClass] = []
    for entry in try list.sequence() {
      let row = try Row(entry)
      guard rows.updateValue(row, forKey: row.name) == nil else {
        throw entry.error("the class \(row.name.rawValue) stands twice")
      }
      order.append(row.name)
    }
    for name in FailureClass.allCases where rows[name] == nil {
      throw list.error("the class \(name.rawValue) is missing")
    }
    self.rows = rows
    self.order = order
    taskErrorTemplate = try node.required("task_error").string()
    let messages = try node.required("messages")
    try messages.checkKeys([
      "cloud_unavailable", "litellm_unavailable", "rate_limited", "executor_unavailable",
    ])
    self.messages = Messages(
      cloudUnavailable: try messages.required("cloud_unavailable").string(),
      litellmUnavailable: try messages.required("litellm_unavailable").string(),
      rateLimited: try messages.required("rate_limited").string(),
      executorUnavailable: try messages.required("executor_unavailable").string())
    try requirements.read(node)
  }

  package subscript(name: FailureClass) -> Row {
    guard let row = rows[name] else { preconditionFailure("checked when the table was read") }
    return row
  }

  /// What an answer that is no success means; its body says more than its status.
  ///
  /// - Parameter types: the `type` and `code` of the error.
  package func classify(status: Int, types: [String], message: String = "") -> FailureClass {
    if let name = classify(types: types, message: message) { return name }
    if let byStatus = order.first(where: { self[$0].statuses.contains(status) }) { return byStatus }
    switch status {
    case 400..<500: return .invalidRequest
    case 500..<600: return .upstreamUnavailable
    default: return .badResponse
    }
  }

  /// What an error means by its body alone, as it comes inside a stream; nil if that does not tell.
  package func classify(types: [String], message: String) -> FailureClass? {
    order.first { self[$0].signs.match(types: types, message: "") }
      ?? order.first { self[$0].signs.match(types: [], message: message) }
  }

  package func taskError(_ name: FailureClass, _ detail: String) -> String {
    fill(taskErrorTemplate, ["class": name.rawValue, "detail": detail])
  }
}

extension FailureTable.Row {
  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["name", "retry", "tries", "counts", "statuses", "types", "messages", "summary"])
    name = try node.required("name").choice()
    isRetried = try node.required("retry").bool()
    tries = try node["tries"]?.int()
    let counts = try node.required("counts")
    if let plain = counts.json.bool {
      self.counts = plain ? .always : .never
    } else {
      self.counts = try counts.choice()
    }
    var statuses: [Int] = []
    for entry in try node["statuses"]?.sequence() ?? [] { statuses.append(try entry.int()) }
    self.statuses = statuses
    signs = try FailureTable.Signs(node)
  }
}

extension FailureTable.Signs {
  fileprivate init(_ node: YAMLNode) throws(SourceError) {
    types = try node["types"]?.strings() ?? []
    messages = (try node["messages"]?.strings() ?? []).map { $0.lowercased() }
  }

  package func match(types: [String], message: String) -> Bool {
    let message = message.lowercased()
    return self.types.contains(where: types.contains) || messages.contains { message.contains($0) }
  }
}

extension FailureTable.Policy {
  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys([
      "tries_per_upstream", "max_attempts", "backoff_base", "backoff_cap", "suspend_above", "retry_budget",
      "cooldown_window", "slow_start", "larger_model",
    ])
    triesPerUpstream = try node.required("tries_per_upstream").int()
    maxAttempts = try node.required("max_attempts").int()
    backoffBase = try node.required("backoff_base").duration()
    backoffCap = try node.required("backoff_cap").duration()
    suspendAbove = try node.required("suspend_above").duration()
    cooldownWindow = try node.required("cooldown_window").duration()
    slowStart = try node.required("slow_start").int()
    let larger = try node.required("larger_model")
    try larger.checkKeys(["types", "messages"])
    largerModel = try FailureTable.Signs(larger)
    let budget = try node.required("retry_budget")
    try budget.checkKeys(["minimum", "share", "window"])
    budgetMinimum = try budget.required("minimum").int()
    budgetShare = try budget.required("share").double()
    budgetWindow = try budget.required("window").duration()
  }
}
