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
  /// Whether LiteLLM listens; its upstreams may be dead all the same.
  let probeLiteLLM: Probe
  /// Whether the cloud answers at all: any status below 500 does.
  let probeCloud: Probe

  /// Throws what keeps a service from being there.
  typealias Probe = @Sendable () async throws(CallFailure) -> Void

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
    let readiness = caller(within(settings.litellmProbeTimeout))
    probeLiteLLM = { () async throws(CallFailure) in
      let answer = try await readiness.get(settings.litellmURL + "/health/readiness")
      guard answer.status == 200 else {
        throw CallFailure(
          name: .upstreamUnavailable, detail: "readiness says \(answer.status)", status: answer.status)
      }
    }
    let cloud = caller(within(settings.cloudProbeTimeout))
    probeCloud = { () async throws(CallFailure) in
      let answer = try await cloud.get(settings.directURL + "/")
      guard answer.status < 500 else {
        throw CallFailure(
          name: .upstreamUnavailable, detail: "the cloud says \(answer.status)", status: answer.status)
      }
    }
  }

  /// Upstreams that are none of HTTP.
  init(
    litellm: any Upstream, direct: (any Upstream)?, local: any Upstream, probeLiteLLM: @escaping Probe,
    probeCloud: @escaping Probe
  ) {
    self.litellm = litellm
    litellmProbe = litellm
    self.direct = direct
    self.local = local
    self.probeLiteLLM = probeLiteLLM
    self.probeCloud = probeCloud
  }
}
