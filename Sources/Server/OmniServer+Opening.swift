import Diagnostics
import Orchestration
import ProtocolSpec
import TaskStore
import Transport

extension OmniServer {
  /// Opens the store, as soon as it can be opened, and serves until there is a reason to stop.
  ///
  /// Whoever asks the port before is told what is in the way. A server of one client ends instead, for
  /// nobody would see why it waits.
  static func run(
    spec: Specification, settings: Settings, entrance: Entrance, hasFixtures: Bool
  ) async throws(StartError) {
    let signals = StopSignals()
    let log = Log(level: LogLevel(rawValue: settings.logLevel) ?? .info, secrets: settings.secrets)
    while true {
      do throws(StartError) {
        let server = try OmniServer(
          spec: spec, settings: settings, entrance: entrance, log: log, hasFixtures: hasFixtures)
        return try await server.run(signals)
      } catch {
        guard let cause = error.store, StoreWait.isUseful(cause.trouble), case .port(let front) = entrance
        else { throw error }
        let wait = StoreWait(
          settings: settings, front: front, log: log,
          retryAfter: Int(spec.limits.retryAfter.components.seconds))
        await wait.run(cause)
      }
    }
  }
}
