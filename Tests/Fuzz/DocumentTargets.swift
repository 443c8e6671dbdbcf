import Conformance
import Foundation
import JSON
import ProtocolSpec
import YAML

extension FuzzTarget {
  /// `YAMLParser`: what it gives is JSON, its errors stand in the text, and the JSON of a document
  /// means the same as YAML.
  static let yaml = FuzzTarget(
    name: "yaml", form: .lines, dictionary: YAMLSeeds.dictionary + JSONSeeds.dictionary,
    seeds: { YAMLSeeds.texts.map { Array($0.utf8) } + (try Files.under("Spec", ending: [".yaml"])) },
    check: { bytes in
      do {
        let node = try YAMLParser.parse(bytes: bytes, file: "f.yaml", limits: .fuzz)
        try checkPlaces(node, lines: bytes.count + 1)
        let value = node.json
        var shape = try checkRoundTrip(value)
        let text = JSONWriter.text(value)
        // These are line breaks to YAML, also inside quotation marks.
        let foldable = text.unicodeScalars.contains { ["\u{85}", "\u{2028}", "\u{2029}"].contains($0) }
        if !foldable, let again = try? YAMLParser.parse(text, file: "f.json", limits: .fuzz) {
          try expect(again.json == value, "as JSON \(again.json), as YAML \(value)")
          shape.add("again")
        }
        return shape
      } catch let error as SourceError {
        return try checkError(error, bytes)
      }
    })

  /// `FixtureSet`: a file of transcripts is read or refused; what can be spoken matches itself.
  static let transcripts = FuzzTarget(
    name: "transcripts", form: .lines, dictionary: YAMLSeeds.transcriptWords,
    seeds: {
      [Array(YAMLSeeds.transcript.utf8)] + (try Files.under("Fixtures", ending: [".yaml"]).flatMap(casesOf))
    },
    check: { bytes in
      guard let text = String(validating: bytes, as: UTF8.self) else { return Shape() }
      let files = FixtureFiles(files: [("server/t.yaml", text)], prefix: "")
      do {
        let set = try FixtureSet(files, folders: ["server"], spec: try Files.spec.get())
        var shape = Shape()
        for transcript in set.cases {
          for step in transcript.steps { shape.add(try checkStep(step)) }
        }
        return shape
      } catch let errors as FixtureErrors {
        var shape = Shape()
        for error in errors.all {
          _ = try checkError(error, bytes)
          shape.add(error.message)
        }
        return shape
      }
    })

  /// `FileLayout`: a file is refused, or laid out in a form that stays and says the same.
  static let layout = FuzzTarget(
    name: "layout", form: .lines, dictionary: YAMLSeeds.dictionary + YAMLSeeds.transcriptWords,
    seeds: {
      (YAMLSeeds.texts + YAMLSeeds.commented).map { Array($0.utf8) }
        + (try Files.under("Fixtures", ending: [".yaml"]).flatMap(casesOf))
    },
    check: { bytes in
      guard let text = String(validating: bytes, as: UTF8.self) else { return Shape() }
      do {
        let once = try FileLayout.text(text, file: "f.yaml")
        let twice = try FileLayout.text(once, file: "f.yaml")
        try expect(once == twice, "laid out twice it is\n\(twice)\nonce\n\(once)")
        let values = try [text, once].map { try YAMLParser.parse($0, file: "f.yaml").json }
        try expect(values[0] == values[1], "laid out it says \(values[1]), before \(values[0])")
        return Shape("laid out")
      } catch let error as SourceError {
        return Shape(error.message)
      }
    })

  private static func checkStep(_ step: Step) throws -> String {
    guard case .say(let matcher) = step.action else {
      return String(String(describing: step.action).prefix { $0 != "(" })
    }
    var bindings = Bindings(seed: 7, secrets: [:])
    guard let value = ((try? matcher.generate(&bindings)) ?? nil) else { return "unspoken" }
    _ = try checkRoundTrip(value)
    _ = matcher.match(value, &bindings)
    return "say"
  }

  /// One file gives many seeds: its head with each case alone.
  private static func casesOf(_ file: [UInt8]) -> [[UInt8]] {
    let text = String(decoding: file, as: UTF8.self)
    let parts = ("\n" + text).components(separatedBy: "\n- id:")
    return parts.dropFirst().map { Array((parts[0].dropFirst() + "\n- id:" + $0).utf8) }
  }

  private static func checkPlaces(_ node: YAMLNode, lines: Int) throws {
    try expect((1...lines).contains(node.place.line) && node.place.column >= 1, "a node at \(node.place)")
    for element in node.elements ?? [] { try checkPlaces(element, lines: lines) }
    for entry in node.entries ?? [] { try checkPlaces(entry.value, lines: lines) }
  }

  private static func checkError(_ error: SourceError, _ bytes: [UInt8]) throws -> Shape {
    try expect(
      (1...(bytes.count + 1)).contains(error.place.line)
        && (1...(bytes.count + 2)).contains(error.place.column),
      "an error outside the text: \(error.place)")
    try expect(
      error.sourceLine != nil || error.message.contains("bytes"), "an error without its line: \(error)")
    try expect(error.description.utf8.count < 8192 + error.message.utf8.count, "a long error")
    return Shape(error.message)
  }
}

