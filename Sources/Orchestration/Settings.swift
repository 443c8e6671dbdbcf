import Foundation
import ProtocolSpec

/// The configuration with the types the server works with.
package struct Settings: Sendable {
  package let host: String
  package let port: Int
  package let token: String?
  package let origins: [String]
  package let maxConnections: Int
  package let maxQueued: Int
  /// Requests a second on one connection; 0 is no limit.
  package let rateLimit: Int
  package let databasePath: String
  package let taskRetention: Duration
  package let logLevel: String
  package let litellmURL: String
  package let litellmKey: String?
  package let litellmProbeTimeout: Duration
  package let backupKey: String?
  package let directURL: String
  package let directFormat: String
  package let directModel: String
  package let directMaxTokens: Int
  package let brainstemURL: String
  package let brainstemModel: String
  package let litellmThreshold: Int
  package let cloudThreshold: Int
  package let healthInterval: Duration
  package let cloudProbeTimeout: Duration
  package let complexityThreshold: Int
  package let lightweightModel: String
  package let heavyweightModel: String
  /// Takes requests that were too long for the model they went to.
  package let longContextModel: String
  package let maxRunning: Int
  package let maxRunningPerModel: Int
  package let connectTimeout: Duration
  package let firstByteTimeout: Duration
  package let idleTimeout: Duration
  package let callTimeout: Duration
  /// Whether models are asked for streams.
  package let streamsCalls: Bool
  /// Makes the pauses between tries the same in every run; nil for pauses of chance.
  package let seed: UInt64?
  /// The executors that can be used, by name.
  package let executors: [ExecutorSettings]
  /// Names of those that are enabled, but do not say what to start.
  package let unusableExecutors: [String]

  /// Every key has been checked; what has no default may be nil, anything else has a value.
  package init(_ configuration: Configuration) {
    func text(_ key: String) -> String { configuration[key] ?? "" }
    func int(_ key: String) -> Int { Int(text(key)) ?? 0 }
    /// Paths are added to it, each with a slash of its own.
    func url(_ key: String) -> String {
      var url = text(key)[...]
      while url.hasSuffix("/") { url.removeLast() }
      return String(url)
    }
    /// A file says "" for a secret that its environment leaves empty.
    func secret(_ key: String) -> String? { configuration[key].flatMap { $0.isEmpty ? nil : $0 } }
    func duration(_ key: String) -> Duration { ConfigurationKey.duration(text(key)) ?? .zero }
    host = text("server.host")
    port = int("server.port")
    token = secret("server.token")
    origins = text("server.origins").split(separator: ",").map {
      $0.trimmingCharacters(in: .whitespaces)
    }
    maxConnections = int("server.max_connections")
    maxQueued = int("server.max_queued")
    rateLimit = int("server.rate_limit")
    databasePath =
      URL(
        filePath: text("state_manager.db_path"),
        relativeTo: URL(filePath: text("state_manager.data"), directoryHint: .isDirectory)
      ).path
    taskRetention = .seconds(int("task_retention_days") * 86_400)
    logLevel = text("logging.level")
    litellmURL = url("lite_llm_url")
    litellmKey = secret("lite_llm_key")
    litellmProbeTimeout = duration("lite_llm_timeout")
    backupKey = secret("github_key")
    directURL = url("direct_api.url")
    directFormat = text("direct_api.format")
    directModel = text("direct_api.model")
    directMaxTokens = int("direct_api.max_tokens")
    brainstemURL = url("brainstem.url")
    brainstemModel = text("fault_handler.brainstem_model")
    litellmThreshold = int("fault_handler.consecutive_failures_threshold")
    cloudThreshold = int("fault_handler.cloud_failure_threshold")
    healthInterval = duration("fault_handler.health_check_interval")
    cloudProbeTimeout = duration("fault_handler.cloud_check_timeout")
    complexityThreshold = int("router.complexity_threshold")
    lightweightModel = text("router.lightweight_model")
    heavyweightModel = text("router.heavyweight_model")
    longContextModel = configuration["router.long_context_model"] ?? text("router.heavyweight_model")
    maxRunning = int("router.max_running")
    let perModel = int("router.max_running_per_model")
    maxRunningPerModel = perModel > 0 ? perModel : (maxRunning + 1) / 2
    connectTimeout = duration("calls.connect_timeout")
    firstByteTimeout = duration("calls.first_byte_timeout")
    idleTimeout = duration("calls.idle_timeout")
    callTimeout = duration("calls.call_timeout")
    streamsCalls = text("calls.stream") == "true"
    seed = configuration["calls.seed"].flatMap { UInt64($0) }
    let names = configuration.names(under: "mcp_servers")
    let executors = names.compactMap { ExecutorSettings($0, in: configuration) }
    self.executors = executors
    unusableExecutors = names.filter { name in
      configuration["mcp_servers.\(name).enabled"] != "false" && !executors.contains { $0.name == name }
    }
  }

  /// The model that LiteLLM is asked for.
  func gatewayModel(complexity: Int) -> String {
    complexity < complexityThreshold ? lightweightModel : heavyweightModel
  }

  /// What must never be written down.
  package var secrets: [String] {
    ([token, litellmKey, backupKey] + executors.map(\.token)).compactMap(\.self)
  }
}
