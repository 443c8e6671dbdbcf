import Conformance
import Diagnostics
import Foundation
import ProtocolSpec
import Transport
import YAML

struct RecordCommand: Command {
  static let name = "record"
  static let summary = "write a transcript of what a client and a server of yours say to each other"
  static let usage = "--target URL [--exec 'COMMAND {url}'] [flags]"
  static let flags =
    [
      Flag(name: "--target", value: "URL", summary: "the server: ws://host:port"),
      Flag(
        name: "--exec", value: "COMMAND",
        summary: "the client, run by the shell; {url} is where it is to connect"),
      Flag(
        name: "--listen", value: "PORT", summary: "where clients connect; without it a free port is taken"),
      CommonFlags.roots,
      Flag(name: "--stay", value: nil, summary: "go on until Ctrl-C when the clients have gone"),
    ] + RecordingFlags.all
  static let about = """
    Stand between a client and a server, and write what they say as a transcript that can be played
    from either side. Ids, times and what else another run would choose anew become matchers,
    secrets become {$secret: NAME}.
    """
  static let examples = """
    A client that is started, and ends by itself:
      omni-conformance record --target ws://127.0.0.1:18765 --exec 'python3 bot.py {url}' --output bot.yaml
    Clients that connect to port 9000 meanwhile; it ends when they have gone:
      omni-conformance record --target ws://127.0.0.1:18765 --listen 9000 --output session.yaml
    What was recorded, played against the server:
      omni-conformance run --target ws://127.0.0.1:18765 --fixtures FOLDER
    """

  private let arguments: Arguments
  private static let host = "127.0.0.1"
  /// A client that reconnects does so within this time.
  private static let grace = Duration.seconds(1)

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() async throws -> Int32 {
    let target = try self.target()
    let port = try self.port()
    let roots = try CommonFlags.roots(arguments)
    let output = try RecordingOutput(arguments)
    let loop = try EventLoop(name: "record")
    loop.start()
    defer { loop.stop() }
    let children = Children()
    defer { children.killAll() }
    let tunnel: TLSTunnel?
    do throws(TargetProblem) {
      tunnel = try await reached(target, roots, loop, children)
    } catch {
      output.discard()
      Output.complain(([error.description] + error.lines).joined(separator: "\n  "))
      return 3
    }
    let log = RecordingLog()
    let proxy: Proxy
    do throws(TransportError) {
      proxy = try Proxy(
        target: tunnel.flatMap { try? HTTPURL($0.url) } ?? target, behind: target, host: Self.host,
        port: port,
        offersExtensions: false, on: loop
      ) { _, _ in log.interceptor() }
    } catch {
      output.discard()
      throw UsageError(description: error.description)
    }
    proxy.start()
    defer { proxy.stop() }
    let url = proxy.url + (target.target == "/" ? "" : target.target)
    output.tell("recording \(url) in front of \(arguments["--target"] ?? "")")
    let code = try await waitForClients(url, log, children)
    return try output.write(log, otherwise: code)
  }

  private func target() throws(UsageError) -> HTTPURL {
    guard let text = arguments["--target"] else {
      throw UsageError(description: "--target is missing; see omni-conformance record --help")
    }
    do throws(HTTPURL.Invalid) {
      return try HTTPURL(text)
    } catch {
      throw UsageError(description: "--target \(error)")
    }
  }

  private func port() throws(UsageError) -> UInt16 {
    guard let text = arguments["--listen"] else { return 0 }
    guard let port = UInt16(text) else {
      throw UsageError(description: "--listen needs a port from 0 to 65535, not \"\(text)\"")
    }
    return port
  }

  /// Sees that the target is there before a client runs into it; gives the way to it where it speaks TLS.
  private func reached(
    _ target: HTTPURL, _ roots: String?, _ loop: EventLoop, _ children: Children
  ) async throws(TargetProblem) -> TLSTunnel? {
    if TLSTunnel.isNeeded(for: target) {
      return try await TLSTunnel.open(
        to: target, roots: roots, loop: loop, children: children,
        environment: ProcessInfo.processInfo.environment)
    }
    let problem: String? = await withCheckedContinuation { continuation in
      loop.submit {
        RawConnection.connect(host: target.host, port: target.port, within: .seconds(5), on: loop) {
          switch $0 {
          case .success: continuation.resume(returning: nil)
          case .failure(let failure): continuation.resume(returning: failure.description)
          }
        }
      }
    }
    if let problem { throw TargetProblem(problem) }
    return nil
  }

  /// Until the command has ended, the clients have gone, or a signal comes; gives the exit code.
  private func waitForClients(
    _ url: String, _ log: RecordingLog, _ children: Children
  ) async throws -> Int32 {
    var child: ChildProcess?
    if let command = arguments["--exec"] {
      do throws(TargetProblem) {
        child = try ChildProcess(
          ["/bin/sh", "-c", command.replacing("{url}", with: url)],
          environment: ProcessInfo.processInfo.environment, children: children)
      } catch {
        throw UsageError(description: "--exec: \(error)")
      }
    }
    let signals = StopSignals([SIGINT, SIGTERM, SIGHUP])
    return await withTaskGroup(of: Int32.self) { group in
      group.addTask { [child] in
        // Ctrl-C is how a recording without a command ends.
        let number = await signals.wait()
        return number.map { child == nil ? 0 : 128 + $0 } ?? 0
      }
      group.addTask { [child] in
        if let child { return await ended(child, log) }
        await gone(log)
        return 0
      }
      let code = await group.next() ?? 0
      group.cancelAll()
      return code
    }
  }

