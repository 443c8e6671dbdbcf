import JSON
import MCP
import ProtocolSpec

/// A connection without a socket: the reader and the session as the server puts them together, and
/// tools whose outcome the test decides.
struct Peer {
  private var reader: MessageReader
  private(set) var session: MCPSession
  /// What tools give, by the name of the method.
  var tools: [String: Result<JSONValue, ProtocolFault>] = [:]

  init(_ spec: Specification) {
    reader = MessageReader(spec: spec, initial: .jsonrpc)
    session = MCPSession(MCPOffer(spec, version: "1.2.3"))
  }

  /// What comes back for `message`: the answer's text, `cancel ID`, or nothing.
  mutating func say(_ message: String) -> String {
    let incoming = reader.read(Array(message.utf8))
    if case .batch(let elements) = incoming {
      return "[" + elements.map { told($0) }.filter { !$0.isEmpty }.joined(separator: ",") + "]"
    }
    return told(incoming)
  }

  private mutating func told(_ incoming: Incoming) -> String {
    switch incoming {
    case .ignored, .batch, .response: return ""
    case .refused(let answer): return text(answer)
    case .request(let request) where request.method.mcp == nil:
      return request.isNotification ? "" : text(request.answer(outcome(request)))
    case .request(let request):
      let action = session.receive(request)
      reader.revision = session.revision
      switch action {
      case .nothing: return ""
      case .subscribe(let resource, let uri):
        return "subscribe \(uri) \(resource == .system ? "system" : "task")"
      case .unsubscribe(let uri): return "unsubscribe \(uri)"
      case .cancel(let id): return "cancel \(id)"
      case .listen(let filter): return "listen \(filter.json)"
      case .awaitTask(let id): return "await \(id)"
      case .log(let level): return "log \(level)"
      case .answer(let outcome): return text(request.answer(session.offer.told(outcome, to: request)))
      case .call(let call): return text(request.answer(told(call, request)))
      }
    }
  }

  private func told(_ call: NativeCall, _ request: Request) -> Result<JSONValue, ProtocolFault> {
    switch call.next(outcome(call.request)) {
    case .answer(let outcome): session.offer.told(outcome, to: request)
    case .call(let next): told(next, request)
    }
  }

  private func outcome(_ request: Request) -> Result<JSONValue, ProtocolFault> {
    tools[request.method.name] ?? .success(.object(JSONObject()))
  }

  private func text(_ answer: Answer) -> String {
    var bytes: [UInt8] = []
    answer.write(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Agrees on `revision`.
  mutating func begin(_ revision: String) {
    _ = say(Peer.initialize(revision))
    _ = say(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
  }

  static func initialize(_ revision: String, id: String = "0") -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"method":"initialize","params":{"protocolVersion":"\#(revision)","#
      + #""capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#
  }

  static func prompt(_ arguments: String) -> String {
    #"{"jsonrpc":"2.0","id":5,"method":"prompts/get","params":{"name":"break_into_tasks","#
      + #""arguments":\#(arguments)}}"#
  }

  static func completion(_ reference: String, _ argument: String) -> String {
    #"{"jsonrpc":"2.0","id":6,"method":"completion/complete","params":{"ref":\#(reference),"#
      + #""argument":{"name":"\#(argument)","value":""}}}"#
  }

  /// A request about the resource `uri`.
  static func resource(_ what: String, _ uri: String) -> String {
    #"{"jsonrpc":"2.0","id":1,"method":"resources/\#(what)","params":{"uri":"\#(uri)"}}"#
  }

  static func call(_ tool: String, _ arguments: String = "{}", id: String = "1") -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"method":"tools/call","params":{"name":"\#(tool)","arguments":\#(arguments)}}"#
  }
}
