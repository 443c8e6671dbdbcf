import JSON
import ProtocolSpec
import Testing

@testable import omni_server

/// A client with the tasks extension, which is told nothing.
private struct TaskClient: FixtureContext {
  let revision: MCPRevision
  var clientCapabilities: JSONObject = [
    "elicitation": [:], "extensions": ["io.modelcontextprotocol/tasks": [:]],
  ]
  var params = JSONObject()

  func log(_ level: String, _ data: JSONValue) async {}
  func progress(_ done: Double, of total: Double, _ message: String?) async {}
  func listChanged(_ what: String) async {}
  func disconnect() async {}
  func seal(_ state: JSONValue) -> String { "" }
  func open(_ sealed: String) -> JSONValue? { nil }
  func ask(_ method: String, _ params: JSONObject) async throws(ProtocolFault) -> JSONValue { .null }
}

@Suite("Fixture tools as tasks")
struct FixtureTaskTests {
  private let fixtures: Fixtures
  private let changes: AsyncStream<JSONObject>
  private let client: TaskClient

  init() throws {
    let spec = try Specification.load()
    let (changes, told) = AsyncStream.makeStream(of: JSONObject.self)
    self.changes = changes
    fixtures = Fixtures(spec, tasks: FixtureTasks { told.yield($0) })
    client = TaskClient(revision: try #require(spec.mcp.revisions.last { $0.isStateless }))
  }

  private func start(_ tool: String, _ arguments: JSONObject = [:]) async throws -> String {
    let created = try #require(try await fixtures.callTool(tool, arguments, client))
    #expect(created["resultType"] == "task")
    #expect(created["status"] == "working")
    let id = try #require(created["taskId"]?.string)
    #expect(fixtures.tasks.get(id) != nil)
    return id
  }

  /// The task when it next has one of `statuses`.
  private func next(_ statuses: String...) async -> JSONObject {
    for await change in changes where statuses.contains(change["status"]?.string ?? "") { return change }
    return [:]
  }

  @Test("a tool that fails completes its task; an error of the protocol fails it")
  func ends() async throws {
    let failing = try await start("failing_job")
    #expect(await next("completed")["result"]?["isError"] == true)
    #expect(fixtures.tasks.get(failing)?["status"] == "completed")
    let broken = try await start("protocol_error_job")
    let failed = await next("failed")
    #expect(failed["taskId"] == .string(broken))
    #expect(failed["error"]?["code"]?.int == -32603)
    #expect(failed["result"] == nil)
  }

  @Test("a task that asks waits for all answers, one after another")
  func asks() async throws {
    let id = try await start("multi_input")
    let asking = await next("input_required")
    #expect(asking["inputRequests"]?.object?.keys == ["name", "consent"])
    let yes: JSONValue = ["action": "accept", "content": ["name": "Ada", "confirm": true]]
    #expect(fixtures.tasks.update(id, ["name": yes, "unknown": yes, "consent": 5]))
    #expect(fixtures.tasks.get(id)?["inputRequests"]?.object?.keys == ["consent"])
    #expect(fixtures.tasks.update(id, ["consent": yes]))
    #expect(
      await next("completed")["result"]?["content"]?[0]?["text"] == "name: accept, consent: accept")
    #expect(!fixtures.tasks.update("other", [:]))
  }

  @Test("a cancelled task stays cancelled, whether it computes or asks")
  func cancels() async throws {
    let slow = try await start("slow_compute", ["seconds": 60])
    #expect(fixtures.tasks.cancel(slow))
    #expect(fixtures.tasks.cancel(slow))
    #expect(fixtures.tasks.get(slow)?["status"] == "cancelled")
    let asking = try await start("confirm_delete", ["filename": "a.txt"])
    _ = await next("input_required")
    #expect(fixtures.tasks.cancel(asking))
    #expect(fixtures.tasks.get(asking)?["status"] == "cancelled")
    #expect(fixtures.tasks.get(asking)?["inputRequests"] == nil)
    #expect(!fixtures.tasks.cancel("other"))
  }

  @Test("what is asked before a task goes into its result")
  func before() async throws {
    let first = try #require(try await fixtures.callTool("test_tool_with_task", [:], client))
    #expect(first["resultType"] == "input_required")
    #expect(first["taskId"] == nil)
    var answering = client
    answering.params = [
      "inputResponses": ["user_name": ["action": "accept", "content": ["name": "Ada"]]]
    ]
    let second = try #require(try await fixtures.callTool("test_tool_with_task", [:], answering))
    #expect(second["resultType"] == "task")
    #expect(await next("completed")["result"]?["content"]?[0]?["text"] == "Hello, Ada!")
  }
}
