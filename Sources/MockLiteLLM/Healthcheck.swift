import Transport

/// `mock-litellm healthcheck`: for containers, which need a command that says alive or not.
///
/// It asks the admin port: what is asked there is in no journal, and no fault closes it.
struct Healthcheck: Sendable {
  private static let limit = Duration.seconds(5)

  private let url: String

  init(_ options: Options) {
    let host = ["0.0.0.0", "::"].contains(options.host) ? "127.0.0.1" : options.host
    url = "http://\(host.contains(":") ? "[\(host)]" : host):\(options.adminPort)/_mock/clock"
  }

  /// What is wrong; nil if the mock is there.
  func complaint() async -> String? {
    do {
      let loop = try EventLoop(name: "healthcheck")
      loop.start()
      defer { loop.stop() }
      let deadlines = Deadlines(
        connect: Self.limit, firstByte: Self.limit, idle: Self.limit, total: Self.limit)
      let answer = try await HTTPClient(loop: loop).send(HTTPClientRequest(url: url), deadlines: deadlines)
      return answer.status == 200 ? nil : "not healthy: \(url) says \(answer.status)"
    } catch {
      return "not healthy: \(url): \(error)"
    }
  }
}
