import Foundation
package import YAML

/// The one layout of the files that people write for the kit.
package enum FileLayout {
  /// The keys of a file of transcripts.
  private static let head = [
    "format", "suite", "dialect", "transports", "begin", "client", "needs", "defaults", "cases",
  ]
  private static let cases = [
    "id", "title", "covers", "level", "play", "dialect", "transports", "begin", "client", "fresh", "needs",
    "alone",
    "environment",
    "background", "then", "arm", "steps", "observe",
  ]
  /// What a step does, what belongs to it, and what all steps can have.
  private static let steps = [
    "poll", "connect", "http", "await-request", "client", "server", "accepted", "refused", "answer", "*",
    "conn", "notBefore", "within", "level", "why",
  ]

  /// - Throws: what is no YAML, or can only be laid out by changing what it says.
  package static func text(_ text: String, file: String) throws(SourceError) -> String {
    let node = try YAMLParser.parse(text, file: file)
    var layout = YAMLLayout()
    if Linter.kind(of: node) == .transcript {
      layout.joined = ["client", "server", "covers"]
      layout.opened = ["cases", "steps"]
      layout.isSpaced = { $0 == ["cases"] }
      layout.order = { path in
        switch path {
        case []: head
        case ["cases", "-"]: cases
        case ["cases", "-", "steps", "-"]: steps
        default: nil
        }
      }
    }
    return try layout.text(text, file: file)
  }

  /// The files of these names and all of the kit's files below these folders; a specification is laid
  /// out by hand.
  package static func files(_ paths: [String]) throws(SourceError) -> [String] {
    var all: [String] = []
    for path in paths {
      guard Linter.isFolder(path) else {
        all.append(path)
        continue
      }
      for file in try Linter.files(below: path) where Linter.specification(around: file, upTo: path) == nil {
        guard let node = try? YAMLParser.parse(contentsOf: file), Linter.kind(of: node) != nil else {
          continue
        }
        all.append(file)
      }
    }
    return all
  }
}
