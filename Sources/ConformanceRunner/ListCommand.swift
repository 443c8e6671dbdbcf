import Conformance
import ProtocolSpec
import YAML

struct ListCommand: Command {
  static let name = "list"
  static let summary = "the cases, their level and what they cover"
  static let usage = "[flags]"
  static let flags =
    [
      Flag(
        name: "--ids", value: nil, summary: "the names alone, one a line, of all profiles where none is named"
      )
    ] + CommonFlags.selection
  static let about = """
    List the cases with their level and what they cover.
    """
  static let examples = """
      omni-conformance list
      omni-conformance list --run '*500*'
      omni-conformance list --ids
      omni-conformance list --fixtures Fixtures --profile deployed
    """

  private let arguments: Arguments

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() throws -> Int32 {
    if arguments.has("--ids") { return try ids() }
    let source = try CaseSource(arguments)
    let width = source.cases.map(\.id.count).max() ?? 0
    for transcript in source.cases {
      let gap = String(repeating: " ", count: width - transcript.id.count)
      let level = transcript.level.rawValue.uppercased()
      let side = transcript.play == .server ? "  (plays the server)" : ""
      let covers = transcript.covers.map(\.description).joined(separator: " ")
      Output.line(
        "\(transcript.id)\(gap)  \(level)\(String(repeating: " ", count: 6 - level.count))  \(covers)\(side)")
    }
    Output.line(
      "\(source.cases.count) case\(source.cases.count == 1 ? "" : "s") of profile \(source.profile.name)")
    guard let reason = source.nothingSelected else { return 0 }
    Output.complain(reason)
    return 4
  }
  private func ids() throws -> Int32 {
    let spec = try Specification.load(directory: arguments["--spec"])
    var told: Set<String> = []
    for profile in arguments["--profile"].map({ [$0] }) ?? spec.profiles.map(\.name) {
      for transcript in try CaseSource(arguments, profile: profile).cases
      where told.insert(transcript.id).inserted {
        Output.line(transcript.id)
      }
    }
    return told.isEmpty ? 4 : 0
  }
}
