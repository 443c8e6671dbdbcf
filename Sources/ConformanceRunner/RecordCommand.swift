import Conformance
import Diagnostics
import Foundation
import ProtocolSpec
import Transport
import YAML

struct RecordCommand: Command {
  static let name = "record"
  static let summary = "write a transcript of what a client and a server of yours say to each other"
  static let usage = "(--target URL [--exec 'COMMAND {url}'] | --exec SERVER) [flags]"
  static let flags =
    [
      Flag(
        name: "--target", value: "URL",
        summary: "the server: ws://host:port, or http://host:port/mcp for Streamable HTTP"),
      Flag(
        name: "--exec", value: "COMMAND",
        summary: "the client, {url} is where it is to connect; without --target a server over stdio"),
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
    A client of MCP over Streamable HTTP:
      omni-conformance record --target http://127.0.0.1:18765/mcp --exec 'python3 bot.py {url}'
    What a client starts as its server, to record both over stdio:
      omni-conformance record --exec 'omni-server --stdio' --output session.yaml
    Clients that connect to port 9000 meanwhile; it ends when they have gone:
      omni-conformance record --target ws://127.0.0.1:18765 --listen 9000 --output session.yaml
    What was recorded, played against the server:
      omni-conformance run --target ws://127.0.0.1:18765 --fixtures FOLDER
    """

  private let arguments: Arguments
  /// A client that reconnects does so within this time.
  private static let grace = Duration.seconds(1)

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() async throws -> Int32 {
    if arguments["--target"] == nil, let command = arguments["--exec"] {
      return try await StdioRecording(arguments, command).run()
    }
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
    let between: Between
    do throws(TransportError) {
      between = try Between(target, tunnel: tunnel, port: port, on: loop)
    } catch {
      output.discard()
      throw UsageError(description: error.description)
    }
    let url = between.url + (target.target == "/" ? "" : target.target)
    output.tell("recording \(url) in front of \(arguments["--target"] ?? "")")
    let code = try await waitForClients(url, between, children)
    await between.stop()
    return try output.write(between.log, otherwise: code)
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
    _ url: String, _ between: Between, _ children: Children
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
        if let child { return await ended(child, between) }
        await gone(between)
        return 0
      }
      let code = await group.next() ?? 0
      group.cancelAll()
      return code
    }
  }

  private func ended(_ child: ChildProcess, _ between: Between) async -> Int32 {
    while !Task.isCancelled {
      guard let status = await child.wait(within: .milliseconds(100)) else { continue }
      // What it said last may still be under way.
      let deadline = ContinuousClock.now + .seconds(2)
      while between.connections.open > 0, ContinuousClock.now < deadline {
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

  private func gone(_ between: Between) async {
    var since: ContinuousClock.Instant?
    while !Task.isCancelled {
      try? await Task.sleep(for: .milliseconds(20))
      let (opened, open) = between.connections
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

/// What stands between clients and the server: a proxy of WebSockets, or one of Streamable HTTP.
private struct Between {
  private enum Kind {
    case webSocket(Proxy)
    case http(HTTPProxy)
  }

  let log: RecordingLog
  private let kind: Kind
  private static let host = "127.0.0.1"

  init(_ target: HTTPURL, tunnel: TLSTunnel?, port: UInt16, on loop: EventLoop) throws(TransportError) {
    let way = tunnel.flatMap { try? HTTPURL($0.url) } ?? target
    guard target.scheme.hasPrefix("http") else {
      let log = RecordingLog()
      self.log = log
      let proxy = try Proxy(
        target: way, behind: target, host: Self.host, port: port, offersExtensions: false, on: loop
      ) { _, _ in log.interceptor() }
      proxy.start()
      kind = .webSocket(proxy)
      return
    }
    log = RecordingLog(over: .http)
    let path = String(target.target.prefix { $0 != "?" })
    let proxy = try HTTPProxy(
      target: way, behind: target, host: Self.host, port: port, on: loop,
      tap: StreamableHTTPTap(log, path: path))
    proxy.start()
    kind = .http(proxy)
  }

  /// Where clients find it, without a path.
  var url: String {
    switch kind {
    case .webSocket(let proxy): proxy.url
    case .http(let proxy): proxy.url
    }
  }

  /// How many connections there were, and how many of them have not ended.
  var connections: (opened: Int, open: Int) {
    switch kind {
    case .webSocket: log.connections
    case .http(let proxy): (log.connections.opened, proxy.connectionCount)
    }
  }

  func stop() async {
    switch kind {
    case .webSocket(let proxy): proxy.stop()
    case .http(let proxy): await proxy.stop()
    }
  }
}
