import Conformance
import Foundation
import JSON
import JSONSchema
import ProtocolSpec
import Testing
import YAML

/// The published schemas and the readers say the same.
@Suite("Schemas of the formats")
struct FormatSchemaTests {
  private static func embedded(_ schema: FormatSchema) throws -> JSONSchema { try schema.compiled() }

  @Test("every file of the kit is valid")
  func own() throws {
    let specification = try Self.embedded(.specification)
    for path in SpecFiles.embedded.paths {
      #expect(specification.validate(try SpecFiles.embedded.node(path).json) == [], "\(path)")
    }
    let transcript = try Self.embedded(.transcript)
    let survivors = try Self.embedded(.survivors)
    for file in FixtureFiles.embedded.files {
      let node = try YAMLParser.parse(file.text, file: file.path)
      let schema = file.path.hasSuffix(Survivors.fileName) ? survivors : transcript
      #expect(schema.validate(node.json) == [], "\(file.path)")
    }
  }

  /// What only the specification or the rest of a case can tell.
  private static let beyond: Set = [
    "reference before its capture", "reference that is misspelt", "unknown error", "unknown schema",
    "a matcher gives no value to send", "a text too long to repeat", "a pattern", "unknown cover tag",
    "duplicate id", "two parts of any length", "$say without a value", "frames of WebSocket over stdio",
    "header fields over WebSocket", "a status over WebSocket", "a need of MCP in another dialect",
  ]

  @Test("what the reader refuses for its form, the schema refuses", arguments: TranscriptErrorTests.mistakes)
  func mistakes(_ mistake: TranscriptErrorTests.Mistake) throws {
    let schema = try Self.embedded(.transcript)
    let node = try YAMLParser.parse(mistake.text, file: "t.yaml")
    #expect(schema.isValid(node.json) == Self.beyond.contains(mistake.name))
  }

  /// A part of a transcript with a key `zzzzzzzz`, and where its schema is.
  struct Part: Sendable, CustomTestStringConvertible {
    let name: String
    let steps: String
    let pointer: String
    var more = "level: must"
    var isHost: Bool { more.hasPrefix("play: server") }
    var testDescription: String { name }
  }

  static let parts = [
    Part(name: "case", steps: "- client: {}", pointer: "/$defs/case", more: "zzzzzzzz: 1"),
    Part(name: "raw", steps: "- raw: {zzzzzzzz: 1}", pointer: "/then/properties/raw"),
    Part(name: "frame", steps: "- raw: {frame: {zzzzzzzz: 1}}", pointer: "/$defs/frame"),
    Part(name: "repeat", steps: "- raw: {text: [{zzzzzzzz: 1}]}", pointer: "/$defs/repeat"),
    Part(name: "connect", steps: "- connect: {zzzzzzzz: 1}", pointer: "/then/properties/connect"),
    Part(
      name: "accepted", steps: "- {connect: {}, accepted: {zzzzzzzz: 1}}",
      pointer: "/then/properties/accepted"),
    Part(name: "answer", steps: "- {http: {get: /}, answer: {zzzzzzzz: 1}}", pointer: "/$defs/answer"),
    Part(name: "http", steps: "- http: {zzzzzzzz: 1}", pointer: "/then/properties/http"),
    Part(name: "poll", steps: "- {poll: {zzzzzzzz: 1}, client: {}}", pointer: "/then/properties/poll"),
    Part(name: "quiet", steps: "- quiet: {zzzzzzzz: 1}", pointer: "/then/properties/quiet"),
    Part(name: "close", steps: "- close: {zzzzzzzz: 1}", pointer: "/then/properties/close"),
    Part(name: "closed", steps: "- closed: {zzzzzzzz: 1}", pointer: "/then/properties/closed"),
    Part(name: "restart", steps: "- restart: {zzzzzzzz: 1}", pointer: "/then/properties/restart"),
    Part(name: "observation", steps: "- await: {litellm: {zzzzzzzz: 1}}", pointer: "/$defs/observation"),
    Part(
      name: "spacing", steps: "- await: {litellm: {spacing: {zzzzzzzz: 1}}}",
      pointer: "/$defs/observation/properties/spacing"),
    Part(
      name: "matcher", steps: "- server: {id: {$repeat: a, times: 1, $zzzzzzzz: 1}}",
      pointer: "/$defs/matcher"),
    Part(
      name: "host case", steps: "- goes-on: {}", pointer: "/$defs/hostCase",
      more: "play: server\nzzzzzzzz: 1"),
    host("await-request", "{zzzzzzzz: 1}"), host("answer", "{zzzzzzzz: 1}"), host("closed", "{zzzzzzzz: 1}"),
    host("quiet", "{zzzzzzzz: 1}"), host("goes-on", "{zzzzzzzz: 1}"), host("connects", "{zzzzzzzz: 1}"),
    host("connect", "{zzzzzzzz: 1}"), host("connect", "{}, accepted: {zzzzzzzz: 1}", at: "accepted"),
    host("connect", "{}, refused: {zzzzzzzz: 1}", at: "refused"),
    Part(name: "rule", steps: "- arm: {litellm: [{zzzzzzzz: 1}]}", pointer: "/$defs/rule"),
  ]

