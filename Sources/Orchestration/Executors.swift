package import Diagnostics
import JSON
package import ProtocolSpec
package import Transport

/// The executors of the configuration, by name.
package struct Executors: Sendable {
  private let byName: [String: Executor]

  /// None.
  package init() { byName = [:] }

  /// - Parameters:
  ///   - version: of this server, as executors are told.
  ///   - environment: ours; programs get it without our own keys, whatever variable holds one.
  package init(
    settings: Settings, spec: Specification, client: HTTPClient, log: Log, version: String,
    environment: [String: String], seed: UInt64
  ) {
    let names = Set(spec.configuration.filter { $0.kind == .secret }.flatMap(\.variables))
    let keys = Set(settings.secrets)
    let context = ExecutorContext(
      spec: spec, log: log, version: version, client: client,
      environment: environment.filter { !names.contains($0.key) && !keys.contains($0.value) },
      connectTimeout: settings.connectTimeout)
    byName = Dictionary(
      settings.executors.map { ($0.name, Executor($0, context, seed: seed)) }
    ) { first, _ in first }
  }

  var isEmpty: Bool { byName.isEmpty }

  /// In no particular order.
  var all: [Executor] { Array(byName.values) }

  subscript(name: String) -> Executor? { byName[name] }

  /// How many tasks each may do at one time, by name.
  var places: [String: Int] { byName.mapValues(\.settings.maxRunning) }

  /// - Parameter becameReady: called with the name of an executor each time that it can be called again.
  func start(_ becameReady: @escaping @Sendable (String) -> Void) async {
    for executor in byName.values { await executor.start { becameReady(executor.name) } }
  }

  /// Ends their links and programs, all at once.
  func stop() async {
    await withTaskGroup { group in
      for executor in byName.values { group.addTask { await executor.stop() } }
    }
  }

  /// As system_status tells it; nil if there are none.
  var json: JSONValue? {
    guard !byName.isEmpty else { return nil }
    let members = byName.sorted { $0.key < $1.key }.map { name, executor -> (String, JSONValue) in
      let status = executor.shown
      return (
        name,
        [
          "connected": .bool(status.isConnected), "running": .int(status.running),
          "failures": .int(status.failures),
        ]
      )
    }
    return .object(JSONObject(members))
  }
}
