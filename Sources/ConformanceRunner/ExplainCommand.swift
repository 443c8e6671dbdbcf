import Conformance
import ProtocolSpec
import YAML

struct ExplainCommand: Command {
  static let name = "explain"
  static let summary = "what a case checks, in plain words"
  static let usage = "CASE… [flags]"
  static let operand: String? = "CASE"
  static let flags = CommonFlags.selection.filter { !["--run", "--skip"].contains($0.name) }
  static let about = """
    Tell what a case checks: the sentences of the specification behind it, what is said and what must
    come back, what would make it fail, and how to play it.
    """
  static let examples = """
      omni-conformance explain ping/empty-object
      omni-conformance explain 'system/brain*'
      omni-conformance explain --profile deployed answers/order
    """

  private let arguments: Arguments

  init(_ arguments: Arguments) throws {
    self.arguments = arguments
    guard !arguments.operands.isEmpty else {
      throw UsageError(description: "which case? omni-conformance list tells their names")
    }
  }

  /// Without `--profile` a case is looked for in all of them, and told with the first that has it.
  func run() throws -> Int32 {
    let spec = try Specification.load(directory: arguments["--spec"])
    let profiles = arguments["--profile"].map { [$0] } ?? spec.profiles.map(\.name).sorted(by: isUsualFirst)
    let sources = try profiles.map { try CaseSource(arguments, profile: $0, run: arguments.operands) }
    let isUnknown = arguments.operands.contains { name in sources.allSatisfy { $0.unmatched.contains(name) } }
    if isUnknown || sources.allSatisfy({ $0.cases.isEmpty }) {
      Output.complain(sources.first?.nothingSelected ?? "nothing selected: see omni-conformance list")
      return 4
    }
    var told: Set<SourcePlace> = []
    var texts: [String] = []
    for source in sources {
      for transcript in source.cases where told.insert(transcript.place).inserted {
        let usual = transcript.play == .server ? "client" : "reference"
        let name = source.profile.name
        let profile =
          arguments.has("--profile") || name == usual || name == "reference" ? "" : " --profile \(name)"
        texts.append(CaseExplanation(transcript, spec: source.spec, flags: source.flags + profile).text)
      }
    }
    Output.write(texts.joined(separator: "\n"))
    return 0
  }

  private func isUsualFirst(_ left: String, _ right: String) -> Bool {
    left == "reference" ? right != left : right != "reference" && left < right
  }
}
