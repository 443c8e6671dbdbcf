import Conformance
import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import Transport
import YAML

struct DoctorCommand: Command {
  static let name = "doctor"
  static let summary = "walk the checklist of a deployment against a live server"
  static let usage = "URL [flags]"
  static let operand: String? = "URL"
  static let flags = [
    Flag(name: "--remote", value: "URL", summary: "the same server as others reach it, such as by Tailscale"),
    Flag(
      name: "--restart", value: "COMMAND",
      summary: "restarts it, to see that a task survives: 'docker compose restart'"),
    Flag(name: "--container", value: "NAME", summary: "ask docker about this container"),
    Flag(name: "--litellm", value: "URL", summary: "ask this LiteLLM too whether it is alive"),
    Flag(
      name: "--token-env", value: "NAME", summary: "the variable with the token; default: OMNI_TOKEN, if set"),
    CommonFlags.roots,
    Flag(name: "--output", value: "FILE", summary: "write the checklist as JSON"),
  ]
  static let about = """
    Look whether a deployed orchestrator is fit: its container, reachable here and from afar, healthy,
    writable, closed to strangers and to web pages, ping, MCP, a task made and read, LiteLLM reachable,
    served by Tailscale, tasks kept over a restart.
    Each line tells what was seen and, where something is wrong, what to do. Nothing is harmed: one task
    is made that says what it is, with wait: false, and cancelled; nothing is restarted without --restart.
    A line with ○ can be answered only on the Mac mini of the deployment, and says how.
    """
  static let examples = """
      omni-conformance doctor ws://127.0.0.1:18765
      omni-conformance doctor ws://127.0.0.1:18765 --container omni-orchestrator \\
        --restart 'docker compose restart' --remote ws://macmini.example.ts.net:18765 --litellm http://127.0.0.1:4000
      MINE=… omni-conformance doctor wss://tasks.example.com --token-env MINE --output doctor.json
    """

  private let plan: Doctor.Plan
  private let output: String?

  init(_ arguments: Arguments) throws {
    guard let url = arguments.operands.first, arguments.operands.count == 1 else {
      throw UsageError(description: "which server? omni-conformance doctor ws://127.0.0.1:18765")
    }
    var plan = Doctor.Plan(url: try Self.url(url, "URL"), name: url)
    for name in ["--remote", "--litellm"] {
      if let text = arguments[name] { _ = try Self.url(text, name) }
    }
    plan.remote = arguments["--remote"]
    plan.liteLLM = arguments["--litellm"]
    plan.restart = arguments["--restart"]
    plan.container = arguments["--container"]
    plan.roots = try CommonFlags.roots(arguments)
    plan.environment = ProcessInfo.processInfo.environment
    plan.tokenName = arguments["--token-env"] ?? plan.tokenName
    let token = plan.environment[plan.tokenName] ?? ""
    if arguments.has("--token-env") && token.isEmpty {
      throw UsageError(description: "--token-env \(plan.tokenName): this variable is not set")
    }
    plan.token = token.isEmpty ? nil : token
    self.plan = plan
    output = arguments["--output"]
  }

  private static func url(_ text: String, _ name: String) throws(UsageError) -> HTTPURL {
    do { return try HTTPURL(text) } catch { throw UsageError(description: "\(name) \(error)") }
  }

  func run() async throws -> Int32 {
    if let output, !FileManager.default.createFile(atPath: output, contents: nil) {
      throw UsageError(description: "--output \(output) cannot be written")
    }
    let loop = try EventLoop(name: "doctor")
    loop.start()
    let children = Children()
    let signals = StopSignals([SIGINT, SIGTERM, SIGHUP])
    let watch = Task {
      guard let number = await signals.wait() else { return }
      children.killAll()
      _exit(128 + number)
    }
    defer { watch.cancel() }
    let spec = try Specification.load()
    var doctor = Doctor(plan, spec: spec, loop: loop, children: children) {
      Output.write(DoctorReport.lines($0))
    }
    let report = await doctor.run()
    children.killAll()
    Output.line(report.verdict)
    if let output {
      try Data((JSONWriter.indented(report.document) + "\n").utf8).write(to: URL(filePath: output))
    }
    return report.exitCode
  }
}
