import Conformance
import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import Transport
import Wire
import YAML

/// Measures how much an endpoint does, and how fast.
struct BenchCommand: Command {
  static let name = "bench"
  static let summary = "how many requests an endpoint answers, and how fast"
  static let usage = "--target URL [flags]"
  static let flags = [
    Flag(name: "--target", value: "URL", summary: "the endpoint: ws://host:port or wss://host"),
    CommonFlags.roots,
    Flag(name: "--connections", value: "N", summary: "connections at one time (64)"),
    Flag(
      name: "--pipeline", value: "N",
      summary: "requests that each connection keeps in flight (1); with --rate the most it may have (256)"),
    Flag(
      name: "--mix", value: "MIX",
      summary: "methods and their weights (ping=1): ping, create_task, get_task_status"),
    Flag(name: "--dialect", value: "NAME", summary: "jsonrpc (default) or bare"),
    Flag(name: "--duration", value: "TIME", summary: "how long to measure (10s)"),
    Flag(name: "--warmup", value: "TIME", summary: "how long to ask before that (1s)"),
    Flag(name: "--rate", value: "N", summary: "send N requests a second in all, whatever the answers do"),
    Flag(name: "--loops", value: "N", summary: "event loops of the generator, each on a thread (1)"),
    Flag(name: "--output", value: "FILE", summary: "write the result as JSON"),
  ]
  static let about = """
    Load an endpoint, check every answer, and tell throughput and latencies.
    """
  static let examples = """
    How much it can do: a closed loop, in which each answer is followed by the next request:
      omni-conformance bench --target ws://127.0.0.1:18765 --connections 64 --pipeline 16
    How fast it answers under a load that does not wait for it; a latency counts from when the request
    was due, so a stall is seen in all requests that it held up:
      omni-conformance bench --target ws://127.0.0.1:18765 --rate 20000 --duration 30s
    Tasks too, with wait: false, and their states; the endpoint does have them done by its models:
      omni-conformance bench --target ws://127.0.0.1:18765 --mix ping=8,create_task=1,get_task_status=1
    For a machine to compare:
      omni-conformance bench --target ws://127.0.0.1:18765 --output bench.json

    With OMNI_TOKEN set, it is sent as bearer token. Exit codes: 0 every answer was right, 1 some were
    not or a connection was lost, 2 usage, 3 the target could not be reached. Read docs/bench.md.
    """

  private let plan: BenchPlan
  private let output: String?
  private let roots: String?

  init(_ arguments: Arguments) throws(UsageError) {
    var plan = BenchPlan(url: try Self.url(arguments), mix: try Self.mix(arguments))
    func number(_ name: String, _ limit: Int) throws(UsageError) -> Int? {
      guard let text = arguments[name] else { return nil }
      guard let number = Int(text), (1...limit).contains(number) else {
        throw UsageError(description: "\(name) needs a whole number from 1 to \(limit), not \"\(text)\"")
      }
      return number
    }
    plan.rate = try number("--rate", BenchPlan.maxRate)
    plan.connections = try number("--connections", BenchPlan.maxConnections) ?? plan.connections
    plan.pipeline =
      try number("--pipeline", BenchPlan.maxPipeline)
      ?? (plan.rate == nil ? plan.pipeline : BenchPlan.openLoopPipeline)
    plan.loops = try number("--loops", BenchPlan.maxLoops) ?? plan.loops
    guard plan.loops <= plan.connections else {
      throw UsageError(
        description: "--loops \(plan.loops) is more than --connections \(plan.connections): a loop needs one")
    }
    let name = arguments["--dialect"] ?? plan.dialect.rawValue
    guard let dialect = BenchDialect(rawValue: name) else {
      throw UsageError(description: unknown("dialect", name, known: BenchDialect.allCases.map(\.rawValue)))
    }
    plan.dialect = dialect
    plan.duration = try Self.time(arguments, "--duration", from: .milliseconds(100)) ?? plan.duration
    plan.warmup = try Self.time(arguments, "--warmup", from: .zero) ?? plan.warmup
    if let token = ProcessInfo.processInfo.environment["OMNI_TOKEN"], !token.isEmpty {
      plan.headers.append("Authorization", "Bearer \(token)")
    }
    self.plan = plan
    output = arguments["--output"]
    roots = try CommonFlags.roots(arguments)
  }

  @Sendable private static func show(_ progress: BenchProgress) {
    // A narrow terminal would wrap, and a wrapped line cannot be rewritten.
    Output.write("\r\u{1B}[K  \(BenchReport.progress(progress).prefix(76))")
  }

  private static func url(_ arguments: Arguments) throws(UsageError) -> HTTPURL {
    guard let text = arguments["--target"] else {
      throw UsageError(
        description: "what is to be measured? give --target URL; see omni-conformance bench --help")
    }
    do { return try HTTPURL(text) } catch { throw UsageError(description: "--target \(error)") }
  }

  private static func mix(_ arguments: Arguments) throws(UsageError) -> RequestMix {
    let text = arguments["--mix"] ?? "ping=1"
    do { return try RequestMix(text) } catch { throw UsageError(description: "--mix \(text): \(error)") }
  }

  private static func time(
    _ arguments: Arguments, _ name: String, from least: Duration
  ) throws(UsageError) -> Duration? {
    guard let text = arguments[name] else { return nil }
    guard let time = parseDuration(text), time >= least, time <= .seconds(24 * 3600) else {
      let range = least > .zero ? " from 100ms to 24h" : " up to 24h"
      throw UsageError(description: "\(name) needs a time such as 10s,\(range), not \"\(text)\"")
    }
    return time
  }

  /// The plan, by way of a tunnel where the endpoint speaks TLS.
  private func reached(_ children: Children) async throws(TargetProblem) -> BenchPlan {
    guard TLSTunnel.isNeeded(for: plan.url) else { return plan }
    let loop: EventLoop
    do throws(TransportError) { loop = try EventLoop(name: "tunnel") } catch {
      throw TargetProblem(error.description)
    }
    loop.start()
    var plan = plan
    plan.tunnel = try await TLSTunnel.open(
      to: plan.url, roots: roots, loop: loop, children: children,
      environment: ProcessInfo.processInfo.environment)
    return plan
  }

  func run() async throws -> Int32 {
    if let output, !FileManager.default.createFile(atPath: output, contents: nil) {
      throw UsageError(description: "--output \(output) cannot be written")
    }
    let children = Children()
    defer { children.killAll() }
    let plan: BenchPlan
    do throws(TargetProblem) {
      plan = try await reached(children)
    } catch {
      Output.complain(error.description)
      return 3
    }
    let bench = try Bench(plan)
    let signals = StopSignals()
    let watch = Task { () -> Int32? in
      let number = await signals.wait()
      if number != nil { bench.interrupt() }
      return number
    }
    Output.line(BenchReport.heading(plan))
    let isLive = Output.isTerminal
    let result: BenchResult
    do throws(BenchFailure) {
      result = try await bench.run(isLive ? Self.show : nil)
    } catch {
      Output.complain(error.description)
      return 3
    }
    if isLive { Output.write("\r\u{1B}[K") }
    Output.line(BenchReport.text(result))
    if let output {
      let text = JSONWriter.indented(result.document(version: kitVersion)) + "\n"
      try Data(text.utf8).write(to: URL(filePath: output))
    }
    watch.cancel()
    if let number = await watch.value {
      Output.complain("interrupted, so the figures are those up to then")
      return 128 + number
    }
    return result.exitCode
  }
}
