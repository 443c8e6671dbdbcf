internal import JSON
internal import ProtocolSpec
internal import YAML

/// Reads one file of transcripts; a broken case does not hide the others' mistakes.
struct TranscriptReader {
  private(set) var cases: [TranscriptCase] = []
  private(set) var errors: [SourceError] = []
  private let spec: Specification
  private let suite: String
  private let dialect: TranscriptDialect
  private let needs: Needs
  private let transports: [PlayTransport]?
  private let begins: Bool
  private let client: MCPClientOffer
  private let defaults: Defaults

  struct Defaults {
    var within = Duration.seconds(2)
    var level: RequirementLevel?
    var play = TranscriptCase.Play.either
  }

  init(_ node: YAMLNode, spec: Specification) throws(SourceError) {
    self.spec = spec
    try node.checkKeys([
      "format", "suite", "dialect", "defaults", "needs", "transports", "begin", "client", "cases",
    ])
    let format = try node.required("format")
    guard try format.int() == 1 else {
      throw format.error("format \(format.json) is not known, this is for 1")
    }
    suite = try Self.name(node.required("suite"))
    dialect = try node.required("dialect").choice(what: "dialect")
    needs = try Needs(node["needs"])
    transports = try Self.transports(node)
    begins = try Self.begins(node) ?? true
    client = try node["client"].map(MCPClientOffer.init) ?? MCPClientOffer()
    var defaults = Defaults()
    if let given = node["defaults"] {
      try given.checkKeys(["within", "level", "play"])
      if let within = try given["within"]?.duration() { defaults.within = within }
      defaults.level = try given["level"]?.choice(what: "level")
      if let play = given["play"] { defaults.play = try play.choice(what: "side") }
    }
    self.defaults = defaults
    _ = try node.required("cases").sequence()
  }

  mutating func read(_ node: YAMLNode, places: inout [String: SourcePlace]) {
    for entry in node["cases"]?.elements ?? [] {
      do throws(FixtureErrors) {
        let read = try transcript(entry)
        if let other = places.updateValue(read.place, forKey: read.id) {
          let message = "case \(read.id) stands already at \(other.file):\(other.line)"
          throw FixtureErrors(all: [(entry["id"] ?? entry).error(message)])
        }
        cases.append(read)
      } catch {
        errors += error.all
      }
    }
  }

  private static let caseKeys = [
    "id", "title", "covers", "level", "play", "dialect", "transports", "begin", "client", "fresh", "alone",
    "needs", "environment", "arm", "steps", "observe", "background", "then",
  ]

  /// Reads on behind a mistake, so that all of a case are told at once.
  private func transcript(_ node: YAMLNode) throws(FixtureErrors) -> TranscriptCase {
    var mistakes: [SourceError] = []
    func kept<T>(_ fallback: T, _ read: () throws(SourceError) -> T) -> T {
      do throws(SourceError) {
        return try read()
      } catch {
        mistakes.append(error)
        return fallback
      }
    }
    kept(()) { () throws(SourceError) in try node.checkKeys(Self.caseKeys) }
    let name = kept("") { () throws(SourceError) in try Self.name(node.required("id")) }
    let covers = kept([]) { () throws(SourceError) in try self.covers(node.required("covers")) }
    let requirement = covers.lazy.compactMap { tag -> Requirement? in
      if case .requirement(let id) = tag { spec.requirements[id] } else { nil }
    }.first
    let level: RequirementLevel = kept(.must) { () throws(SourceError) in
      try node["level"]?.choice(what: "level") ?? requirement?.level ?? defaults.level ?? .must
    }
    let play: TranscriptCase.Play = kept(defaults.play) { () throws(SourceError) in
      try node["play"]?.choice(what: "side") ?? defaults.play
    }
    let dialect: TranscriptDialect = kept(self.dialect) { () throws(SourceError) in
      try node["dialect"]?.choice(what: "dialect") ?? self.dialect
    }
    let environment = kept([]) { () throws(SourceError) in try Self.environment(node["environment"]) }
    let transports = kept(dialect.usualTransports) { () throws(SourceError) in
      try Self.transports(node) ?? self.transports ?? dialect.usualTransports
    }
    let begins = kept(true) { () throws(SourceError) in try Self.begins(node) ?? self.begins }
    let client = kept(self.client) { () throws(SourceError) in
      try node["client"].map(MCPClientOffer.init) ?? self.client
    }
    var steps = StepReader(
      spec: spec, dialect: dialect, within: defaults.within, level: level, play: play, client: client,
      transports: transports)
    let arm = kept([]) { () throws(SourceError) in try node["arm"].map(steps.armedFaces) ?? [] }
    for step in kept([], { () throws(SourceError) in try Self.steps(node) }) {
      kept(()) { () throws(SourceError) in try steps.read(step) }
    }
    let observe = kept([]) { () throws(SourceError) in
      try node["observe"].map { node throws(SourceError) in try steps.observedFaces(node) } ?? []
    }
    let hosting = kept((servesBackground: true, servesOn: false)) { () throws(SourceError) in
      try Self.hosting(node, play)
    }
    // Cases of equal environments share a start only where they say that they can.
    let isFresh = kept(false) { () throws(SourceError) in try node["fresh"]?.bool() ?? !environment.isEmpty }
    let isAlone = kept(false) { () throws(SourceError) in try node["alone"]?.bool() ?? false }
    let title = kept("") { () throws(SourceError) in try node["title"]?.string() ?? requirement?.text ?? name
    }
    let own = kept(Needs()) { () throws(SourceError) in try Needs(node["needs"]) }
    kept(()) { () throws(SourceError) in
      if let first = own.mcp.first, dialect.revision == nil, let needs = node["needs"] {
        throw needs.error("\(first) is declared to clients of MCP: the dialect is \(dialect.rawValue)")
      }
    }
    guard mistakes.isEmpty else { throw FixtureErrors(all: mistakes) }
    var needs = self.needs.capabilities + own.capabilities + steps.needs
    if let own = Capability(rawValue: dialect.rawValue) { needs.append(own) }
    if !(arm.isEmpty && observe.isEmpty) { needs.append(.faults) }
    if isFresh { needs.append(.restart) }
    if !environment.isEmpty { needs += [.restart, .environment] }
    return TranscriptCase(
      suite: suite, name: name, title: title, place: node.place, covers: covers, level: level, play: play,
      dialect: dialect, isFresh: isFresh, isAlone: isAlone,
      needs: Capability.allCases.filter(needs.contains), mcpNeeds: self.needs.mcp + own.mcp,
      transports: transports, begins: begins, client: client, environment: environment, arm: arm,
      steps: steps.steps, observe: observe, secrets: steps.matchers.secrets,
      servesBackground: hosting.servesBackground, servesOn: hosting.servesOn)
  }

