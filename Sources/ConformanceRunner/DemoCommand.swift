import Conformance
import Foundation
import ProtocolSpec
import Transport
import YAML

/// Checks the server of this kit behind a mock backend.
struct DemoCommand: Command {
  static let name = "demo"
  static let summary = "check the server of this kit, with a mock backend; nothing to set up"
  static let usage = "[flags]"
  static let flags =
    [
      Flag(name: "--server", value: "PATH", summary: "the server; default: omni-server beside this program"),
      Flag(name: "--mock", value: "PATH", summary: "the mock; default: mock-litellm beside this program"),
      transportFlag,
    ] + CommonFlags.playing + CommonFlags.selection
  static let transportFlag = Flag(
    name: "--transport", value: "NAME", summary: "how the server is spoken with: ws (default), http or stdio")
  static let about = """
    Start mock-litellm and omni-server on free ports with a temporary folder, play every transcript
    of the profile, stop both.
    """
  static let examples = """
      omni-conformance demo
      omni-conformance demo --run 'tasks/*' --verbose
      omni-conformance demo --profile mcp-2025-11-25 --transport http
      omni-conformance demo --server ./my-build/omni-server --output results.json
    """

  private let arguments: Arguments

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() async throws -> Int32 {
    let server = try program("--server", "omni-server")
    let mockPath = try program("--mock", "mock-litellm")
    let transport = try Self.transport(arguments)
    let session = try Session(arguments)
    if let code = session.nothingSelected() { return code }
    try session.openOutput()
    session.loop.start()
    let signals = session.watchSignals()
    defer { signals.cancel() }
    let rerun = ["--server", "--mock", "--transport"].compactMap { name in
      arguments[name].map { " \(name) \(shellQuoted($0))" }
    }
    let result: RunResult
    do throws(TargetProblem) {
      result = try await session.play(
        Self.target(server, over: transport, fixtures: session.speaksMCP), mock: .program(mockPath),
        rerun: "demo" + rerun.joined(),
        inherited: Self.environment)
    } catch {
      Output.complain(([error.description] + error.lines).joined(separator: "\n  "))
      return 3
    }
    let code = try session.conclude(result)
    let counts = result.counts
    let judged = counts.judged
    let expected = counts[.expectedFailure]
    switch code {
    case 0 where expected > 0:
      Output.line("as expected: \(expected) of \(judged) cases of profile \(result.info.profile) do not hold")
    case 0:
      Output.line("conformant: \(counts[.pass]) of \(judged) cases of profile \(result.info.profile) hold")
    case 1:
      Output.line(
        "not conformant: \(judged - counts[.pass]) of \(judged) cases of profile \(result.info.profile) do not hold"
      )
    default: Output.line("not judged: \(judged) of \(session.cases.count) cases were played")
    }
    return code
  }

  /// Settings of the user's own server must not reach this one.
  static var environment: [String: String] {
    let prefixes = ["OMNI_", "LITELLM_", "GITHUB_LITELLM_", "DIRECT_API_", "BRAINSTEM_"]
    return ProcessInfo.processInfo.environment.filter { variable in
      !prefixes.contains(where: variable.key.hasPrefix)
    }
  }

  func program(_ flag: String, _ name: String) throws(UsageError) -> String {
    if let path = arguments[flag] {
      guard FileManager.default.isExecutableFile(atPath: path) else {
        throw UsageError(description: "\(flag) \(path) is no program")
      }
      return path
    }
    let own = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
    let path = own.resolvingSymlinksInPath().deletingLastPathComponent().appending(path: name).path
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw UsageError(description: "\(name) is not beside this program; build it, or give \(flag) PATH")
    }
    return path
  }

  static func transport(_ arguments: Arguments) throws(UsageError) -> PlayTransport {
    guard let name = arguments[transportFlag.name] else { return .ws }
    guard let transport = PlayTransport(rawValue: name) else {
      throw UsageError(
        description: unknown("transport", name, known: PlayTransport.allCases.map(\.rawValue)))
    }
    return transport
  }

  /// - Parameter fixtures: whether the server offers what the official scenarios of MCP call.
  static func target(
    _ server: String, over transport: PlayTransport = .ws, fixtures: Bool = false
  ) -> TargetDescription {
    let isOwn = transport == .stdio
    let flags = (fixtures ? ["--conformance-fixtures"] : []) + (isOwn ? ["--stdio"] : [])
    let addresses: [PlayTransport: String] = [
      .ws: "ws://127.0.0.1:${port}", .http: "http://127.0.0.1:${port}/mcp",
      .stdio: TargetDescription.stdio,
    ]
    return TargetDescription(
      url: addresses[transport] ?? "",
      start: TargetDescription.Start(
        argv: [server] + flags, ready: "http://127.0.0.1:${port}/readyz",
        within: .seconds(20)),
      environment: [
        ("OMNI_HOST", "127.0.0.1"), ("OMNI_PORT", "${port}"), ("OMNI_DATA", "${data}"),
        ("LITELLM_URL", "${mock.litellm}"), ("LITELLM_API_KEY", "sk-demo-gateway-key"),
        ("GITHUB_LITELLM_KEY", "sk-demo-backup-key"), ("DIRECT_API_URL", "${mock.direct}"),
        ("BRAINSTEM_URL", "${mock.local}"), ("OMNI_HEALTH_INTERVAL", "0.2s"),
      ],
      capabilities: Capability.allCases)
  }
}
