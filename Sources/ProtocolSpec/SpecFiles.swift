import Foundation
package import YAML

/// The files of `Spec/`: those of a folder, or the copy in the binary.
package struct SpecFiles: Sendable {
  private let texts: [String: String]
  /// What stands before a file's name in messages: `Spec/` or the folder that was given.
  private let prefix: String
  private let unreadable: SourceError?

  /// The copy that was built into the binary.
  package static let embedded = SpecFiles(
    texts: Dictionary(
      EmbeddedSpec.files.filter { $0.path.hasSuffix(".yaml") }.map { ($0.path, $0.text) }
    ) { first, _ in first }, prefix: "Spec/")

  /// The published schemas of the formats, by their paths below `Spec/`.
  package static var schemas: [String: String] {
    Dictionary(
      EmbeddedSpec.files.filter { $0.path.hasSuffix(".schema.json") }.map { ($0.path, $0.text) }
    ) { first, _ in first }
  }

  /// All of them, by name.
  package var paths: [String] { texts.keys.sorted() }

  package init(texts: [String: String], prefix: String) {
    self.texts = texts
    self.prefix = prefix
    unreadable = nil
  }

  /// Reads every `.yaml` file below `directory`.
  package init(directory: String) {
    prefix = directory.hasSuffix("/") ? directory : directory + "/"
    var texts: [String: String] = [:]
    var problem: String?
    do {
      for path in try FileManager.default.subpathsOfDirectory(atPath: directory)
      where path.hasSuffix(".yaml") {
        texts[path] = try String(contentsOfFile: prefix + path, encoding: .utf8)
      }
      if texts.isEmpty { problem = "there is no specification here: the folder holds no .yaml file" }
    } catch {
      problem = "there is no specification here: the folder cannot be read"
    }
    self.texts = texts
    unreadable = problem.map {
      SourceError(place: SourcePlace(file: directory, line: 1, column: 1), message: $0)
    }
  }

  package func node(_ path: String) throws(SourceError) -> YAMLNode {
    if let unreadable { throw unreadable }
    guard let text = texts[path] else {
      throw SourceError(
        place: SourcePlace(file: prefix + path, line: 1, column: 1),
        message: "this file of the specification is missing")
    }
    let node = try YAMLParser.parse(text, file: prefix + path)
    let format = try node.required("format")
    guard try format.int() == 1 else {
      throw format.error("format \(format.json) is not known, this is for 1")
    }
    return node
  }

  /// The files directly in `folder`, by name.
  package func list(_ folder: String) throws(SourceError) -> [String] {
    if let unreadable { throw unreadable }
    return texts.keys.filter { $0.hasPrefix(folder + "/") }.sorted()
  }
}
