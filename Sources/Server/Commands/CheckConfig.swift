import Foundation
import Orchestration
import ProtocolSpec
import Transport

/// `omni-server check-config`: reads the configuration as the start does, and says what it comes to.
struct CheckConfig {
  private let spec: Specification
  private let configuration: Configuration
  private let settings: Settings
  private let connects: Bool

  init(spec: Specification, configuration: Configuration, connects: Bool) {
    self.spec = spec
    self.configuration = configuration
    self.connects = connects
    settings = Settings(configuration)
  }

  /// - Throws: a `StartError` with exit code 1 if a service is asked for and is not there.
  func run() async throws(StartError) {
    printValues()
    let warnings = warnings
    for warning in warnings { print("warning: \(warning)") }
    print("the configuration is valid\(warnings.isEmpty ? "" : ", with \(warnings.count) warnings")")
    if connects { try await connect() }
  }

  // MARK: - What is set

  /// Key, value and origin of everything that the specification knows, in columns.
  private func printValues() {
    var rows: [(key: String, value: String, origin: String)] = []
    for key in spec.configuration {
      for name in names(of: key) {
        guard let value = configuration[name] else { continue }
        rows.append((name, shown(value, key), configuration.origin(of: name).description))
      }
    }
    let width = rows.map(\.key.count).max() ?? 0
    let valueWidth = min(48, rows.map(\.value.count).max() ?? 0)
    for row in rows {
      let key = row.key.padding(toLength: width, withPad: " ", startingAt: 0)
      let value =
        row.value.count < valueWidth
        ? row.value.padding(toLength: valueWidth, withPad: " ", startingAt: 0) : row.value
      print("\(key)  \(value)  \(row.origin)")
    }
  }

  /// The key itself, or one for each executor.
  private func names(of key: ConfigurationKey) -> [String] {
    guard let star = key.key.firstRange(of: ".*.") else { return [key.key] }
    let prefix = String(key.key[..<star.lowerBound])
    return configuration.names(under: prefix).map { "\(prefix).\($0).\(key.key[star.upperBound...])" }
  }

  private func shown(_ value: String, _ key: ConfigurationKey) -> String {
    if key.kind == .secret { return value.isEmpty ? "(empty)" : "(set)" }
    return value.isEmpty ? "(empty)" : value
  }

  // MARK: - What is worth a second look

  private var warnings: [String] {
    var warnings: [String] = []
    let loopback = ["127.0.0.1", "::1", "localhost"]
    if settings.token == nil, !loopback.contains(settings.host) {
      warnings.append(
        "anybody who reaches \(settings.host):\(settings.port) may use the server: set OMNI_TOKEN, or bind to"
          + " loopback")
    }
    if settings.litellmKey == nil {
      warnings.append("there is no key for LiteLLM: if it asks for one, every task fails (LITELLM_API_KEY)")
    }
    if settings.backupKey == nil {
      warnings.append("there is no backup key: while LiteLLM is lost, tasks wait (GITHUB_LITELLM_KEY)")
    }
    for name in settings.unusableExecutors {
      warnings.append(
        "mcp_servers.\(name) has no url, or is stdio without a command: its tasks go through LiteLLM")
    }
    if let problem = problemWithFolder { warnings.append(problem) }
    return warnings
  }

  /// Nothing is created: the server may run as another user.
  private var problemWithFolder: String? {
    let folder = URL(filePath: settings.databasePath).deletingLastPathComponent()
    let files = FileManager.default
    var place = folder
    while !files.fileExists(atPath: place.path), place.path != "/" { place.deleteLastPathComponent() }
    guard !files.isWritableFile(atPath: place.path) else { return nil }
    return "\(folder.path) cannot be written by this user (state_manager.data, OMNI_DATA)"
  }

  // MARK: - What is there

  private func connect() async throws(StartError) {
    let loop: EventLoop
    do throws(TransportError) {
      loop = try EventLoop(name: "check")
    } catch {
      throw StartError(error.description, exit: 1)
    }
    loop.start()
    defer { loop.stop() }
    let upstreams = Upstreams(settings: settings, spec: spec, client: HTTPClient(loop: loop))
    let found = await upstreams.reach()
    for (key, problem) in found {
      print("\(key)  \(configuration[key] ?? "")  \(problem.map { "not there: \($0)" } ?? "answers")")
    }
    let missing = found.filter { $0.problem != nil }.map(\.key)
    guard missing.isEmpty else {
      throw StartError("not there: \(missing.joined(separator: ", "))", exit: 1)
    }
  }
}
