import Conformance
import Foundation
import ProtocolSpec
import Transport
import YAML

struct RunCommand: Command {
  static let name = "run"
  static let summary = "check an endpoint of yours"
  static let usage = "(--target URL | --exec COMMAND | --target-file FILE) [flags]"
  static let flags =
    [
      Flag(
        name: "--target", value: "URL",
        summary: "an endpoint that runs already: ws://host:port, or MCP over HTTP: http://host:port/mcp"),
      Flag(
        name: "--exec", value: "COMMAND",
        summary: "a program that speaks MCP over stdio; each connection starts it anew"),
      Flag(
        name: "--target-file", value: "FILE",
        summary: "an endpoint that the runner starts, and what it offers"),
      Flag(
        name: "--mock", value: "URL|PROGRAM",
        summary: "admin address of mock-litellm, or the program to start"),
      CommonFlags.roots,
    ] + CommonFlags.playing + CommonFlags.selection
  static let about = """
    Play the transcripts against an endpoint.
    """
  static let examples = """
    An endpoint that runs already; cases that need more than its address are not applicable:
      omni-conformance run --target ws://127.0.0.1:18765
    The same, with mock-litellm as its LiteLLM, so that faults can be played:
      omni-conformance run --target ws://127.0.0.1:18765 --mock http://127.0.0.1:4009
    An MCP server over Streamable HTTP, and one over stdio:
      omni-conformance run --target http://127.0.0.1:18765/mcp --profile mcp-2025-11-25
      omni-conformance run --exec 'OMNI_DATA=${data} omni-server --stdio' --profile mcp-2025-11-25
    One case again, as the last failure told:
      omni-conformance run --target ws://127.0.0.1:18765 --run tasks/create-poll-complete --seed 4021
    An endpoint that the runner starts, stops and restarts:
      omni-conformance run --target-file target.yaml --mock .build/debug/mock-litellm

    target.yaml:
      url: ws://127.0.0.1:${port}
      start: {argv: [my-orchestrator, --port, "${port}"], ready: "http://127.0.0.1:${port}/readyz", within: 20s}
      restart: {signal: KILL}              # or TERM, or {argv: [docker, restart, orchestrator]}
      environment: {LITELLM_URL: "${mock.litellm}", DIRECT_API_URL: "${mock.direct}", OMNI_DATA: "${data}"}
      capabilities: [bare, jsonrpc, http, faults, restart, environment, idempotency]
    """

  private let arguments: Arguments

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() async throws -> Int32 { try await play(try Session(arguments), as: Self.name) }

  /// - Parameter command: whose name stands in the command that plays a case again.
  func play(_ session: Session, as command: String) async throws -> Int32 {
    let (description, rerun) = try target(command)
    if let code = session.nothingSelected() { return code }
    try session.openOutput()
    session.loop.start()
    let signals = session.watchSignals()
    defer { signals.cancel() }
    let environment = ProcessInfo.processInfo.environment
    let result: RunResult
    do throws(TargetProblem) {
      let mock = try await mock(session, description)
      result = try await session.play(description, mock: mock, rerun: rerun, inherited: environment)
    } catch {
      Output.complain(([error.description] + error.lines).joined(separator: "\n  "))
      return 3
    }
    return try session.conclude(result)
  }

  /// What the flags say of the target, and the command line so far.
  func target(_ command: String) throws -> (TargetDescription, rerun: String) {
    let (description, rerun) = try described(command)
    if description.needsMock && !arguments.has("--mock") {
      throw UsageError(
        description: "the target file names ${mock.…}, so --mock is needed: the program mock-litellm")
    }
    return (description, rerun)
  }

  private func described(_ command: String) throws -> (TargetDescription, rerun: String) {
    let mock = ["--mock", "--ca-file"].compactMap { name in
      arguments[name].map { " \(name) \(shellQuoted($0))" }
    }.joined()
    switch (arguments["--target"], arguments["--target-file"], arguments["--exec"]) {
    case (nil, nil, let program?):
      return (
        TargetDescription(command: program), "\(command) --exec \(shellQuoted(program))\(mock)"
      )
    case (let url?, nil, nil):
      do {
        _ = try HTTPURL(url)
      } catch {
        throw UsageError(description: "--target \(error)")
      }
      return (TargetDescription(url: url), "\(command) --target \(shellQuoted(url))\(mock)")
    case (nil, let file?, nil):
      return (try TargetDescription(file: file), "\(command) --target-file \(shellQuoted(file))\(mock)")
    case (nil, nil, nil):
      throw UsageError(
        description:
          "what is to be checked? give --target URL, --exec COMMAND or --target-file FILE; see omni-conformance run --help"
      )
    default: throw UsageError(description: "--target, --exec and --target-file exclude each other")
    }
  }

  func mock(_ session: Session, _ description: TargetDescription) async throws(TargetProblem)
    -> MockSource
  {
    guard let given = arguments["--mock"] else { return .none }
    guard given.hasPrefix("http://") else { return .program(given) }
    if description.needsMock {
      throw TargetProblem(
        "the target file names ${mock.…}; an admin address does not tell them: give --mock the program mock-litellm, or write the addresses"
      )
    }
    let backend = MockBackend(admin: given, loop: session.loop)
    do throws(MockBackend.Problem) {
      try await backend.reset()
    } catch {
      throw TargetProblem(error.description)
    }
    return .running(backend)
  }
}
