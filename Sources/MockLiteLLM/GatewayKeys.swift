import JSON
import ProtocolSpec

/// What LiteLLM counts of its keys: requests and tokens of a minute, requests at a time, and money.
struct GatewayKeys {
  private struct Account {
    let limits: GatewaySettings.Limits
    var spend: Double
    /// When the minute began; nil before the first request.
    var windowBegin: Duration?
    var requests = 0
    var tokens = 0
    var running = 0
  }

  private static let window = Duration.seconds(60)
  private var accounts: [String: Account]

  init(_ limits: [String: GatewaySettings.Limits]) {
    accounts = limits.mapValues { Account(limits: $0, spend: $0.spend) }
  }

  var isEmpty: Bool { accounts.isEmpty }

  func knows(_ key: String) -> Bool { accounts[key] != nil }

  /// Counts a request of `key`, which runs until `finished`; gives the answer where a limit refuses it.
  ///
  /// - Parameters:
  ///   - milliseconds: since 1970, for the time that the answer names.
  mutating func admit(_ key: String, now: Duration, milliseconds: Int, callID: String) -> Reply? {
    guard var account = accounts[key] else { return nil }
    let limits = account.limits
    if let budget = limits.budget, account.spend > budget {
      return LiteLLMErrors.reply(
        422, "Budget has been exceeded! Key=mock Current cost: \(account.spend), Max budget: \(budget)",
        type: "budget_exceeded")
    }
    if account.windowBegin.map({ now >= $0 + Self.window }) ?? true {
      account.windowBegin = now
      (account.requests, account.tokens) = (0, 0)
    }
    var reached: (kind: String, limit: Int, header: String?)?
    if let limit = limits.parallel, account.running >= limit {
      reached = ("max_parallel_requests", limit, nil)
    } else if let limit = limits.requests, account.requests >= limit {
      reached = ("requests", limit, "x-litellm-key-rpm-limit")
    } else if let limit = limits.tokens, account.tokens >= limit {
      reached = ("tokens", limit, "x-litellm-key-tpm-limit")
    }
    if let reached {
      accounts[key] = account
      return LiteLLMErrors.limited(
        reached.kind, limit: reached.limit, header: reached.header, spend: account.spend,
        now: milliseconds, callID: callID)
    }
    account.requests += 1
    account.running += 1
    accounts[key] = account
    return nil
  }

  /// Counts what a completion cost and gives the headers that say what is left.
  mutating func charge(_ key: String, tokens: Int, cost: Double) -> [HeaderField] {
    guard var account = accounts[key] else { return [] }
    account.tokens += tokens
    account.spend += cost
    accounts[key] = account
    var headers: [HeaderField] = []
    if let limit = account.limits.tokens { headers.append(("x-litellm-key-tpm-limit", "\(limit)")) }
    if let limit = account.limits.requests { headers.append(("x-litellm-key-rpm-limit", "\(limit)")) }
    if let budget = account.limits.budget { headers.append(("x-litellm-key-max-budget", "\(budget)")) }
    if let limit = account.limits.requests {
      headers.append(("x-ratelimit-api_key-remaining-requests", "\(max(limit - account.requests, 0))"))
      headers.append(("x-ratelimit-api_key-limit-requests", "\(limit)"))
    }
    if let limit = account.limits.tokens {
      headers.append(("x-ratelimit-api_key-remaining-tokens", "\(max(limit - account.tokens, 0))"))
      headers.append(("x-ratelimit-api_key-limit-tokens", "\(limit)"))
    }
    headers.append(("x-litellm-key-spend", "\(account.spend)"))
    return headers
  }

  /// A request of `key` is over.
  mutating func finished(_ key: String) { accounts[key]?.running -= 1 }
}
