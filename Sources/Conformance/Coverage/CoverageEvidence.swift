internal import JSON
internal import ProtocolSpec

/// Which cases are evidence for which cells.
///
/// Requirements, methods, errors, states and transitions are what a case says it covers. Which method
/// was answered with which error, and which fault met which state, is read from its steps.
struct CoverageEvidence {
  /// By the id of the cell, each case once, in the order of the cases.
  private(set) var cases: [String: [String]] = [:]

  init(_ transcripts: [TranscriptCase], spec: Specification) {
    for transcript in transcripts {
      var ids = Set(transcript.covers.map(\.description))
      var walk = ErrorWalk(errors: spec.errors)
      walk.read(transcript.steps)
      ids.formUnion(walk.found)
      ids.formUnion(Self.faults(of: transcript))
      for id in ids { cases[id, default: []].append(transcript.id) }
    }
  }

  /// LiteLLM is called while all is well, the direct API while LiteLLM is lost, and the probes of the
  /// direct API tell when the cloud is back.
  private static func faults(of transcript: TranscriptCase) -> Set<String> {
    var faces = transcript.arm
    for step in transcript.steps { if case .arm(let more) = step.action { faces += more } }
    let meetsBrainstem = transcript.covers.contains(.system(SystemState.brainstem.rawValue))
    var ids: Set<String> = []
    for face in faces {
      for rule in face.rules {
        // Its own fault, or those of its sequence.
        let names = ([rule] + (rule["sequence"]?.array ?? [])).compactMap { $0["fault"]?.string }
        var states: [SystemState] = [.brainstem]
        if face.face == .litellm { states = [.normal] }
        if face.face == .direct {
          // What nobody listens for is refused to calls and, in brainstem, to probes.
          let isProbe = rule["on"]?.string?.hasPrefix("GET")
          states =
            isProbe == true
            ? [.brainstem] : isProbe == nil && meetsBrainstem ? [.degraded, .brainstem] : [.degraded]
        }
        for name in names {
          for state in states { ids.insert("fault:\(name)/system:\(state.rawValue)") }
        }
      }
    }
    return ids
  }
}

/// Reads which request each answer belongs to.
private struct ErrorWalk {
  private let errors: ErrorTable
  private(set) var found: Set<String> = []
  /// Unanswered requests of each connection.
  private var open: [String: [(id: JSONValue?, method: String)]] = [:]

  init(errors: ErrorTable) { self.errors = errors }

  mutating func read(_ steps: [Step]) {
    for step in steps {
      let name = step.connection
      switch step.action {
      case .say(let matcher): said(matcher.source, on: name)
      case .raw(.text(let parts)): if let value = Self.value(parts) { said(value, on: name) }
      case .expect(let frame): answered(frame.matcher.source, on: name)
      case .unordered(let frames):
        for expected in frames { answered(expected.frame.matcher.source, on: name) }
      case .poll(let poll):
        said(poll.request.source, on: name)
        answered(poll.last?.matcher.source ?? JSONValue.object(JSONObject()), on: name)
      default: break
      }
    }
  }

  private static let largestRead = 1 << 16

  private static func value(_ parts: [TextPart]) -> JSONValue? {
    var size = 0
    for part in parts {
      switch part {
      case .bytes(let bytes): size += bytes.count
      case .repeated(let bytes, let times): size += bytes.count * times
      }
    }
    return size > largestRead ? nil : try? JSONParser.parse(TextPart.joined(parts))
  }

  private mutating func said(_ value: JSONValue, on name: String) {
    for request in value.array ?? [value] {
      guard let method = request["method"]?.string else { continue }
      let tool = method == "tools/call" ? request["params"]?["name"]?.string : nil
      open[name, default: []].append((request["id"], tool ?? method))
    }
  }

  private mutating func answered(_ value: JSONValue, on name: String) {
    for answer in value.array ?? [value] {
      var list = open[name] ?? []
      guard !list.isEmpty else { continue }
      let place = answer["id"].flatMap { id in list.firstIndex { $0.id == id } } ?? 0
      let request = list.remove(at: place)
      open[name] = list
      if let error = error(of: answer) { found.insert("method:\(request.method)/error:\(error.rawValue)") }
    }
  }

  private func error(of answer: JSONValue) -> ErrorName? {
    if let code = answer["error"]?["code"] {
      if let name = code["$spec"]?.string { return ErrorName(rawValue: name) }
      return errors.all.first { .int($0.code) == code }?.name
    }
    if let text = answer["error"] ?? answer["result"]?["error"] { return named(text) }
    // A tool tells the error object as text.
    guard answer["result"]?["isError"] == true,
      let text = answer["result"]?["content"]?[0]?["text"]?["$regex"]?.string
    else { return nil }
    return errors.all.first { text.contains("\"code\":\($0.code)") }?.name
  }

  private func named(_ text: JSONValue) -> ErrorName? {
    if let name = text["$spec"]?.string { return ErrorName(rawValue: String(name.prefix { $0 != "." })) }
    let shown = text.string ?? text["$regex"]?.string.map { $0.hasPrefix("^") ? String($0.dropFirst()) : $0 }
    guard let shown else { return nil }
    return errors.all.first { error in
      ([error.text] + error.variants.values).contains { template in
        let front = template.prefix { $0 != "{" }
        return !front.isEmpty && shown.hasPrefix(front)
      }
    }?.name
  }
}
