import Foundation
internal import ProtocolSpec
package import Transport
package import Wire

/// The endpoint under test while a run lasts; it owns the process, if the description says how to
/// start one.
package actor Target: LiveTarget {
  package let description: TargetDescription
  private let faces: MockBackend.Faces?
  private let loop: EventLoop
  private let http: HTTPClient
  private let children: Children
  private let inherited: [String: String]
  private let workFolder: URL
  private let tunnel: TLSTunnel?

  private var process: ChildProcess?
  private var port: UInt16 = 0
  private var runs = 0
  private var data = ""
  /// Variables of the running process beside those of the description.
  private var caseEnvironment: [String: String] = [:]
  /// The next case gets a new process.
  private var isUsedUp = false

  private static let connectTime = Duration.seconds(5)

  /// - Parameters:
  ///   - inherited: the environment that a process starts from.
  ///   - tunnel: the way to an endpoint that speaks TLS.
  package init(
    _ description: TargetDescription, faces: MockBackend.Faces?, loop: EventLoop, children: Children,
    inherited: [String: String], tunnel: TLSTunnel? = nil
  ) {
    self.tunnel = tunnel
    self.description = description
    self.faces = faces
    self.loop = loop
    self.children = children
    self.inherited = inherited
    http = HTTPClient(loop: loop, keptPerHost: 0)
    workFolder = FileManager.default.temporaryDirectory
      .appending(path: "omni-conformance-\(UUID().uuidString.prefix(8).lowercased())")
    if description.start != nil { children.own(workFolder) }
  }

  package var url: String { tunnel?.url ?? plainURL }
  package nonisolated var headers: HTTPHeaders { tunnel.map { ["Host": $0.host] } ?? [] }
  private var plainURL: String { filled(description.url) }
  package nonisolated var transport: PlayTransport { description.transport }
  /// For people: the address as it was given, its place holders filled in.
  var name: String { filled(description.url) }
  package nonisolated var ownsProcess: Bool { description.start != nil }

  private func filled(_ text: String) -> String { filled(text, port: port, data: data) }

  private func filled(_ text: String, port: UInt16, data: String) -> String {
    var text = text.replacing("${port}", with: String(port)).replacing("${data}", with: data)
    if let faces {
      text = text.replacing("${mock.litellm}", with: faces.litellm).replacing(
        "${mock.direct}", with: faces.direct
      )
      .replacing("${mock.local}", with: faces.local)
    }
    return text
  }

  /// Makes the target fit for a case: the process that runs already, or a new one on new data.
  ///
  /// - Returns: whether the process is a new one.
  @discardableResult
  package func prepare(
    fresh: Bool, environment: [(name: String, value: String)]
  ) async throws(TargetProblem) -> Bool {
    guard ownsProcess else { return false }
    let wanted = Dictionary(environment.map { ($0.name, $0.value) }) { _, last in last }
    guard transport != .stdio else {
      caseEnvironment = wanted
      return false
    }
    let isAlive = process != nil && process?.ending == nil
    if isAlive && !fresh && !isUsedUp && wanted == caseEnvironment { return false }
    await stop()
    caseEnvironment = wanted
    isUsedUp = fresh
    data = try newFolder()
    port = try freePort()
    try await launch()
    return true
  }

  private func newFolder() throws(TargetProblem) -> String {
    runs += 1
    let path = workFolder.appending(path: "data-\(runs)").path
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw TargetProblem("cannot make the folder \(path): \(error.localizedDescription)")
    }
    return path
  }

  /// Starts a process for one connection, on data of its own.
  package func process() async throws(TargetProblem) -> LineProcess {
    guard let start = description.start else { throw TargetProblem("there is no program to start") }
    let data = try newFolder()
    let port = try freePort()
    var environment = inherited
    for (name, value) in description.environment {
      environment[name] = filled(value, port: port, data: data)
    }
    for (name, value) in caseEnvironment { environment[name] = filled(value, port: port, data: data) }
    do throws(TransportError) {
      return try LineProcess.start(
        start.argv.map { filled($0, port: port, data: data) }, environment: environment,
        maxLineBytes: Self.maxLineBytes, on: loop)
    } catch {
      throw TargetProblem("\(start.argv.first ?? "nothing") cannot be started: \(error)")
    }
  }

  private static let maxLineBytes = 64 << 20

  /// The next case shall not meet what this one has left.
  package func spoil() { isUsedUp = true }

  /// A port that no other target of this run has been given: until the process listens on it, the
  /// system may give it away again.
  private func freePort() throws(TargetProblem) -> UInt16 {
    do throws(TransportError) {
      while true {
        let listener = try Listener(loop: loop, host: "127.0.0.1", port: 0)
        defer { listener.close() }
        if children.claim(listener.port) { return listener.port }
      }
    } catch {
      throw TargetProblem(error.description)
    }
  }

  private func launch() async throws(TargetProblem) {
    guard let start = description.start else { return }
    var environment = inherited
    for (name, value) in description.environment { environment[name] = filled(value) }
    for (name, value) in caseEnvironment { environment[name] = filled(value) }
    let process = try ChildProcess(start.argv.map(filled), environment: environment, children: children)
    self.process = process
    let deadline = ContinuousClock.now + start.within
    while true {
      if let ending = process.ending {
        throw TargetProblem(
          "\(process.name) \(ending.text) before it was ready", lines: await process.lines())
      }
      if await isReady(start.ready) { return }
      guard ContinuousClock.now < deadline else {
        throw TargetProblem(
          "\(process.name) is not ready within \(start.within.short)", lines: await process.lines())
      }
      try? await Task.sleep(for: .milliseconds(5))
    }
  }

  private func isReady(_ address: String?) async -> Bool {
    guard let address else { return await isReachable() == nil }
    let time = Self.connectTime
    let answer = try? await http.send(
      HTTPClientRequest(url: filled(address)),
      deadlines: Deadlines(connect: time, firstByte: time, total: time))
    return answer?.status == 200
  }

  /// Why it cannot be connected to; nil if it can. A refused upgrade is an answer too.
  package func isReachable() async -> String? {
    switch transport {
    case .ws: await isReachableByWebSocket()
    case .http: await isReachableByHTTP()
    case .stdio: await canStart()
    }
  }

  /// Any answer will do.
  private func isReachableByHTTP() async -> String? {
    let time = Self.connectTime
    do throws(HTTPClientError) {
      _ = try await http.stream(
        HTTPClientRequest(method: "OPTIONS", url: url, headers: headers),
        deadlines: Deadlines(connect: time, firstByte: time, idle: time, total: time))
      return nil
    } catch {
      return error.description
    }
  }

  private func canStart() async -> String? {
    do throws(TargetProblem) {
      await (try process()).stop(grace: .seconds(1))
      return nil
    } catch {
      return error.description
    }
  }

  private func isReachableByWebSocket() async -> String? {
    do throws(WebSocketClientError) {
      let client = try await WebSocketClient.connect(
        url: url, headers: headers, deadline: Self.connectTime, on: loop)
      client.close()
      _ = try? await client.next(within: .milliseconds(200))
      return nil
    } catch {
      if case .rejected = error { return nil }
      return error.description
    }
  }

  /// How the process ended, if it did so by itself.
  ///
  /// - Parameter grace: how long its end may take to be known.
  package func unexpectedEnd(within grace: Duration) async -> (text: String, lines: [String])? {
    guard let process, let ending = await process.wait(within: grace) else { return nil }
    return ("\(process.name) \(ending.text)", await process.lines())
  }

  package func lines() async -> [String] { await process?.lines() ?? [] }

  package func restart(_ signal: RestartSignal) async throws(TargetProblem) -> Int? {
    if case .command(let argv) = description.restart { return try await restart(by: argv) }
    guard let process else {
      throw TargetProblem("the runner did not start the target and cannot restart it")
    }
    let status = await process.stop(signal == .kill ? SIGKILL : SIGTERM)
    try await launch()
    if case .exited(let code) = status { return code }
    return nil
  }

  private func restart(by argv: [String]) async throws(TargetProblem) -> Int? {
    let command = try ChildProcess(argv, environment: inherited, children: children)
    guard let status = await command.wait(within: .seconds(60)) else {
      await command.stop()
      throw TargetProblem("\(command.name) did not end within 60s", lines: await command.lines())
    }
    guard status == .exited(0) else {
      throw TargetProblem("\(command.name) \(status.text)", lines: await command.lines())
    }
    let deadline = ContinuousClock.now + (description.start?.within ?? .seconds(20))
    while let reason = await isReachable() {
      guard ContinuousClock.now < deadline else {
        throw TargetProblem("the target did not come back: \(reason)")
      }
      try? await Task.sleep(for: .milliseconds(50))
    }
    return 0
  }

  /// Ends the process.
  package func stop() async {
    guard let process else { return }
    self.process = nil
    if process.ending == nil {
      var signal = SIGKILL
      if case .signal(.terminate) = description.restart { signal = SIGTERM }
      await process.stop(signal)
    }
    if !data.isEmpty { try? FileManager.default.removeItem(atPath: data) }
  }

  /// Ends the process and forgets its data.
  package func end() async {
    await stop()
    try? FileManager.default.removeItem(at: workFolder)
  }
}
