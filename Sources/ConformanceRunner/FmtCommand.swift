import Conformance
import Foundation
import YAML

struct FmtCommand: Command {
  static let name = "fmt"
  static let summary = "lay transcripts out as all of them are"
  static let usage = "PATH… [--check]"
  static let operand: String? = "PATH"
  static let flags = [
    Flag(name: "--check", value: nil, summary: "change nothing; end with 1 where something would change")
  ]
  static let about = """
    Lay out transcripts, target and client files and lists of known failures: keys in one order, frames
    on a line of at most 120 characters or over several, one empty line between cases. Values and comments
    stay as they are. A PATH is a file or a folder, of which the kit's own files are taken. A file that
    cannot be laid out without changing what it says stays as it is.
    """
  static let examples = """
      omni-conformance fmt my-cases.yaml
      omni-conformance fmt --check Fixtures
    """

  private let arguments: Arguments

  init(_ arguments: Arguments) throws {
    self.arguments = arguments
    guard !arguments.operands.isEmpty else {
      throw UsageError(description: "which files? omni-conformance fmt PATH…")
    }
  }

  func run() throws -> Int32 {
    let files = try FileLayout.files(arguments.operands)
    guard !files.isEmpty else {
      Output.complain("nothing selected: there is no file of the kit")
      return 4
    }
    var (changed, broken) = (0, 0)
    for file in files {
      do throws(SourceError) {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
          throw SourceError(
            place: SourcePlace(file: file, line: 1, column: 1), message: "cannot be read as UTF-8")
        }
        let laidOut = try FileLayout.text(text, file: file)
        // Compared by bytes: texts that Unicode takes for equal may differ.
        guard !text.utf8.elementsEqual(laidOut.utf8) else { continue }
        changed += 1
        Output.line("\(arguments.has("--check") ? "would change" : "changed") \(file)")
        if !arguments.has("--check") { try write(laidOut, to: file) }
      } catch {
        broken += 1
        Output.complain(error.description)
      }
    }
    Output.line("fmt: \(files.count) file\(files.count == 1 ? "" : "s"), \(changed) to change")
    if broken > 0 { return 2 }
    return arguments.has("--check") && changed > 0 ? 1 : 0
  }

  private func write(_ text: String, to file: String) throws(SourceError) {
    do {
      try Data(text.utf8).write(to: URL(filePath: file), options: .atomic)
    } catch {
      throw SourceError(
        place: SourcePlace(file: file, line: 1, column: 1),
        message: "cannot be written: \(error.localizedDescription)")
    }
  }
}
