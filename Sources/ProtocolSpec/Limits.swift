internal import YAML

/// What an endpoint takes (`Spec/limits.yaml`), by name.
package struct Limits: Sendable {
  package let messageBytes: Int
  package let jsonDepth: Int
  package let headerBytes: Int
  package let bodyBytes: Int
  package let handshakeTime: Duration
  package let connections: Int
  package let inFlight: Int
  package let inFlightBytes: Int
  package let batchElements: Int
  package let unsentBytes: Int
  package let subscriptions: Int
  package let queuedTasks: Int
  package let pingInterval: Duration
  package let pongTimeout: Duration
  package let drainTime: Duration
  package let closeTime: Duration
  package let pageBytes: Int
  package let retryAfter: Duration
  package let endOfInputTime: Duration
  package let reconnectTime: Duration
  package let completionBytes: Int
  package let listChangedPause: Duration
  package let mcpSessions: Int
  package let mcpSessionIdle: Duration
  package let streamAfter: Duration
  package let streamKeepAlive: Duration
  package let streamRetry: Duration
  package let streamEvents: Int
  package let streamBytes: Int
  package let questionTime: Duration
  package let systemHistory: Int

  init(_ node: YAMLNode, _ requirements: inout RequirementReader) throws(SourceError) {
    try node.checkKeys(["format", "limits", "requirements"])
    let list = try node.required("limits")
    var values: [String: YAMLNode] = [:]
    for entry in try list.sequence() {
      try entry.checkKeys(["name", "value", "unit", "past", "summary", "config"])
      values[try entry.required("name").string()] = try entry.required("value")
    }
    func value(_ name: String) throws(SourceError) -> YAMLNode {
      guard let value = values.removeValue(forKey: name) else {
        throw list.error("the limit \(name) is missing")
      }
      return value
    }
    messageBytes = try value("message_bytes").int()
    jsonDepth = try value("json_depth").int()
    headerBytes = try value("header_bytes").int()
    bodyBytes = try value("body_bytes").int()
    handshakeTime = try value("handshake_time").duration()
    connections = try value("connections").int()
    inFlight = try value("in_flight").int()
    inFlightBytes = try value("in_flight_bytes").int()
    batchElements = try value("batch_elements").int()
    unsentBytes = try value("unsent_bytes").int()
    subscriptions = try value("subscriptions").int()
    queuedTasks = try value("queued_tasks").int()
    pingInterval = try value("ping_interval").duration()
    pongTimeout = try value("pong_timeout").duration()
    drainTime = try value("drain_time").duration()
    closeTime = try value("close_time").duration()
    pageBytes = try value("page_bytes").int()
    retryAfter = try value("retry_after").duration()
    endOfInputTime = try value("end_of_input_time").duration()
    reconnectTime = try value("reconnect_time").duration()
    completionBytes = try value("completion_bytes").int()
    listChangedPause = try value("list_changed_pause").duration()
    mcpSessions = try value("mcp_sessions").int()
    mcpSessionIdle = try value("mcp_session_idle").duration()
    streamAfter = try value("stream_after").duration()
    streamKeepAlive = try value("stream_keep_alive").duration()
    streamRetry = try value("stream_retry").duration()
    streamEvents = try value("stream_events").int()
    streamBytes = try value("stream_bytes").int()
    questionTime = try value("question_time").duration()
    systemHistory = try value("system_history").int()
    if let (name, value) = values.min(by: { $0.key < $1.key }) {
      throw value.error("no part of the kit knows the limit \(name)")
    }
    try requirements.read(node)
  }
}
