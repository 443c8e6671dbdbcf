package import Diagnostics
package import ProtocolSpec
import TaskStore

/// What is counted of tasks, upstreams and the store.
package final class OrchestrationMetrics: Sendable {
  let tasks: MetricFamily<Gauge>
  let ended: MetricFamily<Counter>
  let seconds: MetricFamily<Histogram>
  let suspended: Counter
  let running: Gauge
  let systemState: MetricFamily<Gauge>
  let systemChanges: MetricFamily<Counter>
  let healthy: MetricFamily<Gauge>
  let failuresInARow: MetricFamily<Gauge>
  let calls: MetricFamily<Counter>
  let callSeconds: MetricFamily<Histogram>
  private let commitSeconds: Histogram
  private let jobs: Counter
  private let commitFailures: Counter

  package init(_ registry: MetricsRegistry, _ spec: Specification) {
    let metrics = spec.metrics
    tasks = registry.gauges(metrics[.tasks])
    ended = registry.counters(metrics[.tasksEnded])
    seconds = registry.histograms(metrics[.taskSeconds])
    suspended = registry.counters(metrics[.tasksSuspended]).with()
    running = registry.gauges(metrics[.tasksRunning]).with()
    systemState = registry.gauges(metrics[.systemState])
    systemChanges = registry.counters(metrics[.systemChanges])
    healthy = registry.gauges(metrics[.upstreamHealthy])
    failuresInARow = registry.gauges(metrics[.upstreamFailuresInARow])
    calls = registry.counters(metrics[.upstreamCalls])
    callSeconds = registry.histograms(metrics[.upstreamSeconds])
    commitSeconds = registry.histograms(metrics[.storeCommitSeconds]).with()
    jobs = registry.counters(metrics[.storeJobs]).with()
    commitFailures = registry.counters(metrics[.storeFailures]).with()
    // What did not happen yet is 0, so that its first time is seen as a change.
    for state in spec.taskStates.final { _ = ended.with(state.rawValue) }
    for state in SystemState.allCases { _ = systemChanges.with(state.rawValue) }
  }

  /// For those who count nothing.
  convenience init(_ spec: Specification) { self.init(MetricsRegistry(), spec) }

  /// A transaction of the store has ended; to be called on its writer's thread.
  package func committed(_ time: Duration, jobs count: Int, succeeded: Bool) {
    commitSeconds.observe(time / .seconds(1))
    if succeeded { jobs.add(Double(count)) } else { commitFailures.add() }
  }

  func ended(_ task: StoredTask) {
    ended.with(task.state.rawValue).add()
    let took = Double(task.updatedAt.milliseconds - task.createdAt.milliseconds) / 1000
    seconds.with(task.state.rawValue).observe(max(0, took))
  }

  /// Counts a call and how long it takes, a failure by its class.
  func measured<Value>(
    _ upstream: String, _ call: () async throws(CallFailure) -> Value
  ) async throws(CallFailure) -> Value {
    let begun = ContinuousClock.now
    defer { callSeconds.with(upstream).observe(begun.duration(to: .now) / .seconds(1)) }
    do throws(CallFailure) {
      let value = try await call()
      calls.with(upstream, "ok").add()
      return value
    } catch {
      calls.with(upstream, error.name.rawValue).add()
      throw error
    }
  }
}

/// Counts the calls of an upstream.
struct MeasuredUpstream: Upstream {
  let upstream: any Upstream
  let name: String
  let metrics: OrchestrationMetrics

  func complete(
    _ messages: [ChatMessage], model: String, maxTokens: Int?
  ) async throws(CallFailure) -> Completion {
    try await metrics.measured(name) { () async throws(CallFailure) in
      try await upstream.complete(messages, model: model, maxTokens: maxTokens)
    }
  }
}

extension Orchestrator {
  /// Sets the figures that are what they are at the moment.
  package func observe() {
    let counts = store.counts
    for state in TaskState.allCases {
      metrics.tasks.with(state.rawValue).set(Double(counts[state] ?? 0))
    }
    metrics.running.set(Double(running.count))
    let monitor = shownMonitor
    for state in SystemState.allCases {
      metrics.systemState.with(state.rawValue).set(state == monitor.state ? 1 : 0)
    }
    let known = [(SystemMonitor.Upstream.litellm, monitor.litellm), (.cloud, monitor.cloud)]
    for (upstream, health) in known {
      metrics.healthy.with(upstream.rawValue).set(health.isHealthy ? 1 : 0)
      metrics.failuresInARow.with(upstream.rawValue).set(Double(health.failuresInARow))
    }
    for executor in executors.all {
      let status = executor.shown
      metrics.healthy.with(executor.name).set(status.isConnected ? 1 : 0)
      metrics.failuresInARow.with(executor.name).set(Double(status.failures))
    }
  }
}
