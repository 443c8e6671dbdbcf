package import JSON

extension Specification {
  /// The socket as an AsyncAPI document: https://www.asyncapi.com/docs/reference/specification/v3.0.0
  ///
  /// Seen from the endpoint: it receives requests and sends answers, in both dialects on one channel.
  package var asyncAPI: JSONValue {
    var schemas = SharedSchemas(task: methods)
    var messages = JSONObject()
    var operations = JSONObject()
    for method in methods {
      let request = "\(method.name)_request"
      let answer = "\(method.name)_answer"
      let params = schemas.hoisted(method.paramsSchema, of: method.name)
      let result = schemas.hoisted(method.resultSchema, of: method.name)
      let isRequired = !(params["required"]?.array ?? []).isEmpty
      messages[request] = message(
        request, method.summary,
        [
          "type": "object", "required": .array(["method"] + (isRequired ? ["params"] : [])),
          "properties": [
            "jsonrpc": ["const": "2.0"], "id": ["type": ["string", "number", "null"]],
            "method": ["const": .string(method.name)], "params": params,
          ],
        ],
        method.examples.map { example in
          [
            "name": .string(example.name),
            "payload": [
              "jsonrpc": "2.0", "id": 1, "method": .string(method.name), "params": .object(example.params),
            ],
          ]
        })
      messages[answer] = message(
        answer, "The answer to \(method.name).",
        [
          "type": "object", "required": ["result"],
          "properties": [
            "jsonrpc": ["const": "2.0"], "id": ["type": ["string", "number", "null"]], "result": result,
          ],
        ],
        method.examples.map {
          ["name": .string($0.name), "payload": ["jsonrpc": "2.0", "id": 1, "result": $0.result]]
        })
      operations[method.name] = operation("receive", method.summary, [request])
      operations["\(method.name)_answer"] = operation(
        "send", "Answers \(method.name).", [answer, "error"])
    }
    for notification in notifications {
      let name = notification.name.rawValue
      messages[name] = message(
        name, notification.summary,
        [
          "type": "object", "required": ["jsonrpc", "method", "params"],
          "properties": [
            "jsonrpc": ["const": "2.0"], "method": ["const": .string(name)],
            "params": schemas.hoisted(notification.paramsSchema, of: name),
          ],
        ],
        notification.examples.map { example in
          ["name": .string(example.name), "payload": notification.message(example.params)]
        })
      operations[name] = operation("send", notification.summary, [name])
    }
    messages["error"] = message("error", "What could not be done, and why.", errorSchema, [])
    return [
      "asyncapi": "3.0.0",
      "info": [
        "title": .string(overview.title), "version": .string(overview.revision),
        "description": .string(overview.summary),
      ],
      "defaultContentType": "application/json",
      "servers": [
        "default": ["host": .string("\(overview.host):\(overview.port)"), "protocol": "ws"]
      ],
      "channels": [
        "socket": [
          "address": "/", "description": "A WebSocket on any path; one JSON value in each text message.",
          "messages": .object(
            JSONObject(
              messages.map { ($0.key, ["$ref": .string("#/components/messages/\($0.key)")]) })),
        ]
      ],
      "operations": .object(operations),
      "components": ["messages": .object(messages), "schemas": .object(schemas.all)],
    ]
  }

  private func message(
    _ name: String, _ summary: String, _ payload: JSONValue, _ examples: [JSONValue]
  ) -> JSONValue {
    var members = JSONObject([
      ("name", .string(name)), ("summary", .string(summary)), ("payload", payload),
    ])
    if !examples.isEmpty { members["examples"] = .array(examples) }
    return .object(members)
  }

  /// - Parameter action: seen from the endpoint.
  private func operation(_ action: String, _ summary: String, _ messages: [String]) -> JSONValue {
    [
      "action": .string(action), "channel": ["$ref": "#/channels/socket"], "summary": .string(summary),
      "messages": .array(messages.map { ["$ref": .string("#/channels/socket/messages/\($0)")] }),
    ]
  }

  private var errorSchema: JSONValue {
    let codes: [JSONValue] = errors.all.map {
      ["const": .int($0.code), "description": .string($0.name.rawValue)]
    }
    return [
      "type": "object", "required": ["error"],
      "properties": [
        "jsonrpc": ["const": "2.0"], "id": ["type": ["string", "number", "null"]],
        "error": [
          "oneOf": [
            ["type": "string", "description": "the bare dialect"],
            [
              "type": "object", "required": ["code", "message", "data"],
              "properties": [
                "code": ["type": "integer", "anyOf": .array(codes)], "message": ["type": "string"],
                "data": ["type": "object"],
              ],
            ],
          ]
        ],
      ],
    ]
  }
}
