import Conformance
import ProtocolSpec
import Testing

/// Cases over stdio, against programs of a few lines.
@Suite("stdio")
struct LineChannelTests {
  /// Answers initialize and pings, and does `extra` for a ping with the id 1.
  private static func program(_ extra: String = "answer '{}'", initialized: String = ":") -> TargetDescription
  {
    TargetDescription(
      command: """
        answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\\n' "$id" "$1"; }
        while read -r line; do
          id=$(printf %s "$line" | sed 's/.*"id":\\("[^"]*"\\|[0-9]*\\).*/\\1/')
          case "$line" in
          *'"initialize"'*) answer '{"protocolVersion":"2025-11-25","capabilities":{}}' ;;
          *'"notifications/'*) \(initialized) ;;
          *'"id":1,'*) \(extra) ;;
          *) answer '{}' ;;
          esac
        done
        """)
  }

  private static let ping = "- client: {id: 1, method: ping}\n- server: {id: 1, result: {}}"

  private static func play(_ steps: String, _ program: TargetDescription) async throws -> CaseResult {
    let result = try await Kit.run(
      Kit.file(steps, dialect: "mcp-2025-11-25"), against: "stdio", description: program)
    return try #require(result.results.first)
  }

  @Test("each connection has a process of its own", .timeLimit(.minutes(1)))
  func connections() async throws {
    let steps = Self.ping + "\n" + Self.ping.replacing("\n", with: "\n  conn: b\n") + "\n  conn: b"
    let result = try await Self.play(steps, Self.program("answer $$"))
    #expect(result.failure?.message == "the frame differs")
    let good = try await Self.play(steps, Self.program())
    #expect(good.verdict == .pass, "\(String(describing: good.failure))")
  }

  @Test("the end of its input ends a program", .timeLimit(.minutes(1)))
  func close() async throws {
    let steps = Self.ping + "\n- close: {}\n- closed: {by: server, code: none}\n  within: 10s"
    let good = try await Self.play(steps, Self.program())
    #expect(good.verdict == .pass, "\(String(describing: good.failure))")
    let bad = try await Self.play(steps, Self.program("answer '{}'; trap 'exit 4' EXIT"))
    let text = "the server broke the rules of stdio on connection a: the end of its input should end a server"
    #expect(bad.failure?.message.hasPrefix(text) == true, "\(String(describing: bad.failure?.message))")
  }

  struct Wrong: Sendable, CustomTestStringConvertible {
    let extra: String
    let message: String
    var lines: [String] = []
    var testDescription: String { extra }
  }

  static let wrongs = [
    Wrong(extra: "echo hello", message: "the frame is no JSON: "),
    Wrong(extra: "answer '{}'; answer '{}'", message: "a frame that no step declares, on connection a"),
    Wrong(
      extra: "echo out of memory >&2; exit 3",
      message: "the connection ended instead: the server's process: it ended with exit code 3",
      lines: ["out of memory"]),
  ]

  @Test("a wrong behaviour fails the case", .timeLimit(.minutes(1)), arguments: wrongs)
  func wrong(_ wrong: Wrong) async throws {
    let result = try await Self.play(Self.ping, Self.program(wrong.extra))
    let failure = try #require(result.failure)
    #expect(failure.message.hasPrefix(wrong.message), "\(failure.message)")
    #expect(failure.targetLines == wrong.lines)
  }

  @Test("text that is no JSON is a line as well", .timeLimit(.minutes(1)))
  func raw() async throws {
    let error = #"echo '{"jsonrpc":"2.0","error":{"code":-32700,"message":"no"}}'"#
    let steps = "- raw: {text: '{\"id\":1,'}\n- server: {id: {$absent: true}, error: {code: -32700}}"
    let result = try await Self.play(steps, Self.program(error))
    #expect(result.verdict == .pass, "\(String(describing: result.failure))")
  }

  @Test("a program that is not there is told at once", .timeLimit(.minutes(1)))
  func missing() async throws {
    let result = try await Self.play(Self.ping, TargetDescription(command: "exec /no/such/program"))
    #expect(result.verdict == .fail)
  }

  @Test("every mutation of a message is noticed", .timeLimit(.minutes(1)))
  func proof() async throws {
    let proof = try #require(
      try await ProveTests.prove(
        Kit.file(Self.ping, dialect: "mcp-2025-11-25"), on: "stdio", description: Self.program()
      ).first)
    #expect(proof.failure == nil, "\(String(describing: proof.failure))")
    #expect(proof.results.count > 10)
    for result in proof.results { #expect(result.verdict == .noticed, "\(result.mutation.id)") }
  }
}
