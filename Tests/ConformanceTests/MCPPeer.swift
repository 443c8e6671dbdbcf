import Conformance
import JSON
import Synchronization
import Transport
import Wire

/// A small server of MCP over Streamable HTTP, with a behaviour of one's choice, that keeps what it was asked.
final class MCPPeer: Sendable {
  struct Asked: Sendable {
    let method: String
    let headers: HTTPHeaders
    let message: JSONValue?

    var name: String? { message?["method"]?.string }
    var id: JSONValue { message?["id"] ?? .null }
  }

  struct Answer: Sendable {
    var status = 200
    var headers: HTTPHeaders = []
    var body = ""

    static let accepted = Answer(status: 202)
    static func json(_ text: String, status: Int = 200, _ more: HTTPHeaders = []) -> Answer {
      var headers: HTTPHeaders = ["Content-Type": "application/json"]
      headers.append(contentsOf: more)
      return Answer(status: status, headers: headers, body: text)
    }
    static func events(_ text: String) -> Answer {
      Answer(headers: ["Content-Type": "text/event-stream"], body: text)
    }
  }

  typealias Behaviour = @Sendable (Asked) -> Answer?

  private final class Journal: Sendable { let all = Mutex<[Asked]>([]) }

  private let journal = Journal()
  private let peer: Peer

  var asked: [Asked] { journal.all.withLock { $0 } }
  var url: String { peer.httpURL + "/mcp" }

  /// - Parameter behaviour: nil for what a good server does.
  init(_ behaviour: @escaping Behaviour = { _ in nil }) throws {
    let journal = journal
    peer = try Peer(pages: { request in
      let asked = Asked(
        method: request.head.method, headers: request.head.headers,
        message: try? JSONParser.parse(request.body))
      journal.all.withLock { $0.append(asked) }
      let answer = behaviour(asked) ?? Self.usual(asked)
      return (answer.status, answer.headers, answer.body)
    })
  }

  /// What a good server does, of whatever revision.
  static func usual(_ asked: Asked) -> Answer {
    guard asked.method == "POST" else { return Answer(status: asked.method == "DELETE" ? 200 : 405) }
    guard asked.message?["method"] != nil, asked.message?["id"] != nil else { return .accepted }
    let id = asked.id
    switch asked.name {
    case "initialize":
      let revision = asked.message?["params"]?["protocolVersion"] ?? .null
      let result = #"{"protocolVersion":\#(revision),"capabilities":{"tools":{}},"serverInfo":{}}"#
      return .json(#"{"jsonrpc":"2.0","id":\#(id),"result":\#(result)}"#, ["Mcp-Session-Id": "session-1"])
    case "server/discover":
      let result =
        #"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#
      return .json(#"{"jsonrpc":"2.0","id":\#(id),"result":\#(result)}"#)
    case "ping": return .json(#"{"jsonrpc":"2.0","id":\#(id),"result":{}}"#)
    case "tools/list":
      return .json(#"{"jsonrpc":"2.0","id":\#(id),"result":{"tools":[{"name":"test_simple_text"}]}}"#)
    case "tools/call": return .json(#"{"jsonrpc":"2.0","id":\#(id),"result":{"content":[]}}"#)
    default:
      let error = #"{"code":-32601,"message":"no such method"}"#
      return .json(#"{"jsonrpc":"2.0","id":\#(id),"error":\#(error)}"#, status: 404)
    }
  }
}
