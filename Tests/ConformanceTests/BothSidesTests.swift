import Conformance
import Foundation
import JSON
import Synchronization
import Testing
import Transport

/// A small orchestrator: every task takes three questions.
private final class Tasks: Sendable {
  private struct Held {
    var description: String
    var asked = 0
  }

  private let all = Mutex<[String: Held]>([:])

  func behave(_ text: String, _ number: Int) -> [Peer.Reply] {
    guard let request = try? JSONParser.parse(text), let id = request["id"] else { return [] }
    let outcome: (String, JSONValue)
    switch request["method"]?.string {
    case "ping": outcome = ("result", .object(JSONObject()))
    case "create_task": outcome = ("result", create(request["params"]))
    case "get_task_status": outcome = status(request["params"]?["task_id"]?.string ?? "")
    default:
      outcome = ("error", ["code": -32601, "message": "Unknown method: x", "data": .object(JSONObject())])
    }
    let answer: JSONValue = .object(JSONObject([("jsonrpc", "2.0"), ("id", id), outcome]))
    return [.text(JSONWriter.text(answer))]
  }

  private func create(_ params: JSONValue?) -> JSONValue {
    let id = UUID().uuidString.lowercased()
    let description = params?["description"]?.string ?? ""
    all.withLock { $0[id] = Held(description: description) }
    guard params?["wait"] == false else {
      return ["task_id": .string(id), "status": "completed", "result": .string("did \(description)")]
    }
    return ["task_id": .string(id), "status": "idle"]
  }

  private func status(_ id: String) -> (String, JSONValue) {
    let held = all.withLock { all -> Held? in
      all[id]?.asked += 1
      return all[id]
    }
    guard let held else {
      return ("error", ["code": 1001, "message": "Task not found", "data": .object(JSONObject())])
    }
    var task: JSONObject = JSONObject([
      ("task_id", .string(id)), ("description", .string(held.description)),
      ("state", .string(held.asked < 3 ? "executing" : "completed")),
      ("updated_at", .string(Date.now.formatted(.iso8601))),
    ])
    if held.asked >= 3 { task["result"] = .string("did \(held.description)") }
    return ("result", .object(task))
  }
}

/// A client such as people write; throws where it is not answered as it needs.
private func client(_ url: String, on loop: EventLoop) async throws {
  struct Wrong: Error { let text: String }
  let first = try await WebSocketClient.connect(url: url, on: loop)
  let second = try await WebSocketClient.connect(url: url, on: loop)
  var number = 0
  func ask(_ client: WebSocketClient, _ method: String, _ params: JSONValue) async throws -> JSONValue {
    number += 1
    client.send(
      text: JSONWriter.bytes([
        "jsonrpc": "2.0", "id": .int(number), "method": .string(method), "params": params,
      ]))
    guard case .message(_, let bytes)? = try await client.next(within: .seconds(20))?.event else {
      throw Wrong(text: "no answer to \(method)")
    }
    let answer = try JSONParser.parse(bytes)
    guard answer["id"] == .int(number) else { throw Wrong(text: "\(answer) is no answer to \(number)") }
    return answer
  }
  guard try await ask(first, "ping", .object(JSONObject()))["result"]?.object != nil else {
    throw Wrong(text: "ping")
  }
  let created = try await ask(first, "create_task", ["description": "wash up", "wait": false])
  guard let task = created["result"]?["task_id"]?.string else { throw Wrong(text: "\(created)") }
  var state = ""
  for _ in 0..<5 where state != "completed" {
    state =
      try await ask(second, "get_task_status", ["task_id": .string(task)])["result"]?["state"]?.string ?? ""
  }
  guard state == "completed" else { throw Wrong(text: "never completed") }
  let unknown = try await ask(second, "get_task_status", ["task_id": "nope"])
  guard unknown["error"]?["code"] == 1001 else { throw Wrong(text: "\(unknown)") }
  let done = try await ask(first, "create_task", ["description": "dry"])
  guard done["result"]?["status"] == "completed" else { throw Wrong(text: "\(done)") }
  first.close()
  second.close()
}

@Suite("What was recorded")
struct BothSidesTests {
  @Test("passes when it is played to the server, and when it is played to the client")
  func bothSides() async throws {
    let tasks = Tasks()
    let peer = try Peer(behaviour: tasks.behave)
    let log = RecordingLog()
    let proxy = try Proxy(target: HTTPURL(peer.url), on: peer.loop) { _, _ in log.interceptor() }
    proxy.start()
    try await client(proxy.url, on: peer.loop)
    let deadline = ContinuousClock.now + .seconds(20)
    while log.connections.open > 0, ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(2))
    }

    var options = RecordingOptions(suite: "t")
    options.isOneCase = true
    let recorder = Recorder(spec: Kit.spec, options: options, secrets: NamedSecrets(environment: [:]))
    let text = try recorder.transcript(log.result).text

    let asClient = try await Kit.run(text, against: peer.url)
    #expect(asClient.results.map(\.verdict) == [.pass], "\(text)\n\(asClient.results)")

    let mirror = try Mirror()
    let transcript = try #require(try Kit.cases(text).first)
    async let problems = mirror.play(transcript)
    try await client(mirror.url, on: peer.loop)
    #expect(try await problems == [])
  }
}