  /// A step of a case that plays the server.
  private static func host(_ key: String, _ value: String, at name: String? = nil) -> Part {
    Part(
      name: "host \(name ?? key)", steps: "- {\(key): \(value)}",
      pointer: "/then/properties/\(name ?? key)", more: "play: server")
  }

  @Test("every key that a reader knows is in the schema, and no other", arguments: parts)
  func keys(_ part: Part) throws {
    let error = try #require(throws: FixtureErrors.self) {
      try Kit.cases(Kit.file(part.steps, more: part.more))
    }
    let message = try #require(error.all.first).message
    let list = try #require(message.replacing("known are ", with: "known: ").split(separator: "known: ").last)
    let known = list.split(separator: ", ")
    let schema = try FormatSchema.transcript.document()
    let properties = try #require(Self.properties(schema, part))
    #expect(Set(known.map(String.init)) == Set(properties))
  }

  /// Steps are told apart by a chain of if and else.
  private static func properties(_ schema: JSONValue, _ part: Part) -> [String]? {
    let chain = part.isHost ? "hostStep" : "step"
    let tokens = part.pointer.split(separator: "/").map(String.init)
    func value(_ from: JSONValue?) -> [String]? {
      tokens.reduce(from) { $0?[$1] }?["properties"]?.object?.keys
    }
    guard tokens.first == "then" else { return value(schema) }
    var step = schema["$defs"]?[chain]
    while let current = step {
      if let found = value(current) { return found }
      step = current["else"]
    }
    return nil
  }

  @Test(
    "targets and lists of known failures",
    arguments: [
      (FormatSchema.target, "url: ws://a\n", true), (.target, "url: tcp://a\n", false),
      (.target, "{url: ws://a, start: {argv: []}}", false),
      (.target, "{url: wss://a, start: {argv: [a]}}", false),
      (.target, "{url: ws://a, restart: {signal: KILL, argv: [a]}}", false),
      (.target, "{url: ws://a, capabilities: [none]}", false), (.target, "{url: ws://a, urls: 1}", false),
      (.client, "{exec: 'bot {url}', commands: {'errors/*': bot}, methods: [ping], idles: false}", true),
      (.client, "{commands: {'errors/*': bot}, idles: true}", false), (.client, "{execute: bot}", false),
      (.client, "{exec: bot, capabilities: [none]}", false), (.client, "{exec: bot, token: 12}", true),
      (.baseline, "{format: 1, cases: [{case: a/b#3, reason: slow}]}", true),
      (.baseline, "{format: 1, cases: [{case: a/b, reason: ' '}]}", false),
      (.survivors, "{format: 1, survivors: [{case: a/b, mutation: '2.*', reason: free}]}", true),
      (.survivors, "{format: 1, survivors: [{case: a/b, mutation: '2.*', reason: ' '}]}", false),
      (.survivors, "{format: 1, survivors: [{case: a/b, reason: free}]}", false),
      (.baseline, "{format: 2, cases: []}", false), (.baseline, "{format: 1, cases: [{case: a/b}]}", false),
    ])
  func others(_ schema: FormatSchema, _ text: String, _ isValid: Bool) throws {
    let node = try YAMLParser.parse(text, file: "t.yaml")
    #expect(try Self.embedded(schema).isValid(node.json) == isValid)
    func read() throws {
      switch schema {
      case .target: _ = try TargetDescription(node)
      case .client: _ = try ClientDescription(node, spec: Kit.spec)
      case .survivors: _ = try Survivors(node)
      default:
        var baseline = Baseline()
        try baseline.add(node, as: .failing)
      }
    }
    #expect(((try? read()) != nil) == isValid)
  }
}
