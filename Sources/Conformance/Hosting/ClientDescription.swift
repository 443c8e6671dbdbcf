internal import JSON
package import ProtocolSpec
package import YAML

/// What is known about a client under test: how it is started, and what it does.
package struct ClientDescription: Sendable {
  /// Shell commands; `{url}`, `{command}`, `{case}` and `{token}` are filled in. Nil: the client comes by itself.
  package let exec: String?
  /// Other commands for cases like a pattern; the first that fits counts.
  package let commands: [(pattern: String, command: String)]
  package let environment: [(name: String, value: String)]
  /// Nil: whatever a case asks for.
  package let capabilities: [Capability]?
  /// Methods that it must ask for where a case waits for them; a case about another that never comes
  /// is not applicable.
  package let methods: [String]
  /// Whether it may rest when it has its answers: it then only has to answer pings.
  package let idles: Bool
  /// Sent in the place of `{token}`.
  package let token: String
  /// How it speaks.
  package var transport = PlayTransport.ws

  package init(exec: String?) {
    self.exec = exec
    (commands, environment, capabilities, methods, idles, token) = ([], [], nil, [], exec == nil, "")
  }

  package init(file: String, spec: Specification) throws(SourceError) {
    try self.init(YAMLParser.parse(contentsOf: file), spec: spec)
  }

  package init(_ node: YAMLNode, spec: Specification) throws(SourceError) {
    try node.checkKeys([
      "exec", "commands", "environment", "capabilities", "methods", "idles", "token", "transport",
    ])
    exec = try node["exec"]?.string()
    var commands: [(pattern: String, command: String)] = []
    for entry in try node["commands"]?.mapping() ?? [] {
      commands.append((entry.key, try entry.value.string()))
    }
    self.commands = commands
    if exec == nil && !commands.isEmpty {
      throw node.error("commands are for a client that is started: the key \"exec\" is missing")
    }
    var environment: [(name: String, value: String)] = []
    for entry in try node["environment"]?.mapping() ?? [] {
      environment.append((entry.key, try entry.value.scalarText()))
    }
    self.environment = environment
    capabilities = try node["capabilities"]?.sequence().map { entry throws(SourceError) in
      try entry.choice(what: "capability")
    }
    var methods: [String] = []
    for entry in try node["methods"]?.sequence() ?? [] {
      methods.append(try entry.string(among: spec.methods.map(\.name), what: "method"))
    }
    self.methods = methods
    idles = try node["idles"]?.bool() ?? (exec == nil)
    token = try node["token"]?.scalarText() ?? ""
    transport = try node["transport"]?.choice(what: "transport") ?? .ws
  }

  /// For people.
  package var name: String { exec ?? "the client that connects" }

  /// The command for a case.
  ///
  /// - Parameter relay: the words of what relays lines to the WebSocket whose address comes behind them.
  package func command(for id: String, url: String, relay: [String] = []) -> String? {
    let command = commands.first { Selection.matches(id, $0.pattern) }?.command ?? exec
    let words = (relay + [url]).map { "'\($0.replacing("'", with: "'\\''"))'" }.joined(separator: " ")
    return command?.replacing("{command}", with: words).replacing("{url}", with: url)
      .replacing("{case}", with: id).replacing("{token}", with: token)
  }

  /// A command that gives a client over stdio no server to start; nil if there is none.
  package var commandWithoutServer: String? {
    guard transport == .stdio else { return nil }
    return ([exec].compactMap(\.self) + commands.map(\.command)).first { !$0.contains("{command}") }
  }
}
