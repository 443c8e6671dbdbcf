internal import JSON
internal import ProtocolSpec
package import YAML

/// What is known about an endpoint under test: its address, and how it is started.
package struct TargetDescription: Sendable {
  package struct Start: Sendable {
    package let argv: [String]
    /// Is 200 when the endpoint takes work; nil: when its port can be connected to.
    package let ready: String?
    package let within: Duration

    package init(argv: [String], ready: String?, within: Duration) {
      self.argv = argv
      self.ready = ready
      self.within = within
    }
  }

  package enum Restart: Sendable {
    /// How the runner ends a process that it started.
    case signal(RestartSignal)
    /// A command that restarts what somebody else started.
    case command([String])
  }

  package let url: String
  package let start: Start?
  package let restart: Restart?
  package let environment: [(name: String, value: String)]
  /// Nil: what can be assumed of one that is reached like this.
  package let capabilities: [Capability]?

  private static let shell = ["/bin/sh", "-c"]

  /// What the address says of how the endpoint is spoken with.
  package var transport: PlayTransport {
    if url == Self.stdio { return .stdio }
    return url.hasPrefix("http") ? .http : .ws
  }

  /// The address of what is a process for each connection.
  package static let stdio = "stdio"

  /// A command that is spoken with over stdio; its words are the shell's.
  package init(command: String) {
    self.init(
      url: Self.stdio, start: Start(argv: Self.shell + [command], ready: nil, within: .seconds(20)),
      environment: [],
      capabilities: nil)
  }

  package init(url: String) {
    self.url = url
    (start, restart, environment, capabilities) = (nil, nil, [], nil)
  }

  package init(
    url: String, start: Start, environment: [(name: String, value: String)], capabilities: [Capability]?
  ) {
    self.url = url
    self.start = start
    restart = nil
    self.environment = environment
    self.capabilities = capabilities
  }

  package init(file: String) throws(SourceError) {
    try self.init(YAMLParser.parse(contentsOf: file))
  }

  /// Reads a target file; `${port}`, `${data}` and `${mock.FACE}` are filled in when it is used.
  package init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["url", "start", "restart", "environment", "capabilities"])
    let address = try node.required("url")
    url = try address.placeholders()
    guard url == Self.stdio || ["ws://", "http://", "wss://", "https://"].contains(where: url.hasPrefix)
    else {
      throw address.error(
        "an address such as ws://127.0.0.1:18765 or http://127.0.0.1:18765/mcp is expected, or stdio")
    }
    if url.hasPrefix("wss://") || url.hasPrefix("https://"), url.contains("${") || node["start"] != nil {
      throw address.error("over TLS only an endpoint that runs already can be checked")
    }
    if url == Self.stdio, node["start"] == nil {
      throw address.error("over stdio the endpoint is a program: the key \"start\" is missing")
    }
    start = try node["start"].map { node throws(SourceError) in try Start(node) }
    restart = try node["restart"].map { node throws(SourceError) in try Restart(node) }
    var environment: [(name: String, value: String)] = []
    for entry in try node["environment"]?.mapping() ?? [] {
      environment.append((entry.key, try entry.value.placeholders()))
    }
    self.environment = environment
    capabilities = try node["capabilities"]?.sequence().map { entry throws(SourceError) in
      try entry.choice(what: "capability")
    }
  }

  /// For people: the address, or the program where the runner chooses the port.
  package var name: String {
    let argv = start?.argv ?? []
    guard url.contains("${") || transport == .stdio, let program = argv.first else { return url }
    if argv.starts(with: Self.shell), let command = argv.last { return command }
    return String(program.split(separator: "/").last ?? "")
  }

  /// Whether any text refers to the mock.
  package var needsMock: Bool {
    (environment.map(\.value) + (start?.argv ?? []) + [url]).contains { $0.contains("${mock.") }
  }
}

extension TargetDescription.Start {
  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["argv", "ready", "within"])
    let list = try node.required("argv")
    var argv: [String] = []
    for entry in try list.sequence() { argv.append(try entry.placeholders()) }
    guard !argv.isEmpty else { throw list.error("a program is expected") }
    self.argv = argv
    ready = try node["ready"]?.placeholders()
    within = try node["within"]?.duration() ?? .seconds(20)
  }
}

extension TargetDescription.Restart {
  init(_ node: YAMLNode) throws(SourceError) {
    try node.checkKeys(["signal", "argv"])
    if let argv = node["argv"] {
      if let signal = node["signal"] { throw signal.error("signal and argv exclude each other") }
      guard try !argv.strings().isEmpty else { throw argv.error("a program is expected") }
      self = .command(try argv.strings())
    } else {
      self = .signal(try node.required("signal").choice(what: "signal"))
    }
  }
}

/// What `${…}` may name in a target file.
private let placeholderNames = ["port", "data", "mock.litellm", "mock.direct", "mock.local"]

extension YAMLNode {
  /// A text whose `${…}` are all known.
  fileprivate func placeholders() throws(SourceError) -> String {
    let text = try scalarText()
    var rest = text[...]
    while let open = rest.firstRange(of: "${") {
      rest = rest[open.upperBound...]
      guard let close = rest.firstIndex(of: "}") else { throw error("a } is missing behind ${") }
      let name = String(rest[..<close])
      guard placeholderNames.contains(name) else {
        throw error(unknown("placeholder", name, known: placeholderNames))
      }
      rest = rest[close...]
    }
    return text
  }
}
