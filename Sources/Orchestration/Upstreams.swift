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
  /// Whether anything answers where the local model is to be.
  let probeLocal: Probe

  /// Throws what keeps a service from being there.
  typealias Probe = @Sendable () async throws(CallFailure) -> Void

  /// - Parameter metrics: counts the calls; those of an upstream and of its probes together.
  package init(
    settings: Settings, spec: Specification, client: HTTPClient, metrics: OrchestrationMetrics? = nil
  ) {
    let metrics = metrics ?? OrchestrationMetrics(spec)
    func measured(_ upstream: any Upstream, as name: String) -> any Upstream {
      MeasuredUpstream(upstream: upstream, name: name, metrics: metrics)
    }
    let (gatewayName, cloudName) = (
      SystemMonitor.Upstream.litellm.rawValue, SystemMonitor.Upstream.cloud.rawValue
    )
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
    litellm = measured(
      ChatCompletions(
        caller: caller(deadlines), baseURL: settings.litellmURL, key: settings.litellmKey,
        isStreamed: isStreamed, headers: headers), as: gatewayName)
    litellmProbe = measured(
      ChatCompletions(
        caller: caller(
          within(min(settings.firstByteTimeout, settings.callTimeout, settings.cloudProbeTimeout))),
        baseURL: settings.litellmURL, key: settings.litellmKey, headers: headers), as: gatewayName)
    local = measured(
      ChatCompletions(caller: caller(deadlines), baseURL: settings.brainstemURL, key: nil), as: "local")
    direct = settings.backupKey.map { key -> any Upstream in
      if settings.directFormat == "openai" {
        return measured(
          ChatCompletions(
            caller: caller(deadlines), baseURL: settings.directURL, key: key, isStreamed: isStreamed),
          as: cloudName)
      }
      return measured(
        AnthropicMessages(
          caller: caller(deadlines), baseURL: settings.directURL, key: key,
          defaultMaxTokens: settings.directMaxTokens, isStreamed: isStreamed), as: cloudName)
    }
    let readiness = caller(within(settings.litellmProbeTimeout))
    probeLiteLLM = { () async throws(CallFailure) in
      try await metrics.measured(gatewayName) { () async throws(CallFailure) in
        let answer = try await readiness.get(settings.litellmURL + "/health/readiness")
        guard answer.status == 200 else {
          throw CallFailure(
            name: .upstreamUnavailable, detail: "readiness says \(answer.status)", status: answer.status)
        }
      }
    }
    let cloud = caller(within(settings.cloudProbeTimeout))
    probeLocal = { () async throws(CallFailure) in _ = try await cloud.get(settings.brainstemURL + "/") }
    probeCloud = { () async throws(CallFailure) in
      try await metrics.measured(cloudName) { () async throws(CallFailure) in
        let answer = try await cloud.get(settings.directURL + "/")
        guard answer.status < 500 else {
          throw CallFailure(
            name: .upstreamUnavailable, detail: "the cloud says \(answer.status)", status: answer.status)
        }
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
    probeLocal = {}
  }

  /// Asks each of them once whether it is there, with the deadlines of probes.
  ///
  /// - Returns: the key of its place in the configuration, and what is wrong; nil if nothing is.
  package func reach() async -> [(key: String, problem: String?)] {
    var found: [(key: String, problem: String?)] = []
    for (key, probe) in [
      ("lite_llm_url", probeLiteLLM), ("direct_api.url", probeCloud), ("brainstem.url", probeLocal),
    ] {
      do throws(CallFailure) {
        try await probe()
        found.append((key, nil))
      } catch {
        found.append((key, error.detail))
      }
    }
    return found
  }
}
