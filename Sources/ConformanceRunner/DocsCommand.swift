import Conformance
import Foundation
import JSON
import ProtocolSpec
import YAML

struct DocsCommand: Command {
  static let name = "docs"
  static let summary = "the protocol as Markdown, OpenRPC or AsyncAPI"
  static let usage = "[flags]"
  static let flags = [
    Flag(name: "--format", value: "FORMAT", summary: "markdown (default), openrpc or asyncapi"),
    Flag(name: "--output", value: "FILE", summary: "write it there, not to standard output"),
    Flag(name: "--spec", value: "DIR", summary: "specification of this folder, not that inside the program"),
  ]
  static let about = """
    Write down the protocol as the specification has it: for people in Markdown, for programs as an
    OpenRPC 1.3.2 document of the methods or an AsyncAPI 3.0 document of the socket.
    """
  static let examples = """
      omni-conformance docs
      omni-conformance docs --format openrpc --output openrpc.json
      omni-conformance docs --format asyncapi | less
    """

  private let arguments: Arguments
  private let format: String

  init(_ arguments: Arguments) throws {
    self.arguments = arguments
    format = try arguments.choice("--format", among: ["markdown", "openrpc", "asyncapi"]) ?? "markdown"
  }

  func run() throws -> Int32 {
    let files = arguments["--spec"].map(SpecFiles.init(directory:)) ?? .embedded
    let spec = try Specification(files: files)
    let text =
      switch format {
      case "openrpc": JSONWriter.indented(spec.openRPC) + "\n"
      case "asyncapi": JSONWriter.indented(spec.asyncAPI) + "\n"
      default: try ProtocolPage(spec, files).markdown
      }
    guard let output = arguments["--output"] else {
      Output.write(text)
      return 0
    }
    guard FileManager.default.createFile(atPath: output, contents: Data(text.utf8)) else {
      throw UsageError(description: "--output \(output) cannot be written")
    }
    return 0
  }
}
