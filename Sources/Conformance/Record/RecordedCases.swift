internal import JSON
package import ProtocolSpec
internal import Wire
internal import YAML

/// How a recording becomes transcripts.
package struct RecordingOptions: Sendable {
  package var suite: String
  /// Whether texts of models stay as they were.
  package var isExact = false
  /// Whether slow answers must be slow again.
  package var keepsTiming = false
  /// Whether all connections are one case: those of one run of a client.
  package var isOneCase = false

  package init(suite: String) { self.suite = suite }
}

/// What became of a recording.
package struct RecordedTranscript: Sendable {
  package let text: String
  package let cases: Int
  /// What could not be written, one sentence each.
  package let remarks: [String]
}

/// Writes the transcript of a recording.
package struct Recorder {
  private let spec: Specification
  private let options: RecordingOptions
  private let secrets: NamedSecrets

  package init(spec: Specification, options: RecordingOptions, secrets: NamedSecrets) {
    self.spec = spec
    self.options = options
    self.secrets = secrets
  }

  /// - Throws: `RecordingProblem`, where a secret has no name, or what was written is no transcript.
  package func transcript(_ recording: Recording) throws(RecordingProblem) -> RecordedTranscript {
    var cases: [JSONValue] = []
    var remarks: [String] = []
    for connections in groups(recording) {
      var builder = CaseBuilder(
        recording.entries.filter { connections.contains($0.connection) }, spec: spec, options: options,
        secrets: secrets, transport: recording.transport)
      if let made = try builder.made(id: "session-\(cases.count + 1)") { cases.append(made) }
      remarks += builder.remarks
    }
    guard !cases.isEmpty else { throw RecordingProblem("nothing was said, so there is nothing to write") }
    let dialect = cases.compactMap { $0["dialect"]?.string }.first ?? "raw"
    let file: JSONValue = [
      "format": 1, "suite": .string(options.suite), "dialect": .string(dialect),
      "defaults": ["within": .string(CaseBuilder.usualWithin.short), "level": "must", "play": "either"],
      "cases": .array(cases.map { Self.withoutDialect($0, dialect) }),
    ]
    let text = TranscriptWriter.text(file)
    try check(text)
    return RecordedTranscript(text: text, cases: cases.count, remarks: remarks)
  }

  private static func withoutDialect(_ value: JSONValue, _ dialect: String) -> JSONValue {
    guard var object = value.object, object["dialect"]?.string == dialect else { return value }
    object["dialect"] = nil
    return .object(object)
  }

  /// What is written must be read by whoever plays it, and must hold no secret.
  private func check(_ text: String) throws(RecordingProblem) {
    if let name = secrets.isLeaked(in: text) {
      throw RecordingProblem("the value of \(name) stands where no transcript can name it")
    }
    let limit = YAMLLimits().bytes
    guard text.utf8.count <= limit else {
      throw RecordingProblem(
        "the transcript would have \(text.utf8.count) bytes, and a file has at most \(limit): record less at a time"
      )
    }
    let files = FixtureFiles(files: [("recording.yaml", text)], prefix: "")
    do throws(FixtureErrors) {
      _ = try FixtureSet(files, folders: [""], spec: spec)
    } catch {
      throw RecordingProblem("what was recorded cannot be written as a transcript: \(error)")
    }
  }

  // MARK: Which connections belong together

  /// Connections that were open at the same time, or that use the same values.
  private func groups(_ recording: Recording) -> [Set<Int>] {
    var order: [Int] = []
    var spans: [Int: ClosedRange<Duration>] = [:]
    var texts: [Int: Set<String>] = [:]
    for entry in recording.entries {
      if !order.contains(entry.connection) { order.append(entry.connection) }
      let span = spans[entry.connection] ?? entry.at...entry.at
      spans[entry.connection] = span.lowerBound...max(span.upperBound, entry.at)
      if let bytes = entry.event.text, let value = try? JSONParser.parse(bytes) {
        texts[entry.connection, default: []].formUnion(value.texts.filter(TextForms.isUUID))
      }
    }
    guard !options.isOneCase else { return order.isEmpty ? [] : [Set(order)] }
    var groups: [Set<Int>] = []
    for connection in order {
      let mine = groups.filter { group in
        group.contains { other in
          let isBeside = spans[other].flatMap { a in spans[connection].map { a.overlaps($0) } } ?? false
          return isBeside || !(texts[other] ?? []).isDisjoint(with: texts[connection] ?? [])
        }
      }
      groups.removeAll { mine.contains($0) }
      groups.append(mine.reduce([connection]) { $0.union($1) })
    }
    return groups.sorted { ($0.min() ?? 0) < ($1.min() ?? 0) }
  }
}

extension Recording.Event {
  /// The bytes of a message.
  var text: [UInt8]? {
    switch self {
    case .message(.text(let bytes), _, _), .answer(let bytes, _): bytes
    default: nil
    }
  }
}

extension JSONValue {
  /// Every text in it, keys not counted.
  var texts: [String] {
    switch self {
    case .string(let text): [text]
    case .array(let elements): elements.flatMap(\.texts)
    case .object(let object): object.flatMap { $0.value.texts }
    default: []
    }
  }
}
