import JSON
import ProtocolSpec
import Testing

@testable import omni_server

@Suite("What a bridge owes its client")
struct BridgeLedgerTests {
  private let fault: ProtocolFault

  init() throws {
    fault = try Specification.load().errors.fault(
      .internalError, variant: "connection_lost", ["detail": "gone"])
  }

  private func ledger(_ asked: [JSONValue], told: [JSONValue] = []) -> BridgeLedger {
    var ledger = BridgeLedger()
    for value in asked { ledger.asked(value, bytes: 10) }
    for value in told { ledger.told(value) }
    return ledger
  }

  private func request(_ id: JSONValue, _ method: String = "ping", _ params: JSONValue = [:]) -> JSONValue {
    ["jsonrpc": "2.0", "id": id, "method": .string(method), "params": params]
  }

  private func result(_ id: JSONValue, _ result: JSONValue = [:]) -> JSONValue {
    ["jsonrpc": "2.0", "id": id, "result": result]
  }

  @Test(
    "what is not answered by anybody is not waited for",
    arguments: [
      ["jsonrpc": "2.0", "method": "notifications/initialized"],
      ["jsonrpc": "2.0", "id": "q1", "result": [:]],
      ["jsonrpc": "2.0", "id": "q1", "error": ["code": 1, "message": "no"]],
      [["jsonrpc": "2.0", "method": "notifications/initialized"]],
    ] as [JSONValue])
  func silent(message: JSONValue) {
    #expect(ledger([message]).count == 0)
  }

  @Test("an answer ends the request of its id, whatever the order")
  func answers() {
    var ledger = ledger([request(0), request("0"), request(1)], told: [result("0"), result(1)])
    #expect(ledger.count == 1)
    #expect(ledger.bytes == 10)
    ledger.told(result(7))
    ledger.told(["jsonrpc": "2.0", "method": "notifications/message"])
    ledger.told(request(0))
    #expect(!ledger.isIdle)
    ledger.told(result(0))
    #expect(ledger.isIdle)
    #expect(ledger.bytes == 0)
  }

  @Test("bare answers are those of bare requests")
  func bare() {
    let asked: [JSONValue] = [["method": "ping"], ["method": "ping", "id": 1], request(1)]
    #expect(ledger(asked, told: [["result": "pong"]]).count == 2)
    #expect(ledger(asked, told: [["result": "pong"], ["result": "pong", "id": 1]]).count == 1)
    #expect(ledger(asked, told: [["result": "pong"], ["result": "pong", "id": 1], result(1)]).isIdle)
  }

  @Test("a batch is answered at once, or refused as a whole")
  func batches() {
    let batch: JSONValue = [
      request(1), request(2), ["jsonrpc": "2.0", "method": "notifications/initialized"],
    ]
    #expect(ledger([batch], told: [[result(2), result(1)]]).isIdle)
    #expect(ledger([batch], told: [["jsonrpc": "2.0", "id": .null, "error": [:]]]).isIdle)
    #expect(ledger([batch], told: [["jsonrpc": "2.0", "error": [:]]]).isIdle)
    #expect(ledger([batch], told: [result(1)]).count == 1)
    #expect(ledger([[]]).count == 1)
  }

  @Test("what has no id that can be told is answered without one")
  func unknown() {
    let asked: [JSONValue] = [["jsonrpc": "2.0", "id": .null, "method": "x"], 7, request(1)]
    let refusal: JSONValue = ["jsonrpc": "2.0", "id": .null, "error": [:]]
    #expect(ledger(asked, told: [refusal]).count == 2)
    #expect(ledger(asked, told: [refusal, refusal, refusal]).count == 1)
  }

  @Test("a request that is cancelled is not answered")
  func cancelled() {
    let cancel: JSONValue = [
      "jsonrpc": "2.0", "method": "notifications/cancelled", "params": ["requestId": 1],
    ]
    #expect(ledger([request(1), cancel]).isIdle)
    #expect(ledger([[request(1)], cancel]).isIdle)
    #expect(ledger([[request(1), request(2)], cancel]).count == 1)
    #expect(ledger([request("1"), cancel]).count == 1)
  }

  @Test("who listens is never answered, and does not keep the bridge")
  func listening() {
    let ledger = ledger([request(1, "subscriptions/listen")])
    #expect(ledger.isIdle)
    #expect(ledger.count == 1)
  }

  @Test("how a client introduced itself is known once the server has agreed")
  func greeting() {
    let hello = request(0, "initialize", ["protocolVersion": "2025-11-25"])
    #expect(ledger([hello]).greeting == nil)
    #expect(ledger([hello], told: [["jsonrpc": "2.0", "id": 0, "error": [:]]]).greeting == nil)
    var ledger = ledger([hello], told: [result(0, ["protocolVersion": "2025-06-18"])])
    #expect(ledger.greeting?.revision == "2025-06-18")
    #expect(ledger.greeting.map { JSONValue.object($0.request) } == hello)
    #expect(ledger.greeting?.isDone == false)
    ledger.asked(["jsonrpc": "2.0", "method": "notifications/initialized"], bytes: 1)
    #expect(ledger.greeting?.isDone == true)
    let eager = self.ledger(
      [hello, ["jsonrpc": "2.0", "method": "notifications/initialized"]],
      told: [result(0, ["protocolVersion": "2025-06-18"])])
    #expect(eager.greeting?.isDone == true)
  }

  @Test(
    "what ends with a connection is known",
    arguments: ["resources/subscribe", "logging/setLevel", "subscribe"])
  func lasting(method: String) {
    #expect(ledger([request(1, method)]).lasting == method)
    #expect(ledger([request(1, "tools/list")]).lasting == nil)
  }

  @Test("everything that is left is answered in its own form")
  func givingUp() throws {
    var ledger = ledger(
      [request(1), ["method": "ping", "id": "b"], [request(2), request(3)], ["method": "ping"]])
    let answers = try ledger.giveUp(fault).map { try JSONParser.parse($0) }
    #expect(answers.count == 4)
    #expect(answers[0]["id"] == 1)
    #expect(answers[0]["error"]?["message"] == "Connection to the server lost: gone")
    #expect(answers[1] == ["error": "Connection to the server lost: gone", "id": "b"])
    #expect(answers[2][1]?["id"] == 3)
    #expect(answers[3] == ["error": "Connection to the server lost: gone"])
    #expect(ledger.count == 0)
    #expect(ledger.bytes == 0)
  }
}
