import Conformance
import JSON
import ProtocolSpec
import Testing
import Wire
import YAML

/// The task that is spoken of.
let recordedTask = "3b241101-e2bb-4255-8caf-4136c566a962"

// How the tests of the recorder write down what was said.
extension RecorderTests {
  /// A recording as a few lines: `>` from the client, `<` from the server, `b>` on another connection.
  func recording(_ text: String, every step: Duration = .milliseconds(10)) -> Recording {
    var recording = Recording()
    for (number, line) in text.split(separator: "\n").enumerated() {
      let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
      let name = parts[0].dropLast()
      let connection = name.isEmpty ? 0 : Int((name.utf8.first ?? 0) - UInt8(ascii: "a"))
      let direction: ProxyDirection = parts[0].hasSuffix(">") ? .toServer : .toClient
      recording.entries.append(
        Recording.Entry(
          connection: connection, at: step * number,
          event: .message(.text(Array(parts[1].utf8)), direction)))
    }
    return recording
  }

  func transcript(
    _ recording: Recording, environment: [String: String] = [:], isExact: Bool = false,
    keepsTiming: Bool = false
  ) throws -> RecordedTranscript {
    var options = RecordingOptions(suite: "t")
    options.isExact = isExact
    options.keepsTiming = keepsTiming
    options.isOneCase = true
    return try Recorder(spec: Kit.spec, options: options, secrets: NamedSecrets(environment: environment))
      .transcript(recording)
  }

  /// The steps that are written for the lines of a session.
  func steps(_ lines: String, environment: [String: String] = [:], isExact: Bool = false) throws
    -> String
  {
    let text = try transcript(recording(lines), environment: environment, isExact: isExact).text
    let all = text.split(separator: "\n", omittingEmptySubsequences: false)
    let start = try #require(all.firstIndex(of: "  steps:"))
    return all[(start + 1)...].map { $0.dropFirst(2) }.joined(separator: "\n").trimmingSuffix("\n")
  }
}

extension String {
  fileprivate func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}
