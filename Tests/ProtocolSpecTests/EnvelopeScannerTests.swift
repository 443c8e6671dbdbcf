import JSON
import Testing

@testable import ProtocolSpec

@Suite("The scanner of plain envelopes")
struct EnvelopeScannerTests {
  /// `jsonrpc|bare id method`, with ` name=text` of a param, or `-` if the message is not for the scanner.
  func scan(_ message: String) -> String {
    let bytes = Array(message.utf8)
    return bytes.withUnsafeBytes { buffer in
      guard let envelope = EnvelopeScanner.scan(buffer) else { return "-" }
      let id = envelope.id.map { String(decoding: buffer[$0], as: UTF8.self) } ?? "none"
      let method = String(decoding: buffer[envelope.method], as: UTF8.self)
      let param = envelope.param.map { param in
        " "
          + [param.name, param.text].map { String(decoding: buffer[$0], as: UTF8.self) }.joined(
            separator: "=")
      }
      return "\(envelope.isJSONRPC ? "jsonrpc" : "bare") \(id) \(method)\(param ?? "")"
    }
  }

  @Test(
    "takes plain requests and nothing else",
    arguments: [
      (#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "jsonrpc 1 ping"),
      (#" { "method" : "ping" , "id" : "a b" , "jsonrpc" : "2.0" } "#, #"jsonrpc "a b" ping"#),
      (#"{"jsonrpc":"2.0","method":"ping"}"#, "jsonrpc none ping"),
      (#"{"method":"ping","id":0}"#, "bare 0 ping"),
      (#"{"method":"ping"}"#, "bare none ping"),
      (#"{"jsonrpc":"2.0","id":"","method":""}"#, #"jsonrpc "" "#),
      (#"{"jsonrpc":"2.0","id":01,"method":"ping"}"#, "-"), (#"{"id":1.5,"method":"ping"}"#, "-"),
      (#"{"id":-1,"method":"ping"}"#, "-"), (#"{"id":1e2,"method":"ping"}"#, "-"),
      (#"{"id":null,"method":"ping"}"#, "-"), (#"{"id":1,"id":2,"method":"ping"}"#, "-"),
      (#"{"method":"ping","method":"ping"}"#, "-"), (#"{"method":"p\u0069ng"}"#, "-"),
      (#"{"jsonrpc":"1.0","method":"ping"}"#, "-"), (#"{"jsonrpc":2.0,"method":"ping"}"#, "-"),
      (#"{"method":"m","params":{"a":"b"}}"#, "bare none m a=b"),
      (
        #"{"jsonrpc":"2.0","params" : { "task_id" : "x y" } ,"method":"m","id":1}"#, "jsonrpc 1 m task_id=x y"
      ),
      (#"{"method":"m","params":{"":""}}"#, "bare none m ="),
      (#"{"method":"m","params":{"a":"b","c":"d"}}"#, "-"), (#"{"method":"m","params":{"a":1}}"#, "-"),
      (#"{"method":"m","params":{"a":"b\n"}}"#, "-"), (#"{"method":"m","params":["a"]}"#, "-"),
      (#"{"method":"m","params":{"a":"b"},"params":{"a":"b"}}"#, "-"),
      (#"{"method":"m","params":{"a":"b""#, "-"),
      (#"{"method":"m","params":{"a"}}"#, "-"), (#"{"params":{"a":"b"}}"#, "-"),
      (#"{"method":"ping","params":{}}"#, "-"), (#"{"method":"ping",}"#, "-"), (#"{"method":"ping"}x"#, "-"),
      (#"{"method":"ping""#, "-"), (#"{"method":"ping"} {"#, "-"), (#"{,"method":"ping"}"#, "-"),
      (#"{"id":1}"#, "-"), (#"{"method":5}"#, "-"), ("{}", "-"), ("[]", "-"), ("", "-"), ("{", "-"),
      (#"{"method":"ping","id":"é"}"#, "-"), ("{\"method\":\"pi\u{1}ng\"}", "-"),
      (#"{"id":12345678901234567890123456789,"method":"ping"}"#, "bare 12345678901234567890123456789 ping"),
    ])
  func messages(message: String, expected: String) { #expect(scan(message) == expected) }

  @Test("says of every message it takes what the parser says of it")
  func agreement() throws {
    var reader = MessageReader(spec: try Specification.load(), initial: .bare)
    for prefix in ["", " "] {
      for id in ["", #""id":7,"#, #""id":"x","#, #""id":0,"#] {
        for version in ["", #""jsonrpc":"2.0","#] {
          let message = Array("\(prefix){\(version)\(id)\"method\":\"ping\"}".utf8)
          let envelope = try #require(message.withUnsafeBytes { EnvelopeScanner.scan($0) })
          guard case .request(let request) = reader.read(message) else {
            Issue.record("no request: \(String(decoding: message, as: UTF8.self))")
            continue
          }
          #expect(envelope.isJSONRPC == (request.dialect == .jsonrpc))
          #expect(envelope.id.map { String(decoding: message[$0], as: UTF8.self) } == request.id?.description)
          #expect(String(decoding: message[envelope.method], as: UTF8.self) == request.method.name)
        }
      }
    }
  }

  @Test("a plain success is the answer", arguments: [Dialect.bare, .jsonrpc])
  func plainSuccess(dialect: Dialect) {
    for id: JSONValue? in [nil, 1, "x", "", 1_234_567_890] {
      let result: JSONValue = ["task_id": "é", "attempts": 3]
      var expected: [UInt8] = []
      Answer(dialect: dialect, id: id, outcome: .success(result)).write(to: &expected)
      let output = (id.map(JSONWriter.bytes) ?? []).withUnsafeBytes { idText in
        JSONWriter.bytes(result).withUnsafeBytes { text in
          let answer = PlainSuccess(dialect: dialect, id: id == nil ? nil : idText, result: text)
          var output = [UInt8](repeating: 0, count: answer.count)
          output.withUnsafeMutableBytes { answer.write(to: $0) }
          return output
        }
      }
      #expect(output == expected)
    }
  }

  @Test("a plain answer is the answer", arguments: [Dialect.bare, .jsonrpc])
  func plainAnswer(dialect: Dialect) {
    for id: JSONValue? in [nil, 1, "x", "", 1_234_567_890] {
      let result: JSONValue = dialect == .bare ? "pong" : [:]
      var expected: [UInt8] = []
      Answer(dialect: dialect, id: id, outcome: .success(result)).write(to: &expected)
      let answer = PlainAnswer(dialect, result: result)
      defer { answer.deallocate() }
      let output = (id.map(JSONWriter.bytes) ?? []).withUnsafeBytes { idText in
        let idText = id == nil ? nil : idText
        var output = [UInt8](repeating: 0, count: answer.count(id: idText))
        output.withUnsafeMutableBytes { answer.write(id: idText, to: $0) }
        return output
      }
      #expect(output == expected)
    }
  }
}