extension YAMLLimits {
  /// As by default, with a limit of nodes that inputs reach.
  fileprivate static let fuzz = YAMLLimits(nodes: 2000)
}

/// What is read from the checkout, which is where the fuzzer runs.
enum Files {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static let spec = Result { try Specification.load() }

  static func under(_ folder: String, ending suffixes: [String]) throws -> [[UInt8]] {
    let folder = root.appending(path: folder)
    return try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted()
      .filter { path in suffixes.contains { path.hasSuffix($0) } }
      .map { Array(try Data(contentsOf: folder.appending(path: $0))) }
  }
}

private enum YAMLSeeds {
  static let dictionary = [
    "- ", ": ", "? ", "| ", ">-\n", "|+\n", "&a ", "*a", "!!str ", "<<: ", "%YAML 1.2\n", "---\n", "...\n",
    "#", "\"",
    "'", "''", "{a: 1}", "[1, 2]", "{}", "[]", "~", "null", "Null", "yes", "0x1F", "0o17",
    "0xFFFFFFFFFFFFFFFFFF", ".5",
    "+.5e3", "-.inf", ".nan", "1_000", "12:30", "\t", "  ", "\n", "\r", "\u{85}", "\u{2028}", "\u{FEFF}",
    "\u{0}", "\u{7F}",
    "\"\\x41\\u263A\\U0001F600\\e\\_\\N\"", "a: &x b", "- - - - ", "[[[[[[[[", "{{{{{{",
  ]

  static let texts = [
    "a: 1\nb: [1, 2.50, {c: d}]\nc:\n  - x\n  - y: \"z\\u00e9\\n\"\n",
    "|\n a\n  b\n\n c\n", ">-\n a\n b\n\n  c\n", "'it''s'", "- - 1\n  - 2\n-\n  a: b # c\n", "? a\n: b\n",
    "{a: 1, \"b\": [], 'c': {}, d: ~, e: 0x1F, f: .5, g: -1e3, h: yes}",
  ]

  /// Comments in every place.
  static let commented = [
    "# a\n\n# b\nsuite: t # c\n\n\n# d\ncases:  # e\n# f\n- id: x # g\n  # h\n  steps:\n  # i\n  - client: {a: 1} # j\n"
      + "    # k\n  # l\n- covers: [a, # m\n    b]\n  id: y\n# n\n",
    "a: # x\n  - # y\n    b: |  # z\n      # no comment\n      text\n  # w\n\n  - \"c\n     d\" # e\n",
    "a: {b: [1, 2], c: {}}\nd:\n\n- e: f\n\n  # g\n  h: >+\n    i\n\n\nj: k\n    l\n",
  ]

  /// Everything that the runner can make up.
  static let transcript = """
    format: 1
    suite: t
    dialect: raw
    cases:
    - id: case
      covers: [method:ping]
      steps:
      - client: {a: {$type: string, $length: 3}, b: {$repeat: ab, times: 3}, c: {$between: [1, 9]}}
      - client: {a: {$type: uuid, $as: x}, b: {$ref: x}, c: {$oneOf: [1, {$next: int}]}, d: {$absent: true}}
      - client: [{$spec: parse_error}, {$type: number}, {$type: timestamp}, {$type: id, $length: 5}]

    """

  static let transcriptWords =
    dictionary + [
      "client: ", "server: ", "raw: ", "hex: ", "text: ", "frame: ", "opcode: ", "fin: false", "rsv: 7",
      "masked: no",
      "closed: {by: server, code: [1002, none]}", "close: {code: 1000}", "quiet: {from: server, for: 500ms}",
      "poll: {every: 100ms, for: 5s, at: /result/state, until: completed}", "unordered: ", "connect: ",
      "refused: ",
      "accepted: ", "http: {get: /healthz}", "answer: {status: 200}", "restart: ",
      "arm: {litellm: [{status: 500}]}",
      "await: ", "observe: {litellm: {path: /v1/*, count: 1}}", "$type: int", "$regex: 'a+(b|c)*[d-f]{2,3}'",
      "$oneOf: [1, 2]", "$between: [1, 1e99]", "$absent: true", "$contains: a", "$length: 3", "$as: task",
      "$ref: task",
      "$schema: create_task/result", "$spec: task_not_found", "$spec: parse_error.text", "$next: int",
      "$secret: HOME",
      "$repeat: ab, times: 3", "times: 67108864", "within: 99999999999999999999h", "within: 1e400s",
      "notBefore: -1ms",
      "level: should", "play: either", "dialect: raw", "dialect: bare", "conn: b", "fresh: true",
      "environment: {A: 1}",
      "covers: [method:ping]", "body: ", "count: ", "spacing: {atLeast: 1s}", "(?<a>", "\\p{Han}", "(?=",
      "{99999}",
    ]
}
