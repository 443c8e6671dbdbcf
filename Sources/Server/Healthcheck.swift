import Orchestration
import Transport

/// `omni-server healthcheck`: for containers, which need a command that says alive or not.
struct Healthcheck {
  private static let limit = Duration.seconds(5)
  private static let pause = Duration.milliseconds(50)

  private let url: String

  init(_ settings: Settings) {
    url = "http://\(settings.reachableHost):\(settings.port)/healthz"
  }

  /// Asks until the server is alive, and at least once; at the latest until `wait` is over.
  func run(wait: Duration) async throws(StartError) {
    let deadline = ContinuousClock.now + wait
    while true {
      do throws(StartError) {
        try await ask()
        print("healthy: \(url)")
        return
      } catch {
        guard ContinuousClock.now + Self.pause < deadline else { throw error }
        try? await Task.sleep(for: Self.pause)
      }
    }
  }

  private func ask() async throws(StartError) {
    do {
      let loop = try EventLoop(name: "healthcheck")
      loop.start()
      defer { loop.stop() }
      let deadlines = Deadlines(
        connect: Self.limit, firstByte: Self.limit, idle: Self.limit, total: Self.limit)
      let answer = try await HTTPClient(loop: loop).send(HTTPClientRequest(url: url), deadlines: deadlines)
      guard answer.status == 200 else {
        throw StartError("not healthy: \(url) says \(answer.status)", exit: 1)
      }
    } catch let error as StartError {
      throw error
    } catch {
      throw StartError("not healthy: \(url): \(error)", exit: 1)
    }
  }
}
