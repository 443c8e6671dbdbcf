import ProtocolSpec
import Testing
import Transport
import Wire

@testable import Orchestration

@Suite("Calls that fail on the way")
struct CallerTests {
  let failures: FailureTable
  let short = Duration.milliseconds(200)

  init() throws { failures = try Specification.load().failures }

  func deadlines(
    connect: Duration = .seconds(60), firstByte: Duration = .seconds(60), idle: Duration = .seconds(60),
    total: Duration = .seconds(60)
  ) -> Deadlines {
    Deadlines(connect: connect, firstByte: firstByte, idle: idle, total: total)
  }

  func failure(_ client: HTTPClient, _ url: String, _ deadlines: Deadlines) async -> CallFailure? {
    let caller = HTTPCaller(client: client, deadlines: deadlines, maxBytes: 1000, failures: failures)
    do throws(CallFailure) {
      _ = try await caller.get(url)
      return nil
    } catch {
      return error
    }
  }

  static func serve(_ exchange: HTTPExchange) {
    switch exchange.request.head.target {
    case "/close": exchange.close()
    case "/reset": exchange.reset()
    case "/cut":
      exchange.writeRaw(Array("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".utf8))
      exchange.close()
    case "/head":
      exchange.writeRaw(Array("HTTP/1.1 20".utf8))
      exchange.close()
    case "/garbage":
      exchange.writeRaw(Array("220 hello\r\n".utf8))
      exchange.close()
    case "/long": exchange.respond(status: 200, body: [UInt8](repeating: 0x20, count: 2000))
    case "/silent": exchange.onClose {}
    case "/stall", "/stall-in-head":
      let length = exchange.request.head.target == "/stall" ? "\r\n\r\nab" : ""
      exchange.writeRaw(Array("HTTP/1.1 200 OK\r\nContent-Length: 9\(length)".utf8))
      exchange.onClose {}
    default:
      exchange.begin(status: 200)
      @Sendable func drip() {
        exchange.write([0x20])
        exchange.loop.schedule(after: .milliseconds(20), drip)
      }
      exchange.onClose {}
      drip()
    }
  }

  @Test("are unreachable before the answer, and a bad answer inside it")
  func connections() async throws {
    try await withService(Self.serve) { client, url in
      let long = deadlines()
      #expect(await failure(client, url + "/close", long)?.name == .gatewayUnreachable)
      #expect(await failure(client, url + "/reset", long)?.name == .gatewayUnreachable)
      for path in ["/cut", "/head", "/garbage", "/long"] {
        #expect(await failure(client, url + path, long)?.name == .badResponse, "\(path)")
      }
      let listener = try Listener(loop: client.loop, host: "127.0.0.1", port: 0)
      let gone = "http://127.0.0.1:\(listener.port)/"
      listener.close()
      #expect(await failure(client, gone, long)?.name == .gatewayUnreachable)
      #expect(await failure(client, "http://no-such-host.invalid/", long)?.name == .gatewayUnreachable)
    }
  }

  @Test("have a deadline for each part")
  func eachDeadline() async throws {
    try await withService(Self.serve) { client, url in
      func detail(_ path: String, _ deadlines: Deadlines) async -> String? {
        let failure = await failure(client, url + path, deadlines)
        return failure?.name == .timeout ? failure?.detail : "\(failure?.name.rawValue ?? "none")"
      }
      #expect(await detail("/silent", deadlines(firstByte: short)) == "no answer within 0.2 seconds")
      let stalled = "nothing more of the answer within 0.2 seconds"
      #expect(await detail("/stall", deadlines(idle: short)) == stalled)
      #expect(await detail("/stall-in-head", deadlines(idle: short)) == stalled)
      #expect(await detail("/drip", deadlines(total: short)) == "the call took longer than 0.2 seconds")
    }
  }

  @Test("give up connecting at the deadline for that")
  func connecting() async throws {
    try await withService(Self.serve) { client, _ in
      // A full backlog that nobody accepts from lets further SYNs go unanswered.
      let listener = try Listener(loop: client.loop, host: "127.0.0.1", port: 0, backlog: 0)
      defer { listener.close() }
      let url = "http://127.0.0.1:\(listener.port)/"
      let details = await withTaskGroup(of: String?.self) { group in
        for _ in 0..<6 {
          group.addTask {
            await failure(client, url, deadlines(connect: short, firstByte: .seconds(2)))?.detail
          }
        }
        return await group.reduce(into: Set<String?>()) { $0.insert($1) }
      }
      #expect(details.contains("no connection within 0.2 seconds"))
    }
  }

  @Test("over TLS as well")
  func secure() async throws {
    try await withService(Self.serve) { client, url in
      let plain = url.replacing("http://", with: "https://")
      #expect(await failure(client, plain + "/close", deadlines())?.name == .gatewayUnreachable)
      // The kernel accepts, and nobody answers the hello.
      let listener = try Listener(loop: client.loop, host: "127.0.0.1", port: 0)
      defer { listener.close() }
      let silent = "https://127.0.0.1:\(listener.port)/"
      let late = await failure(client, silent, deadlines(connect: short, firstByte: short))
      #expect(late?.name == .timeout)
      #expect(late?.detail == "no answer within 0.4 seconds")
      let total = await failure(client, silent, deadlines(total: short))
      #expect(total?.detail == "the call took longer than 0.2 seconds")
    }
  }
}
