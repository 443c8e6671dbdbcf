import Conformance
import JSON
import ProtocolSpec
import Testing
import Wire
import YAML

@Suite("What is recorded")
struct RecorderTests {
  struct Golden: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let lines: String
    let steps: String
  }

  static let golden = [
    Golden(
      testDescription: "a ping in JSON-RPC",
      lines: """
        > {"jsonrpc":"2.0","id":7,"method":"ping"}
        < {"jsonrpc":"2.0","id":7,"result":{}}
        """,
      steps: """
        - client: {id: {$type: id, $as: id1, $say: 7}, method: ping}
        - server: {id: {$ref: id1}, result: {}}
        """),
    Golden(
      testDescription: "bare answers and errors by their names",
      lines: """
        > {"method":"ping"}
        < {"result":"pong"}
        > {"method":"get_task_status","params":{}}
        < {"error":"Missing task_id"}
        > {"method":"get_task_status","params":{"task_id":"x"}}
        < {"result":{"error":"Task not found"}}
        > {"method":"nope"}
        < {"error":"Unknown method: nope"}
        """,
      steps: """
        - client: {method: ping}
        - server: {result: pong}
        - client: {method: get_task_status, params: {}}
        - server: {error: {$spec: invalid_params.required, $say: Missing task_id}}
        - client: {method: get_task_status, params: {task_id: x}}
        - server: {result: {error: {$spec: task_not_found.text}}}
        - client: {method: nope}
        - server: {error: {$spec: method_not_found.text, $say: "Unknown method: nope"}}
        """),
    Golden(
      testDescription: "ids inside texts, and the text of a model",
      lines: """
        > {"jsonrpc":"2.0","id":"a","method":"create_task","params":{"description":"hi","idempotency_key":"k1"}}
        < {"jsonrpc":"2.0","id":"a","result":{"task_id":"\(recordedTask)","status":"completed","result":"hello"}}
        > {"jsonrpc":"2.0","id":"b","method":"cancel_task","params":{"task_id":"\(recordedTask)"}}
        < {"jsonrpc":"2.0","id":"b","error":{"code":1002,"message":"Task \(recordedTask) is already completed","data":{}}}
        """,
      steps: """
        - client:
            id: {$type: id, $as: id1, $say: a}
            method: create_task
            params: {description: hi, idempotency_key: {$type: string, $as: key}}
        - server:
            id: {$ref: id1}
            result: {task_id: {$type: uuid, $as: task}, status: completed, result: {$type: string, $say: hello}}
        - client: {id: {$type: id, $as: id2, $say: b}, method: cancel_task, params: {task_id: {$ref: task}}}
        - server:
            id: {$ref: id2}
            error:
              code: {$spec: task_not_cancellable}
              message:
                $spec: task_not_cancellable.text
                $say: {$join: ["Task ", {$ref: task}, " is already completed"]}
              data: {}
        """),
    Golden(
      testDescription: "a loop that waits for a task is one step",
      lines: """
        > {"method":"create_task","params":{"description":"hi","wait":false}}
        < {"result":{"task_id":"\(recordedTask)","status":"idle"}}
        > {"method":"get_task_status","params":{"task_id":"\(recordedTask)"}}
        < {"result":{"task_id":"\(recordedTask)","state":"idle"}}
        > {"method":"get_task_status","params":{"task_id":"\(recordedTask)"}}
        < {"result":{"task_id":"\(recordedTask)","state":"executing"}}
        > {"method":"get_task_status","params":{"task_id":"\(recordedTask)"}}
        < {"result":{"task_id":"\(recordedTask)","state":"completed","updated_at":"2026-01-02T03:04:05.678Z"}}
        > {"method":"ping"}
        < {"result":"pong"}
        """,
      steps: """
        - client: {method: create_task, params: {description: hi, wait: false}}
        - server: {result: {task_id: {$type: uuid, $as: task}, status: idle}}
        - poll: {every: 20ms, for: 5s, at: /result/state, allow: [idle, dispatching, executing], until: completed}
          client: {method: get_task_status, params: {task_id: {$ref: task}}}
          server:
            result:
              task_id: {$ref: task}
              state: completed
              updated_at: {$type: timestamp, $say: "2026-01-02T03:04:05.678Z"}
        - client: {method: ping}
        - server: {result: pong}
        """),
    Golden(
      testDescription: "answers of requests that ran at the same time come in any order",
      lines: """
        > {"jsonrpc":"2.0","id":1,"method":"create_task","params":{"description":"hi"}}
        > {"jsonrpc":"2.0","id":2,"method":"ping"}
        < {"jsonrpc":"2.0","id":2,"result":{}}
        < {"jsonrpc":"2.0","id":1,"result":{"task_id":"\(recordedTask)","status":"cancelled"}}
        """,
      steps: """
        - client: {id: {$type: id, $as: id1, $say: 1}, method: create_task, params: {description: hi}}
        - client: {id: {$type: id, $as: id2, $say: 2}, method: ping}
        - unordered:
          - server: {id: {$ref: id2}, result: {}}
          - server: {id: {$ref: id1}, result: {task_id: {$type: uuid, $as: task}, status: cancelled}}
        """),
    Golden(
      testDescription: "what is no JSON, and a batch, and two dialects on one connection",
      lines: """
        > {nope
        < {"error":"Invalid JSON: no"}
        > [{"jsonrpc":"2.0","method":"ping"},{"jsonrpc":"2.0","id":null,"method":"ping"}]
        < [{"jsonrpc":"2.0","id":null,"result":{}}]
        """,
      steps: """
        - raw: {text: "{nope"}
        - server: {error: {$spec: parse_error.text, $say: "Invalid JSON: no"}}
        - client: [{jsonrpc: "2.0", method: ping}, {jsonrpc: "2.0", id: null, method: ping}]
        - server: [{jsonrpc: "2.0", id: null, result: {}}]
        """),
    Golden(
      testDescription: "a list tells by one task, a page by its cursor",
      lines: """
        > {"method":"create_task","params":{"description":"hi","wait":false}}
        < {"result":{"task_id":"\(recordedTask)","status":"idle"}}
        > {"method":"list_tasks"}
        < {"result":{"tasks":[{"task_id":"00000000-0000-4000-8000-000000000000","attempts":1},\
        {"task_id":"\(recordedTask)","state":"cancelled"}],"next_cursor":"c-17"}}
        > {"method":"list_tasks","params":{"cursor":"c-17"}}
        < {"result":{"tasks":[]}}
        """,
      steps: """
        - client: {method: create_task, params: {description: hi, wait: false}}
        - server: {result: {task_id: {$type: uuid, $as: task}, status: idle}}
        - client: {method: list_tasks}
        - server:
            result:
              tasks:
                $contains: {task_id: {$ref: task}, state: cancelled}
                $say:
                - {task_id: "00000000-0000-4000-8000-000000000000", attempts: {$type: int, $say: 1}}
                - {task_id: {$ref: task}, state: cancelled}
              next_cursor: {$type: string, $as: next_cursor}
        - client: {method: list_tasks, params: {cursor: {$ref: next_cursor}}}
        - server: {result: {tasks: []}}
        """),
    Golden(
      testDescription: "a tool's text says what its structured content says",
      lines: """
        > {"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_task","arguments":{"description":"hi"}}}
        < {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\\"task_id\\":\\"\(recordedTask)\\",\\"status\\":\\"idle\\"}"}],\
        "structuredContent":{"task_id":"\(recordedTask)","status":"idle"}}}
        """,
      steps: """
        - client:
            id: {$type: id, $as: id1, $say: 1}
            method: tools/call
            params: {name: create_task, arguments: {description: hi}}
        - server:
            id: {$ref: id1}
            result:
              content: [{type: text, text: {$json: {task_id: {$type: uuid, $as: task}, status: idle}}}]
              structuredContent: {task_id: {$ref: task}, status: idle}
        """),
  ]

  @Test("becomes a transcript", arguments: golden)
  func becomes(_ golden: Golden) throws {
    #expect(try steps(golden.lines) == golden.steps)
  }

  @Test("keeps the texts of models where that is asked for")
  func exact() throws {
    let lines = """
      > {"method":"create_task","params":{"description":"hi"}}
      < {"result":{"task_id":"\(recordedTask)","status":"completed","result":"hello"}}
      """
    #expect(try steps(lines, isExact: true).contains("status: completed, result: hello}"))
  }

  @Test("says what the case is evidence for, and in which dialect")
  func covers() throws {
    let lines = """
      > {"method":"create_task","params":{"description":"hi"}}
      < {"result":{"task_id":"\(recordedTask)","status":"completed","result":"hello"}}
      > {"method":"system_status"}
      < {"result":{"system_state":"degraded"}}
      > {"method":"nope"}
      < {"error":"Unknown method: nope"}
      """
    let text = try transcript(recording(lines)).text
    #expect(
      text.contains(
        """
          covers:
          - method:create_task
          - state:completed
          - method:system_status
          - system:degraded
          - error:method_not_found
        """)
        || text.contains(
          "  covers: [method:create_task, state:completed, method:system_status, system:degraded, error:method_not_found]"
        ))
    #expect(
      text.hasPrefix(
        "format: 1\nsuite: t\ndialect: bare\ndefaults: {within: 2s, level: must, play: either}\n"))
  }

  @Test("gives slow answers more time, and asks for the wait only where that is asked for")
  func timing() throws {
    let slow = recording(
      """
      > {"method":"create_task","params":{"description":"hi"}}
      < {"result":{"task_id":"\(recordedTask)","status":"idle"}}
      """, every: .milliseconds(1200))
    let usual = try transcript(slow).text
    #expect(usual.contains("within: 5s") && !usual.contains("notBefore"))
    #expect(try transcript(slow, keepsTiming: true).text.contains("notBefore: 300ms"))
  }
}