  /// What is for a case that plays the server alone.
  private static func hosting(
    _ node: YAMLNode, _ play: TranscriptCase.Play
  ) throws(SourceError) -> (servesBackground: Bool, servesOn: Bool) {
    let background = try node["background"]?.string(among: ["answer", "fail"], what: "background")
    let then = try node["then"]?.string(among: ["close", "answer"], what: "ending")
    for key in ["background", "then"] where play != .server {
      guard let value = node[key] else { continue }
      throw value.error("\(key) is for a case that plays the server")
    }
    return (background != "fail", then == "answer")
  }

  private static func steps(_ node: YAMLNode) throws(SourceError) -> [YAMLNode] {
    let list = try node.required("steps")
    let steps = try list.sequence()
    guard !steps.isEmpty else { throw list.error("a case needs a step") }
    return steps
  }

  /// Names are parts of patterns on the command line.
  private static func name(_ node: YAMLNode) throws(SourceError) -> String {
    let name = try node.string()
    let isPlain = name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
        true
      default: false
      }
    }
    guard !name.isEmpty, isPlain else {
      throw node.error(
        "a name of lower case letters, digits and hyphens is expected, not \(FlowText.text(.string(name)))")
    }
    return name
  }

  private static func transports(_ node: YAMLNode) throws(SourceError) -> [PlayTransport]? {
    guard let list = node["transports"] else { return nil }
    var transports: [PlayTransport] = []
    for entry in try list.sequence() { transports.append(try entry.choice(what: "transport")) }
    guard !transports.isEmpty else { throw list.error("a transport is expected") }
    return PlayTransport.allCases.filter(transports.contains)
  }

  /// Whether connections agree on a revision by themselves: `begin: none` says that the case does it.
  private static func begins(_ node: YAMLNode) throws(SourceError) -> Bool? {
    try node["begin"]?.string(among: ["initialize", "none"], what: "beginning").isExactly("initialize")
  }

  private static func environment(_ node: YAMLNode?) throws(SourceError) -> [(name: String, value: String)] {
    var variables: [(name: String, value: String)] = []
    for entry in try node?.mapping() ?? [] { variables.append((entry.key, try entry.value.scalarText())) }
    return variables
  }

  private func covers(_ node: YAMLNode) throws(SourceError) -> [CoverTag] {
    guard try !node.sequence().isEmpty else { throw node.error("a case covers something") }
    var tags: [CoverTag] = []
    for entry in try node.sequence() { tags.append(try tag(entry)) }
    return tags
  }

  private func tag(_ node: YAMLNode) throws(SourceError) -> CoverTag {
    let text = try node.string()
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let kinds = ["method", "error", "state", "system", "fault", "transition", "req"]
    guard parts.count == 2, kinds.contains(parts[0]) else {
      throw node.error(unknown("cover tag", text, known: kinds.map { "\($0):NAME" }))
    }
    func known(_ names: [String]) throws(SourceError) -> String {
      let hasIt = names.contains(parts[1])
      guard hasIt else {
        throw node.error(unknown("cover tag", text, known: names.map { "\(parts[0]):\($0)" }))
      }
      return parts[1]
    }
    switch parts[0] {
    case "method": return .method(try known(spec.methods.map(\.name)))
    case "error": return .error(try known(spec.errors.all.map(\.name.rawValue)))
    case "state": return .task(try known(TaskState.allCases.map(\.rawValue)))
    case "system": return .system(try known(SystemState.allCases.map(\.rawValue)))
    case "fault": return .fault(try known(spec.faults.map(\.name)))
    case "transition":
      return .transition(try known(spec.taskStates.transitions + spec.systemStates.transitions))
    // Every case names some of hundreds, so they are put in order only for the one that is wrong.
    case _ where spec.requirements[parts[1]] != nil: return .requirement(parts[1])
    default: return .requirement(try known(spec.requirements.keys.sorted()))
    }
  }
}

extension YAMLNode {
  /// A scalar as text: a value of the environment, of a header.
  func scalarText() throws(SourceError) -> String {
    guard case .scalar(let value) = content, !value.isNull else { return try string() }
    return value.string ?? JSONWriter.text(value)
  }
}

/// What `needs` says.
private struct Needs {
  private(set) var capabilities: [Capability] = []
  private(set) var mcp: [MCPNeed] = []

  init() {}

  init(_ node: YAMLNode?) throws(SourceError) {
    for entry in try node?.sequence() ?? [] {
      if let need = try MCPNeed(entry) {
        mcp.append(need)
      } else {
        capabilities.append(try entry.choice(what: "capability"))
      }
    }
  }
}
