import Conformance
import JSON
import ProtocolSpec
import Wire
import YAML

extension FuzzTarget {
  /// `Recorder`: lines are messages, `>` of the client and `<` of the server, on connections `a` to
  /// `c`. What is written is a transcript, and what was recorded matches it.
  static let recordings = FuzzTarget(
    name: "recordings", form: .lines, dictionary: RecordingSeeds.dictionary,
    seeds: { RecordingSeeds.texts.map { Array($0.utf8) } },
    check: { bytes in
      let spec = try Files.spec.get()
      var recording = Recording()
      for line in bytes.split(separator: 0x0A).prefix(40) {
        guard let entry = RecordingSeeds.entry(line, at: recording.entries.count) else { continue }
        recording.entries.append(entry)
      }
      var options = RecordingOptions(suite: "fuzz")
      options.isOneCase = true
      let secrets = NamedSecrets(environment: ["SOME_KEY": "sk-live-12345678", "SHORT_TOKEN": "aaaaaa"])
      let recorder = Recorder(spec: spec, options: options, secrets: secrets)
      let written: RecordedTranscript
      do throws(RecordingProblem) {
        written = try recorder.transcript(recording)
      } catch {
        try expect(!error.description.contains("cannot be written as a transcript"), error.description)
        return Shape(error.description)
      }
      try expect(!written.text.contains("sk-live-12345678"), "a secret was written")
      let files = FixtureFiles(files: [("recording.yaml", written.text)], prefix: "")
      let cases: [TranscriptCase]
      do {
        cases = try FixtureSet(files, folders: [""], spec: spec).cases
      } catch {
        throw Finding("what was written cannot be read: \(error)")
      }
      var shape = Shape(written.remarks.joined())
      // What was left out would put steps and messages out of step.
      for transcript in cases where written.remarks.isEmpty {
        try RecordingSeeds.check(transcript, recording, &shape)
      }
      return shape
    })

  /// `HARFile`: any bytes give a recording, or say where the file is wrong.
  static let har = FuzzTarget(
    name: "har", form: .json, dictionary: RecordingSeeds.harDictionary,
    seeds: { RecordingSeeds.hars.map { Array($0.utf8) } },
    check: { bytes in
      do throws(HARFile.Invalid) {
        var shape = Shape("read")
        shape.add(count: try HARFile.recording(bytes).entries.count)
        return shape
      } catch {
        return Shape(error.description)
      }
    })

  /// `MessageTap`: the messages do not depend on how the bytes arrive, and no byte is lost.
  static let tap = FuzzTarget(
    name: "tap", form: .bytes, dictionary: [],
    seeds: {
      [[0x81, 0x80, 1, 2, 3, 4], [0x01, 0x01, 0x61, 0x89, 0x00, 0x80, 0x01, 0x62], [0x88, 0x02, 3, 0xE8]]
    },
    check: { bytes in
      var first: [String]?
      for pieces in pieces(of: bytes) {
        var tap = MessageTap(.toClient, maxBytes: 4096)
        var shown: [String] = []
        var count = 0
        var behind = 0
        for piece in pieces {
          if tap.lost != nil { behind += piece.count }
          for message in piece.withUnsafeBytes({ tap.feed($0) }) {
            shown.append("\(message.content)")
            count += message.wire.count
          }
        }
        if let lost = tap.lost { shown.append("lost: \(lost)") }
        count += tap.takeRest().count + behind
        try expect(count == bytes.count, "\(bytes.count) bytes came and \(count) are told of")
        try expect(first == nil || first == shown, "\(shown) in pieces, \(first ?? []) whole")
        first = shown
      }
      return Shape((first ?? []).joined(separator: " "))
    })
}

private enum RecordingSeeds {
  static func entry(_ line: ArraySlice<UInt8>, at place: Int) -> Recording.Entry? {
    guard line.count > 2 else { return nil }
    let bytes = Array(line)
    let connection = Int(bytes[0] % 3)
    let direction: ProxyDirection = bytes[1] == UInt8(ascii: "<") ? .toClient : .toServer
    guard String(validating: bytes.dropFirst(2), as: UTF8.self) != nil else { return nil }
    return Recording.Entry(
      connection: connection, at: .milliseconds(10 * place),
      event: .message(.text(Array(bytes.dropFirst(2))), direction))
  }

