import Foundation
internal import JSON
internal import JSONSchema
package import ProtocolSpec
package import YAML

/// Finds all mistakes of transcripts, target and client files, lists of known failures and specifications at once.
package struct Linter {
  package private(set) var report = LintReport()
  private let given: Specification?

  /// - Parameter spec: what transcripts are held against; nil: the specification that is checked with
  ///   them, or the one inside the program.
  package init(spec: Specification? = nil) { given = spec }

  /// What a file of the kit can be.
  package enum Kind { case transcript, target, client, baseline, survivors }

  /// Checks what is inside the program.
  package mutating func checkEmbedded() throws(SourceError) {
    check(.embedded)
    check(try spec(nil), FixtureFiles.embedded.files.map { ("Fixtures/" + $0.path, $0.text) })
    report.sort()
  }

  /// Checks files and all `.yaml` files below folders.
  package mutating func check(paths: [String]) throws(SourceError) {
    var roots: [String] = []
    var texts: [(path: String, text: String)] = []
    for path in paths {
      let isFolder = Self.isFolder(path)
      for file in isFolder ? try Self.files(below: path) : [path] {
        if let root = Self.specification(around: file, upTo: isFolder ? path : nil) {
          if !roots.contains(root) { roots.append(root) }
          continue
        }
        guard let text = read(file), !texts.contains(where: { $0.path == file }) else { continue }
        // A folder may hold other YAML; a file that is named is meant.
        if isFolder, (try? YAMLParser.parse(text, file: file)).map({ Self.kind(of: $0) == nil }) == true {
          continue
        }
        texts.append((file, text))
      }
    }
    var own: Specification?
    for root in roots {
      let files = SpecFiles(directory: root)
      check(files)
      own = own ?? (try? Specification(files: files))
    }
    check(try spec(own), texts)
    report.sort()
  }

  private func spec(_ own: Specification?) throws(SourceError) -> Specification {
    if let spec = given ?? own { return spec }
    return try .load()
  }

  // MARK: Files

  static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  private static func problem(_ file: String, _ message: String) -> SourceError {
    SourceError(place: SourcePlace(file: file, line: 1, column: 1), message: message)
  }

  static func files(below folder: String) throws(SourceError) -> [String] {
    guard let paths = try? FileManager.default.subpathsOfDirectory(atPath: folder) else {
      throw problem(folder, "the folder cannot be read")
    }
    let prefix = folder.hasSuffix("/") ? folder : folder + "/"
    return paths.filter { path in
      path.hasSuffix(".yaml") && !path.split(separator: "/").contains { $0.hasPrefix(".") }
    }.sorted().map { prefix + $0 }
  }

  /// The folder of the specification that a file is part of.
  static func specification(around file: String, upTo top: String?) -> String? {
    var folder = URL(filePath: file).deletingLastPathComponent().relativePath
    // A specification has one level of folders.
    for _ in 0..<2 {
      if FileManager.default.fileExists(atPath: folder + "/protocol.yaml") { return folder }
      folder = URL(filePath: folder).deletingLastPathComponent().relativePath
    }
    return nil
  }

  private mutating func read(_ file: String) -> String? {
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
      report.read()
      report.add(.error, [Self.problem(file, "cannot be read as UTF-8")])
      return nil
    }
    return text
  }

  /// What the keys of a file say that it is.
  package static func kind(of node: YAMLNode) -> Kind? {
    func has(_ key: String) -> Bool { node[key] != nil }
    if has("suite") || has("dialect") { return .transcript }
    if has("url") { return .target }
    if has("exec") || has("idles") || has("methods") { return .client }
    if has("survivors") { return .survivors }
    return has("cases") ? .baseline : nil
  }

  // MARK: Checks

  private mutating func check(_ spec: Specification, _ files: [(path: String, text: String)]) {
    // Two folders may be of two profiles, and both have a case of the same name.
    var places: [String: [String: SourcePlace]] = [:]
    for file in files {
      report.read()
      let folder = URL(filePath: file.path).deletingLastPathComponent().path
      do throws(SourceError) {
        let node = try YAMLParser.parse(file.text, file: file.path)
        switch Self.kind(of: node) {
        case .transcript: try transcript(node, spec, &places[folder, default: [:]])
        case .target: _ = try TargetDescription(node)
        case .client: _ = try ClientDescription(node, spec: spec)
        case .baseline:
          var baseline = Baseline()
          try baseline.add(node, as: .failing)
        case .survivors: _ = try Survivors(node)
        case nil:
          throw node.error(
            "neither a transcript (suite), a target (url), a client (exec), a list of known failures (cases)"
              + " or of survivors (survivors), nor part of a specification (beside protocol.yaml)")
        }
      } catch {
        report.add(.error, [error])
      }
    }
  }

  private mutating func transcript(
    _ node: YAMLNode, _ spec: Specification, _ places: inout [String: SourcePlace]
  ) throws(SourceError) {
    var reader = try TranscriptReader(node, spec: spec)
    reader.read(node, places: &places)
    report.add(.error, reader.errors)
    // What is wrong is not also odd.
    let broken = Set(reader.errors.map(\.place.line))
    for entry in node["cases"]?.elements ?? [] where reader.cases.contains(where: { $0.place == entry.place })
    {
      report.add(.warning, CaseRemarks(entry).all.filter { !broken.contains($0.place.line) })
    }
  }

  /// The reader stops at the first mistake; the schema of the format finds the others.
  private mutating func check(_ files: SpecFiles) {
    report.read(files.paths.count)
    var errors: [SourceError] = []
    do throws(SourceError) {
      _ = try Specification(files: files)
    } catch {
      errors.append(error)
    }
    if !errors.isEmpty, let schema = try? FormatSchema.specification.compiled() {
      for path in files.paths {
        do throws(SourceError) {
          let node = try files.node(path)
          errors += schema.validate(node.json).map { FormatSchema.error($0, in: node) }
        } catch {
          errors.append(error)
        }
      }
    }
    do throws(SourceError) {
      _ = try CoverageExclusion.list(files)
    } catch {
      errors.append(error)
    }
    // One line has one message: the reader's, which knows more.
    var lines: Set<SourcePlace> = []
    report.add(
      .error,
      errors.filter { error in
        lines.insert(SourcePlace(file: error.place.file, line: error.place.line, column: 0)).inserted
      })
  }
}
