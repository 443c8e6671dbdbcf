import YAML

/// A command line that cannot be followed; the program ends with exit code 2.
struct UsageError: Error, CustomStringConvertible {
  let description: String
}

/// One flag of a command; `value` names what it takes, nil for a switch.
struct Flag {
  let name: String
  let value: String?
  let summary: String
  var isRepeatable = false
}

/// The flags of a command line by their names, and what stands beside them.
struct Arguments {
  private var values: [String: [String]] = [:]
  private(set) var operands: [String] = []

  init(_ words: [String], of type: any Command.Type) throws(UsageError) {
    let (flags, command) = (type.flags, type.name)
    var rest = words[...]
    while let word = rest.popFirst() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let name = parts.first ?? word
      guard name.hasPrefix("-") else {
        if type.operand != nil {
          operands.append(word)
          continue
        }
        throw UsageError(
          description: "unexpected argument \"\(word)\"; see omni-conformance \(command) --help")
      }
      guard let flag = flags.first(where: { $0.name == name }) else {
        let message = unknown("flag", name, known: flags.map(\.name))
        throw UsageError(description: "\(message); see omni-conformance \(command) --help")
      }
      if values[name] != nil && !flag.isRepeatable { throw UsageError(description: "\(name) stands twice") }
      guard flag.value != nil else {
        guard parts.count == 1 else { throw UsageError(description: "\(name) takes no value") }
        values[name] = [""]
        continue
      }
      guard let value = parts.count == 2 ? parts[1] : rest.popFirst(), !value.isEmpty else {
        throw UsageError(description: "\(name) needs a value: \(name) \(flag.value ?? "")")
      }
      values[name, default: []].append(value)
    }
  }

  func has(_ name: String) -> Bool { values[name] != nil }
  func all(_ name: String) -> [String] { values[name] ?? [] }
  subscript(name: String) -> String? { values[name]?.last }

  /// A value out of a few; nil where the flag is not given.
  func choice(_ name: String, among known: [String]) throws(UsageError) -> String? {
    guard let value = self[name] else { return nil }
    guard known.contains(value) else {
      throw UsageError(
        description: unknown(String(name.trimmingPrefix("--")), value, known: known))
    }
    return value
  }
}
