import JSON
import MCP
import ProtocolSpec
import Synchronization
import Testing

@testable import omni_server

/// Stands for the connection of a client: keeps what is sent to it, and answers what is asked.
private final class Client: FixtureContext {
  let revision: MCPRevision
  let clientCapabilities: JSONObject
  let params: JSONObject
  private let name: String
  private let states: SealedState
  private let answers: JSONObject
  private let sent = Mutex<[String]>([])

  init(
    _ revision: MCPRevision, _ name: String, capabilities: JSONObject = [:], params: JSONObject = [:],
    answers: JSONObject = [:], states: SealedState = SealedState()
  ) {
    self.revision = revision
    self.name = name
    clientCapabilities = capabilities
    self.params = params
    self.answers = answers
    self.states = states
  }

  var seen: [String] { sent.withLock { $0 } }

  private func note(_ text: String) { sent.withLock { $0.append(text) } }

  func log(_ level: String, _ data: JSONValue) async { note("\(level) \(data)") }
  func progress(_ done: Double, of total: Double, _ message: String?) async {
    note("\(Int(done))/\(Int(total))")
  }
  func listChanged(_ what: String) async { note("changed \(what)") }
  func disconnect() async { note("disconnected") }
  func seal(_ state: JSONValue) -> String { states.seal(state, for: [name], at: .now()) }
  func open(_ sealed: String) -> JSONValue? { states.open(sealed, for: [name], at: .now()) }

  func ask(_ method: String, _ params: JSONObject) async throws(ProtocolFault) -> JSONValue {
    note("\(method) \(JSONValue.object(params))")
    return answers[method] ?? .null
  }
}

@Suite("The fixtures of the official scenarios, served")
struct FixtureTests {
  private let spec: Specification
  private let fixtures: Fixtures
  private let old: MCPRevision
  private let new: MCPRevision
  private let all: JSONObject = ["sampling": [:], "elicitation": [:], "roots": [:]]
  private let states = SealedState()

  init() throws {
    spec = try Specification.load()
    fixtures = Fixtures(spec)
    old = try #require(spec.mcp.revision(named: "2025-11-25"))
    new = try #require(spec.mcp.revisions.last { $0.isStateless })
  }

  private func call(
    _ name: String, _ arguments: JSONObject = [:], _ params: JSONObject = [:], has: JSONObject? = nil
  ) async throws -> JSONObject {
    let client = Client(new, name, capabilities: has ?? all, params: params, states: states)
    return try #require(try await fixtures.callTool(name, arguments, client))
  }

  private func text(_ result: JSONObject?) -> String? { result?["content"]?[0]?["text"]?.string }

  @Test("what is told on the way is told in order")
  func told() async throws {
    let logging = Client(old, "test_tool_with_logging")
    _ = try await fixtures.callTool("test_tool_with_logging", [:], logging)
    #expect(logging.seen.count == 3)
    #expect(logging.seen.first == "info \"Tool execution started\"")
    let progress = Client(old, "test_tool_with_progress")
    _ = try await fixtures.callTool("test_tool_with_progress", [:], progress)
    #expect(progress.seen == ["0/100", "50/100", "100/100"])
    let change = Client(new, "test_trigger_prompt_change")
    _ = try await fixtures.callTool("test_trigger_prompt_change", [:], change)
    #expect(change.seen == ["changed prompts"])
  }

  @Test("before 2026 the client is asked by a request, if it can answer")
  func asksByRequest() async throws {
    let answer: JSONValue = ["role": "assistant", "content": ["type": "text", "text": "Hi"], "model": "m"]
    let client = Client(
      old, "test_sampling", capabilities: all, answers: ["sampling/createMessage": answer])
    let result = try await fixtures.callTool("test_sampling", ["prompt": "{prompt} there"], client)
    #expect(text(result) == "LLM response: Hi")
    #expect(client.seen.first?.contains(#""text":"{prompt} there""#) == true)
    let mute = Client(old, "test_sampling")
    let refused = try await fixtures.callTool("test_sampling", ["prompt": "x"], mute)
    #expect(refused?["isError"] == true)
    #expect(mute.seen.isEmpty)
    let odd = Client(old, "test_sampling", capabilities: all, answers: ["sampling/createMessage": [:]])
    #expect(try await fixtures.callTool("test_sampling", ["prompt": "x"], odd)?["isError"] == true)
  }

