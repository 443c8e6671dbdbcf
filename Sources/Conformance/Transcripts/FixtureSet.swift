import Foundation
internal import JSON
package import ProtocolSpec
package import YAML

/// The texts of `Fixtures/`: those of a folder, or the copy in the binary.
package struct FixtureFiles: Sendable {
  package let files: [(path: String, text: String)]
  /// What stands before a file's name in messages.
  package let prefix: String

  package static let embedded = FixtureFiles(files: EmbeddedFixtures.files, prefix: "Fixtures/")

  package init(files: [(path: String, text: String)], prefix: String) {
    self.files = files
    self.prefix = prefix
  }

  /// Reads every `.yaml` file below `directory`.
  package init(directory: String) throws(SourceError) {
    prefix = directory.hasSuffix("/") ? directory : directory + "/"
    func problem(_ file: String, _ message: String) -> SourceError {
      SourceError(place: SourcePlace(file: file, line: 1, column: 1), message: message)
    }
    guard let paths = try? FileManager.default.subpathsOfDirectory(atPath: directory) else {
      throw problem(directory, "there are no fixtures here: the folder cannot be read")
    }
    var files: [(path: String, text: String)] = []
    for path in paths.filter({ $0.hasSuffix(".yaml") }).sorted() {
      guard let text = try? String(contentsOfFile: prefix + path, encoding: .utf8) else {
        throw problem(prefix + path, "cannot be read as UTF-8")
      }
      files.append((path, text))
    }
    guard !files.isEmpty else {
      throw problem(directory, "there are no fixtures here: the folder holds no .yaml file")
    }
    self.files = files
  }

  /// The files directly in one of `folders`, in their order; a folder may be the top itself.
  func inFolders(_ folders: [String]) -> [(path: String, text: String)] {
    files.filter { file in
      let parts = file.path.split(separator: "/")
      return folders.contains(parts.dropLast().joined(separator: "/"))
    }
  }
}

/// Everything that is wrong with the fixtures: one error for each case or file.
package struct FixtureErrors: Error, CustomStringConvertible {
  package let all: [SourceError]
  package var description: String { all.map(\.description).joined(separator: "\n") }
}

/// The cases of some folders of fixtures.
package struct FixtureSet: Sendable {
  package let cases: [TranscriptCase]

  package init(_ files: FixtureFiles, folders: [String], spec: Specification) throws(FixtureErrors) {
    var cases: [TranscriptCase] = []
    var errors: [SourceError] = []
    var places: [String: SourcePlace] = [:]
    for file in files.inFolders(folders) {
      do throws(SourceError) {
        let node = try YAMLParser.parse(file.text, file: files.prefix + file.path)
        var reader = try TranscriptReader(node, spec: spec)
        reader.read(node, places: &places)
        cases += reader.cases
        errors += reader.errors
      } catch {
        errors.append(error)
      }
    }
    guard errors.isEmpty else { throw FixtureErrors(all: errors) }
    self.cases = cases
  }
}