  private func ended(_ child: ChildProcess, _ log: RecordingLog) async -> Int32 {
    while !Task.isCancelled {
      guard let status = await child.wait(within: .milliseconds(100)) else { continue }
      // What it said last may still be under way.
      let deadline = ContinuousClock.now + .seconds(2)
      while log.connections.open > 0, ContinuousClock.now < deadline {
        try? await Task.sleep(for: .milliseconds(5))
      }
      guard status != .exited(0) else { return 0 }
      Output.complain(
        ([
          "the command \(status.text)"
        ] + (await child.lines())).joined(separator: "\n  "))
      return 1
    }
    return 0
  }

  private func gone(_ log: RecordingLog) async {
    var since: ContinuousClock.Instant?
    while !Task.isCancelled {
      try? await Task.sleep(for: .milliseconds(20))
      let (opened, open) = log.connections
      guard !arguments.has("--stay"), opened > 0, open == 0 else {
        since = nil
        continue
      }
      let start = since ?? .now
      since = start
      if ContinuousClock.now - start > Self.grace { return }
    }
  }
}

/// The flags of what writes transcripts.
enum RecordingFlags {
  static let all = [
    Flag(
      name: "--output", value: "FILE", summary: "where the transcript goes; the default is standard output"),
    Flag(name: "--suite", value: "NAME", summary: "the name of its suite; the default is recorded"),
    Flag(name: "--exact", value: nil, summary: "keep the texts of models as they were"),
    Flag(name: "--timing", value: nil, summary: "slow answers must be slow again, by a quarter"),
    Flag(
      name: "--secret", value: "NAME",
      summary:
        "a variable of the environment that holds a secret; those called …KEY, …TOKEN, …SECRET are known",
      isRepeatable: true),
    Flag(name: "--spec", value: "DIR", summary: "specification of this folder, not that inside the program"),
  ]
}

/// Where a transcript goes, and how it is made.
struct RecordingOutput {
  private let arguments: Arguments
  private let recorder: Recorder
  private let path: String?

  init(_ arguments: Arguments) throws {
    self.arguments = arguments
    path = arguments["--output"]
    let suite = arguments["--suite"] ?? "recorded"
    let isName = suite.utf8.allSatisfy {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        || $0 == UInt8(ascii: "-")
    }
    guard isName else {
      throw UsageError(description: "--suite needs lower case letters, digits and hyphens, not \"\(suite)\"")
    }
    let environment = ProcessInfo.processInfo.environment
    let secrets = arguments.all("--secret")
    for name in secrets where (environment[name] ?? "").utf8.count < NamedSecrets.shortest {
      throw UsageError(
        description:
          "--secret \(name): the environment has no such variable of \(NamedSecrets.shortest) characters or more"
      )
    }
    var options = RecordingOptions(suite: suite)
    options.isExact = arguments.has("--exact")
    options.keepsTiming = arguments.has("--timing")
    options.isOneCase = arguments.has("--exec") || arguments.has("--one-case")
    recorder = Recorder(
      spec: try Specification.load(directory: arguments["--spec"]), options: options,
      secrets: NamedSecrets(secrets, environment: environment))
    if let path, !FileManager.default.createFile(atPath: path, contents: nil) {
      throw UsageError(description: "--output \(path) cannot be written")
    }
  }

  /// A line for people, out of the way of the transcript.
  func tell(_ text: String) {
    if path == nil { Output.complain(text) } else { Output.line(text) }
  }

  /// Nothing will be written.
  func discard() {
    if let path { try? FileManager.default.removeItem(atPath: path) }
  }

  func write(_ log: RecordingLog, otherwise code: Int32) throws -> Int32 {
    if let problem = log.unreachable.first, log.result.entries.isEmpty {
      discard()
      Output.complain("the target was there and is no more: \(problem)")
      return 3
    }
    if log.isFull { Output.complain("the recording became too long: its end is left out") }
    return try write(log.result, otherwise: code)
  }

  /// Gives `code`, or 1 where nothing could be written.
  func write(_ recording: Recording, otherwise code: Int32) throws -> Int32 {
    let written: RecordedTranscript
    do throws(RecordingProblem) {
      written = try recorder.transcript(recording)
    } catch {
      discard()
      Output.complain("nothing was written: \(error)")
      return 1
    }
    for remark in written.remarks { Output.complain(remark) }
    guard let path else {
      Output.write(written.text)
      return code
    }
    try Data(written.text.utf8).write(to: URL(filePath: path))
    Output.line("wrote \(written.cases) case\(written.cases == 1 ? "" : "s") to \(path)")
    return code
  }
}
