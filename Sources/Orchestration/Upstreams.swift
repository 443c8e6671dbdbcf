import Diagnostics
import JSON
package import ProtocolSpec
package import Transport

/// Everything outside that the orchestrator talks to.
package struct Upstreams: Sendable {
  let litellm: any Upstream
  /// The same service with the deadlines of a probe.
  let litellmProbe: any Upstream
  /// Nil without a backup key.
  let direct: (any Upstream)?
  let local: any Upstream
  private let litellmURL: String
  private let directURL: String
  private let probeCaller: HTTPCaller
  private let cloudCaller: HTTPCaller

  package init(settings: Settings, spec: Specification, client: HTTPClient) {
    let deadlines = Deadlines(
      connect: settings.connectTimeout, firstByte: settings.firstByteTimeout,
      idle: settings.idleTimeout, total: settings.callTimeout)
    let failures = spec.failures
    let limit = spec.limits.completionBytes
    func caller(_ deadlines: Deadlines) -> HTTPCaller {
      HTTPCaller(client: client, deadlines: deadlines, maxBytes: limit, failures: failures)
    }
    func within(_ total: Duration) -> Deadlines {
      Deadlines(
        connect: min(settings.connectTimeout, total), firstByte: total, idle: total, total: total)
    }
    // One retry layer, ours: the gateway is asked not to retry by itself.
    let headers = [("x-litellm-num-retries", "0")]
    let isStreamed = settings.streamsCalls
    litellm = ChatCompletions(
      caller: caller(deadlines), baseURL: settings.litellmURL, key: settings.litellmKey,
      isStreamed: isStreamed, headers: headers)
    litellmProbe = ChatCompletions(
      caller: caller(
        within(min(settings.firstByteTimeout, settings.callTimeout, settings.cloudProbeTimeout))),
      baseURL: settings.litellmURL, key: settings.litellmKey, headers: headers)
    local = ChatCompletions(caller: caller(deadlines), baseURL: settings.brainstemURL, key: nil)
    direct = settings.backupKey.map { key -> any Upstream in
      if settings.directFormat == "openai" {
        return ChatCompletions(
          caller: caller(deadlines), baseURL: settings.directURL, key: key, isStreamed: isStreamed)
      }
      return AnthropicMessages(
        caller: caller(deadlines), baseURL: settings.directURL, key: key,
        defaultMaxTokens: settings.directMaxTokens, isStreamed: isStreamed)
    }
    litellmURL = settings.litellmURL
    directURL = settings.directURL
    probeCaller = caller(within(settings.litellmProbeTimeout))
    cloudCaller = caller(within(settings.cloudProbeTimeout))
  }

  /// Whether LiteLLM listens; its upstreams may be dead all the same.
  func probeLiteLLM() async throws(CallFailure) {
    let answer = try await probeCaller.get(litellmURL + "/health/readiness")
    guard answer.status == 200 else {
      throw CallFailure(
        name: .upstreamUnavailable, detail: "readiness says \(answer.status)", status: answer.status)
    }
  }

  /// Whether the cloud answers at all: any status below 500 does.
  func probeCloud() async throws(CallFailure) {
    let answer = try await cloudCaller.get(directURL + "/")
    guard answer.status < 500 else {
      throw CallFailure(
        name: .upstreamUnavailable, detail: "the cloud says \(answer.status)", status: answer.status)
    }
  }
}
