import Conformance
import ProtocolSpec
import YAML

/// The specification and the selected cases, as the flags ask for them.
struct CaseSource {
  let spec: Specification
  let profile: Profile
  let cases: [TranscriptCase]
  /// Those of the profile, selected or not.
  let all: [TranscriptCase]
  /// The flags that lead to the same cases again, but for `--run` and `--skip`.
  let flags: String
  /// Patterns of `--run` that no case is like.
  let unmatched: [String]

  /// - Parameters:
  ///   - usual: the profile of who names none.
  ///   - run: patterns beside those of `--run`.
  init(_ arguments: Arguments, profile usual: String = "reference", run: [String] = []) throws {
    let spec = try Specification.load(directory: arguments["--spec"])
    let name = arguments["--profile"] ?? usual
    guard let profile = spec.profile(named: name) else {
      throw UsageError(description: unknown("profile", name, known: spec.profiles.map(\.name)))
    }
    let files = try arguments["--fixtures"].map(FixtureFiles.init(directory:)) ?? .embedded
    // A folder of one's own need not have the layout of the kit.
    let isKit =
      !arguments.has("--fixtures")
      || profile.fixtures.contains { folder in files.files.contains { $0.path.hasPrefix(folder + "/") } }
    let all = try FixtureSet(files, folders: isKit ? profile.fixtures : [""], spec: spec).cases
    let selection = Selection(run: arguments.all("--run") + run, skip: arguments.all("--skip"))
    unmatched = selection.run.filter { pattern in !all.contains { Selection.matches($0.id, pattern) } }
    self.all = all
    self.spec = spec
    self.profile = profile
    cases = all.filter(selection.includes)
    flags = ["--profile", "--fixtures", "--spec"].compactMap { name in
      arguments[name].map { " \(name) \(shellQuoted($0))" }
    }.joined()
  }

  /// Cases that stand in no file yet.
  init(_ arguments: Arguments, spec: Specification, cases all: [TranscriptCase]) throws {
    guard let profile = spec.profile(named: "reference") else {
      throw UsageError(description: unknown("profile", "reference", known: spec.profiles.map(\.name)))
    }
    let selection = Selection(run: arguments.all("--run"), skip: arguments.all("--skip"))
    unmatched = selection.run.filter { pattern in !all.contains { Selection.matches($0.id, pattern) } }
    self.all = all
    self.spec = spec
    self.profile = profile
    cases = all.filter(selection.includes)
    flags = arguments["--spec"].map { " --spec \(shellQuoted($0))" } ?? ""
  }

  /// Why what was asked for is not there; nil if all of it is.
  var nothingSelected: String? {
    if let pattern = unmatched.first {
      // A long list of cases would hide the message.
      let known = pattern.contains("*") || pattern.contains("?") ? [] : all.map(\.id)
      let message = unknown("case", pattern, known: known)
      return "nothing selected: \(message.prefix(200)); see omni-conformance list"
    }
    return cases.isEmpty ? "nothing selected: see omni-conformance list" : nil
  }
}

/// A word as a shell takes it.
func shellQuoted(_ text: String) -> String {
  let isPlain = text.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "-_./:=@%+,".utf8.contains(byte)
    }
  }
  return isPlain && !text.isEmpty ? text : "'\(text.replacing("'", with: "'\\''"))'"
}
