internal import JSON
internal import YAML

/// The figures of the server by name; types, labels and texts are in `Spec/metrics.yaml`.
package enum MetricName: String, Sendable, CaseIterable {
  case requests = "omni_requests_total"
  case requestSeconds = "omni_request_seconds"
  case connectionsOpen = "omni_connections_open"
  case connections = "omni_connections_total"
  case socketsOpen = "omni_sockets_open"
  case refusals = "omni_refusals_total"
  case webSocketCloses = "omni_websocket_closes_total"
  case tasks = "omni_tasks"
  case tasksEnded = "omni_tasks_ended_total"
  case taskSeconds = "omni_task_seconds"
  case tasksSuspended = "omni_tasks_suspended_total"
  case tasksRunning = "omni_tasks_running"
  case systemState = "omni_system_state"
  case systemChanges = "omni_system_changes_total"
  case upstreamHealthy = "omni_upstream_healthy"
  case upstreamFailuresInARow = "omni_upstream_failures_in_a_row"
  case upstreamCalls = "omni_upstream_calls_total"
  case upstreamSeconds = "omni_upstream_seconds"
  case storeCommitSeconds = "omni_store_commit_seconds"
  case storeJobs = "omni_store_jobs_total"
  case storeFailures = "omni_store_failures_total"
  case storeBytes = "omni_store_bytes"
  case storeFreeBytes = "omni_store_free_bytes"
  case loopLag = "omni_loop_lag_seconds"
  case logLinesDropped = "omni_log_lines_dropped_total"
  case buildInfo = "omni_build_info"
  case processStart = "process_start_time_seconds"
  case processCPU = "process_cpu_seconds_total"
  case processResident = "process_resident_memory_bytes"
  case processOpenFiles = "process_open_fds"
  case processMaxFiles = "process_max_fds"
}

/// One row of `Spec/metrics.yaml`.
package struct MetricSpec: Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    case counter, gauge, histogram
  }

  package let name: MetricName
  package let kind: Kind
  package let labels: [String]
  /// The upper bounds of a histogram, rising, in the unit of its name.
  package let buckets: [Double]
  /// One line for who reads.
  package let help: String

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["name", "type", "labels", "buckets", "help"])
    name = try node.required("name").choice()
    kind = try node.required("type").choice()
    labels = try node["labels"]?.strings() ?? []
    help = try node.required("help").string()
    var buckets: [Double] = []
    for bound in try node["buckets"]?.sequence() ?? [] {
      guard let value = bound.json.double, value > buckets.last ?? 0 else {
        throw bound.error("buckets are numbers that rise")
      }
      buckets.append(value)
    }
    guard buckets.isEmpty == (kind != .histogram) else {
      throw node.error("a histogram has buckets, and nothing else has")
    }
    self.buckets = buckets
  }
}

/// Everything that `/metrics` tells.
package struct MetricTable: Sendable {
  package let all: [MetricSpec]

  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["format", "metrics"])
    let list = try node.required("metrics")
    var all: [MetricSpec] = []
    for entry in try list.sequence() {
      let metric = try MetricSpec(entry)
      if all.contains(where: { $0.name == metric.name }) {
        throw entry.error("\(metric.name.rawValue) stands twice")
      }
      all.append(metric)
    }
    for name in MetricName.allCases where !all.contains(where: { $0.name == name }) {
      throw list.error("the metric \(name.rawValue) is missing")
    }
    self.all = all
  }

  package subscript(name: MetricName) -> MetricSpec {
    guard let metric = all.first(where: { $0.name == name }) else {
      preconditionFailure("checked when the table was read")
    }
    return metric
  }
}
