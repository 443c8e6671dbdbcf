import Conformance
import Foundation

struct ImportCommand: Command {
  static let name = "import"
  static let summary = "write a transcript of the WebSockets in a HAR file"
  static let usage = "FILE.har [flags]"
  static let operand: String? = "FILE"
  static let flags =
    [Flag(name: "--one-case", value: nil, summary: "all sockets are one case: those of one run of a client")]
    + RecordingFlags.all
  static let about = """
    Make a transcript of what a browser or a proxy recorded: HAR 1.2 with _webSocketMessages, as the
    developer tools of Chrome and mitmproxy export it.
    """
  static let examples = """
    What the network panel of Chrome saved with "Save all as HAR with content":
      omni-conformance import session.har --suite dashboard --output dashboard.yaml
    What mitmproxy recorded:
      mitmdump -r flows --set hardump=session.har
      omni-conformance import session.har --output session.yaml
    """

  private let arguments: Arguments

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() async throws -> Int32 {
    guard let file = arguments.operands.first, arguments.operands.count == 1 else {
      throw UsageError(description: "one file is expected; see omni-conformance import --help")
    }
    guard let data = try? Data(contentsOf: URL(filePath: file)) else {
      throw UsageError(description: "\(file) cannot be read")
    }
    let recording: Recording
    do throws(HARFile.Invalid) {
      recording = try HARFile.recording(Array(data))
    } catch {
      throw UsageError(description: "\(file): \(error)")
    }
    return try RecordingOutput(arguments).write(recording, otherwise: 0)
  }
}
