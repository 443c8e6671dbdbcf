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

  func run() throws -> Int32 {
    let source = try CaseSource(arguments, run: arguments.operands)
    if let reason = source.nothingSelected {
      Output.complain(reason)
      return 4
    }
    let texts = source.cases.map { CaseExplanation($0, spec: source.spec, flags: source.flags).text }
    Output.write(texts.joined(separator: "\n"))
    return 0
  }
}
