internal import YAML

/// How executors are reached (`Spec/executors.yaml`).
package struct ExecutorSpec: Sendable {
  package let reconnectBase: Duration
  package let reconnectCap: Duration
  /// From the attempt to connect until the tool has been found.
  package let handshakeTime: Duration
  /// Until a task that waits for an executor is tried again in any case.
  package let waitAtMost: Duration
  /// For each step that ends a program.
  package let stopGrace: Duration
  /// Lines of standard error that are logged within `noteWindow`.
  package let noteLines: Int
  package let noteWindow: Duration
  /// The type of the task that mends LiteLLM.
  package let repairType: String
  private let repairTemplate: String

  init(_ node: YAMLNode, _ requirements: inout RequirementReader) throws(SourceError) {
    try node.checkKeys([
      "format", "reconnect", "handshake_time", "wait_at_most", "stop_grace", "notes", "repair",
      "requirements",
    ])
    let reconnect = try node.required("reconnect")
    try reconnect.checkKeys(["base", "cap"])
    reconnectBase = try reconnect.required("base").duration()
    reconnectCap = try reconnect.required("cap").duration()
    handshakeTime = try node.required("handshake_time").duration()
    waitAtMost = try node.required("wait_at_most").duration()
    stopGrace = try node.required("stop_grace").duration()
    let notes = try node.required("notes")
    try notes.checkKeys(["lines", "window"])
    noteLines = try notes.required("lines").int()
    noteWindow = try notes.required("window").duration()
    let repair = try node.required("repair")
    try repair.checkKeys(["type", "description"])
    repairType = try repair.required("type").string()
    repairTemplate = try repair.required("description").string()
    try requirements.read(node)
  }

  /// What the repair task says.
  ///
  /// - Parameter since: when the system became degraded, RFC 3339.
  package func repairDescription(url: String, since: String, failures: Int) -> String {
    fill(repairTemplate, ["url": url, "since": since, "failures": String(failures)])
  }
}