  /// Says the recorded messages to the steps, in their order, as far as both go side by side.
  static func check(_ transcript: TranscriptCase, _ recording: Recording, _ shape: inout Shape) throws {
    var bindings = Bindings(secrets: ["SOME_KEY": "sk-live-12345678", "SHORT_TOKEN": "aaaaaa"])
    for (step, entry) in zip(transcript.steps, recording.entries) {
      guard case .message(.text(let bytes), let direction, _) = entry.event else { return }
      let value = try? JSONParser.parse(bytes)
      switch step.action {
      case .say(let matcher):
        guard direction == .toServer, let value else { return }
        let differences = matcher.match(value, &bindings)
        try expect(
          differences.isEmpty, "the client's line \(step.place.line) is not what it said: \(differences)")
        shape.add("say")
      case .expect(let frame):
        guard direction == .toClient, let value else { return }
        let differences = frame.match(value, &bindings)
        try expect(
          differences.isEmpty, "the server's line \(step.place.line) is not what it said: \(differences)")
        shape.add("expect")
      case .raw: shape.add("raw")
      // From here on steps and messages are not one to one.
      default:
        shape.add("other")
        return
      }
    }
  }

  static let dictionary =
    [
      "a>", "a<", "b>", "b<", "\n", "{\"method\":", "\"params\":{", "\"result\":{", "\"error\":", "\"id\":",
      "\"jsonrpc\":\"2.0\",", "\"ping\"", "\"create_task\"", "\"get_task_status\"", "\"list_tasks\"",
      "\"tools/call\"", "\"arguments\":", "\"initialize\"", "\"task_id\":", "\"state\":", "\"status\":",
      "\"completed\"", "\"executing\"", "\"3b241101-e2bb-4255-8caf-4136c566a962\"", "\"tasks\":[",
      "\"2026-01-02T03:04:05.678Z\"", "sk-live-12345678", "aaaaaa", "\"$ref\":", "\"idempotency_key\":",
      "\"content\":[", "\"text\":", "\"structuredContent\":", "\"code\":1001,", "\"message\":", "\"cursor\":",
      "\"next_cursor\":", "\"uptime_s\":", "\\u0000", "\u{2028}", "é",
    ]

  static let texts = [
    "a>{\"method\":\"ping\"}\na<{\"result\":\"pong\"}",
    """
    a>{"jsonrpc":"2.0","id":1,"method":"create_task","params":{"description":"hi","wait":false,"idempotency_key":"k"}}
    a<{"jsonrpc":"2.0","id":1,"result":{"task_id":"3b241101-e2bb-4255-8caf-4136c566a962","status":"idle"}}
    b>{"jsonrpc":"2.0","id":1,"method":"get_task_status","params":{"task_id":"3b241101-e2bb-4255-8caf-4136c566a962"}}
    b<{"jsonrpc":"2.0","id":1,"result":{"task_id":"3b241101-e2bb-4255-8caf-4136c566a962","state":"completed"}}
    """,
    """
    a>{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"list_tasks","arguments":{"cursor":"abcdefgh"}}}
    a<{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"{\\"tasks\\":[]}"}],"structuredContent":{"tasks":[{"task_id":"3b241101-e2bb-4255-8caf-4136c566a962","state":"failed"}],"next_cursor":"abcdefgh"}}}
    a<{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"Missing description","data":{"retry_after_s":1}}}
    """,
    "a>{nope\na<{\"error\":\"Invalid JSON: no\"}\na>[1,{\"method\":5}]\na<[{\"result\":{\"error\":\"Task not found\"}}]",
    "a>{\"method\":\"system_status\",\"params\":{\"a\":\"use sk-live-12345678\"}}\na<{\"result\":{\"uptime_s\":1.5,\"$ref\":1}}",
  ]

  static let harDictionary =
    JSONSeeds.dictionary + [
      "\"log\":", "\"entries\":[", "\"request\":", "\"response\":", "\"url\":\"ws://h/\"", "\"headers\":[",
      "\"name\":", "\"value\":", "\"status\":101", "\"_webSocketMessages\":[", "\"type\":\"send\"",
      "\"type\":\"receive\"", "\"time\":1.5", "\"opcode\":1", "\"opcode\":8", "\"data\":\"\"", "1e300",
    ]

  static let hars = [
    """
    {"log":{"entries":[{"request":{"url":"ws://h/x","headers":[{"name":"Origin","value":"o"}]},"response":{"status":101,"headers":[]},"_webSocketMessages":[{"type":"send","time":1.5,"opcode":1,"data":"{}"},{"type":"receive","time":2,"opcode":8,"data":"A+g="},{"type":"send","time":1,"opcode":2,"data":"AQ=="}]}]}}
    """
  ]
}
