import Foundation

/// `EmbedTool NAME FOLDER OUTPUT FILE…` writes a Swift source with the text of each file:
/// `enum EmbeddedNAME { static let files: [(path: String, text: String)] }`.
@main
struct EmbedTool {
  static func main() throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard arguments.count >= 3 else {
      FileHandle.standardError.write(Data("usage: EmbedTool NAME FOLDER OUTPUT FILE…\n".utf8))
      exit(2)
    }
    let folder = URL(filePath: arguments[1], directoryHint: .isDirectory)
    var source = "enum Embedded\(arguments[0]) {\n  static let files: [(path: String, text: String)] = [\n"
    for file in arguments.dropFirst(3) {
      let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
      source += "    (path: \(literal(file)), text: \(literal(text))),\n"
    }
    source += "  ]\n}\n"
    try source.write(to: URL(filePath: arguments[2]), atomically: true, encoding: .utf8)
  }

  /// A Swift string literal on one line, with all that could end or change it escaped.
  static func literal(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        quoted += "\\u{\(String(scalar.value, radix: 16))}"
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