  @Test("from 2026 on the client is asked by the result, and the state has to come back")
  func asksByResult() async throws {
    let first = try await call("test_input_required_result_multi_round")
    #expect(first["resultType"] == "input_required")
    let state = try #require(first["requestState"])
    let name: JSONObject = ["step1": ["action": "accept", "content": ["name": "Ada"]]]
    let second = try await call(
      "test_input_required_result_multi_round", [:],
      ["inputResponses": .object(name), "requestState": state])
    #expect(second["inputRequests"]?.object?.keys == ["step2"])
    let later = try #require(second["requestState"])
    #expect(later != state)
    let colour: JSONObject = ["step2": ["action": "accept", "content": ["color": "blue"]]]
    let third = try await call(
      "test_input_required_result_multi_round", [:],
      ["inputResponses": .object(colour), "requestState": later])
    #expect(text(third) == "Ada likes blue.")
    // Answers without the state that they belong to are answers to nothing.
    let bare = try await call(
      "test_input_required_result_multi_round", [:], ["inputResponses": .object(name)])
    #expect(bare["inputRequests"]?.object?.keys == ["step1"])
    for changed in [.string("\(state.string ?? "")-TAMPERED"), 5, .null] as [JSONValue] {
      await #expect(throws: ProtocolFault.self) {
        _ = try await call("test_input_required_result_multi_round", [:], ["requestState": changed])
      }
    }
  }

  @Test("answers that are none are refused, unknown ones ignored, missing ones asked for again")
  func answers() async throws {
    let tool = "test_input_required_result_elicitation"
    for wrong in [["user_name": 12345], .null, ["user_name": ["content": [:]]], []] as [JSONValue] {
      await #expect(throws: ProtocolFault.self) {
        _ = try await call(tool, [:], ["inputResponses": wrong])
      }
    }
    let right: JSONValue = ["action": "accept", "content": ["name": "Ada"]]
    let more = try await call(tool, [:], ["inputResponses": ["user_name": right, "other": 5]])
    #expect(text(more) == "Hello, Ada!")
    let again = try await call(tool, [:], ["inputResponses": ["other": right]])
    #expect(again["resultType"] == "input_required")
    let declined = try await call(tool, [:], ["inputResponses": ["user_name": ["action": "decline"]]])
    #expect(text(declined) == "Hello, ?!")
  }

  @Test("a client is asked only for what it has declared")
  func capabilities() async throws {
    let tool = "test_input_required_result_capabilities"
    let half = try await call(tool, has: ["sampling": [:]])
    #expect(half["inputRequests"]?.object?.keys == ["sample_input"])
    #expect(text(try await call(tool, has: [:]))?.hasPrefix("The client has declared nothing") == true)
    for (tool, capability) in [
      ("test_missing_capability", "sampling"), ("test_input_required_result_list_roots", "roots"),
      ("failing_job", "extensions"),
    ] {
      let fault = await #expect(throws: ProtocolFault.self) { _ = try await call(tool, has: [:]) }
      #expect(fault?.data["requiredCapabilities"]?[capability] != nil, "\(tool)")
    }
  }

  @Test("arguments have to fit the schema of the tool")
  func arguments() async throws {
    #expect(try await call("greet")["isError"] == true)
    let early = try #require(spec.mcp.revision(named: "2025-06-18"))
    await #expect(throws: ProtocolFault.self) {
      _ = try await fixtures.callTool("greet", [:], Client(early, "greet"))
    }
    let phone: JSONObject = ["contactMethod": "phone", "phone": "1"]
    #expect(try await call("json_schema_2020_12_tool", phone)["isError"] == nil)
    #expect(try await call("json_schema_2020_12_tool", ["contactMethod": "phone"])["isError"] == true)
  }

  @Test("prompts and templates are filled")
  func filled() async throws {
    let context = Client(new, "test_prompt_with_arguments")
    let prompt = try await fixtures.getPrompt(
      "test_prompt_with_arguments", ["arg1": "a", "arg2": "{arg1}"], context)
    #expect(
      prompt?["messages"]?[0]?["content"]?["text"] == "Prompt with arguments: arg1='a', arg2='{arg1}'")
    await #expect(throws: ProtocolFault.self) {
      _ = try await fixtures.getPrompt("test_prompt_with_arguments", ["arg1": "a"], context)
    }
    let json = try #require(fixtures.read("test://template/1\"2/data")?["text"]?.string)
    #expect(try JSONParser.parse(json)["data"] == "Data for ID: 1\"2")
    #expect(fixtures.read("test://template//data") == nil)
    #expect(fixtures.read("test://template/1/2/data") == nil)
    #expect(fixtures.read("test://static") == nil)
  }
}
