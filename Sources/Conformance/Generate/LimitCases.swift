internal import JSON
package import ProtocolSpec

/// Cases on both sides of what a message may be, and texts that are easily damaged on the way.
struct LimitCases {
  private let spec: Specification
  private let seed: UInt64
  private var cases: [GeneratedCase] = []

  init(_ spec: Specification, seed: UInt64) {
    self.spec = spec
    self.seed = seed
    depth()
    doubtful()
    texts()
  }

  var suite: GeneratedSuite {
    GeneratedSuite(
      name: "limits-and-texts", comment: "The depth of messages, and texts that must be kept to the letter.",
      cases: cases)
  }

  // MARK: Depth

  private mutating func depth() {
    let most = spec.limits.jsonDepth
    for speech in [Speech.bare, .jsonrpc] {
      var script = Script(speech, spec: spec)
      let front = speech == .bare ? "{" : "{\"jsonrpc\":\"2.0\",\"id\":1,"
      let served: JSONValue =
        speech == .bare ? ["result": "pong"] : ["id": 1, "result": .object(JSONObject())]
      let refused: JSONValue =
        speech == .bare
        ? ["error": ["$spec": "parse_error.text"]]
        : ["id": ["$oneOf": [.null, 1]], "error": ["code": ["$spec": "parse_error"]]]
      if speech == .jsonrpc { script.ask("ping", nil, .result(.object(JSONObject()))) }
      // The message and its params are two levels.
      for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let each = open.hasPrefix("[{") ? 2 : 1
        let filler = each == 1 && open == "[" ? "" : "1"
        for level in [most, most + each] {
          let times = (level - 2) / each
          let text: JSONValue = [
            .string(front + "\"method\":\"ping\",\"params\":{\"a\":"),
            ["repeat": .string(open), "times": .int(times)],
            .string(filler), ["repeat": .string(close), "times": .int(times)], "}}",
          ]
          script.send(
            raw: text, level > most ? refused : served, why: "\(2 + times * each) levels of \(open)")
        }
      }
      cases.append(
        GeneratedCase(
          id: "\(speech.rawValue)-depth", title: "\(most) levels are served and more are a parse error.",
          covers: ["req:limits.json_depth", "error:parse_error"], dialect: speech.dialect, steps: script.steps
        ))
    }
  }

  /// JSON that an endpoint may take or refuse (RFC 8259 §4, §8.2).
  private mutating func doubtful() {
    let texts = [
      ("json.surrogates", "\\ud800"), ("json.surrogates", "\\udc00"), ("json.surrogates", "\\udc00\\ud800"),
      ("json.surrogates", "x\\ud83dx"), ("json.duplicate-keys", "\",\"a\":\""),
    ]
    for (requirement, text) in texts {
      var script = Script(.bare, spec: spec)
      let message = "{\"method\":\"ping\",\"params\":{\"a\":\"\(text)\"}}"
      script.send(raw: .string(message), ["error": ["$spec": "parse_error.text"]])
      let place = cases.count { $0.id.hasPrefix("bare-doubtful") } + 1
      cases.append(
        GeneratedCase(
          id: "bare-doubtful-\(place)", title: spec.requirements[requirement]?.text ?? requirement,
          covers: ["req:\(requirement)", "error:parse_error"], dialect: .bare, level: .may,
          steps: script.steps))
    }
  }

  // MARK: Texts

  private static let known: [(String, String)] = [
    ("NFC", "é ü ﬁ Å 한글"), ("NFD", "e\u{301} u\u{308} A\u{30A} \u{1112}\u{1161}\u{11AB}"),
    ("compatibility", "ﬀ ① ½ ℌ ﷺ Å"), ("beyond 16 bits", "🚀 𝒜 𠜎 \u{10FFFD}"),
    ("joined emoji", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽"), ("right to left", "שלום \u{202E}abc\u{202C} مرحبا \u{200F}"),
    ("nothing to see", "a\u{200B}b\u{2060}c\u{FEFF}d\u{AD}e"), ("at the beginning", "\u{FEFF}text"),
    ("NUL", "a\u{0}b"), ("controls", "\u{1}\u{8}\u{B}\u{C}\u{1B}\u{7F}\u{85}x"),
    ("ends of lines", "a\nb\rc\r\nd\u{2028}e\u{2029}f"), ("spaces", "  a\t b\u{A0}\u{3000}  "),
    ("quotes", "\"'`\\/ \\n \\u0041 ${x} %s {{y}}"),
    ("markup", "</script><b>&amp;&#0;'; DROP TABLE tasks;--"),
    ("noncharacters", "a\u{FFFE}\u{FFFF}\u{1FFFE}b\u{FFFD}"),
    ("many marks", "x" + String(repeating: "\u{301}", count: 60)),
  ]

  private mutating func texts() {
    var random = SeededGenerator(seed: seed, stream: "texts")
    let drawn = (1...8).map { ("drawn \($0)", Self.draw(&random)) }
    for speech in [Speech.bare, .jsonrpc, .mcp] {
      var script = Script(speech, spec: spec)
      for (number, (name, text)) in (Self.known + drawn).enumerated() {
        let task = "task\(number)"
        script.ask(
          "create_task", ["description": .string(text), "wait": false],
          .result(["task_id": ["$type": "uuid", "$as": .string(task)]]), why: name)
        script.ask(
          "get_task_status", ["task_id": ["$ref": .string(task)]], .result(["description": .string(text)]),
          why: "\(name) is kept to the letter")
      }
      cases.append(
        GeneratedCase(
          id: "\(speech.rawValue)-texts",
          title: "A description comes back scalar by scalar, as it was given.",
          covers: ["req:get_task_status.task", "method:create_task", "method:get_task_status"],
          dialect: speech.dialect, needs: [.faults], steps: script.steps))
    }
  }

  /// Scalars from everywhere, never spaces alone.
  private static func draw(_ random: inout SeededGenerator) -> String {
    let ranges: [ClosedRange<UInt32>] = [
      0x01...0x7F, 0x80...0x7FF, 0x800...0xD7FF, 0xE000...0xFFFF, 0x1_0000...0x10_FFFF,
    ]
    var text = "x"
    for _ in 0..<Int.random(in: 1...40, using: &random) {
      let range = ranges.randomElement(using: &random) ?? 0x41...0x5A
      if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &random)) {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}

/// Everything that is derived from the specification; the same for the same seed.
package enum CaseGenerator {
  package static func suites(_ spec: Specification, seed: UInt64) -> [GeneratedSuite] {
    ParamCases(spec, seed: seed).suites() + [EnvelopeCases(spec).suite, LimitCases(spec, seed: seed).suite]
  }

  /// Keywords of params schemas that no case tries, by method.
  package static func untried(_ spec: Specification) -> [String] {
    spec.methods.flatMap { method in
      SchemaProbes(method, seed: 0).untried.map { "\(method.name): \($0)" }
    }
  }
}
