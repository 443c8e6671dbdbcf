internal import JSON
package import ProtocolSpec
package import YAML

/// Why a configuration cannot be used.
package enum ConfigurationError: Error, Sendable, CustomStringConvertible {
  case file(SourceError)
  case variable(name: String, message: String)

  package var description: String {
    switch self {
    case .file(let error): error.description
    case .variable(let name, let message): "environment variable \(name): \(message)"
    }
  }
}

/// The values of config.yaml and the environment, checked against `Spec/configuration.yaml`.
package struct Configuration: Sendable {
  /// By full key, `mcp_servers.openclaw.url` included; texts are checked and defaults filled in.
  private var values: [String: String] = [:]
  private var origins: [String: Origin] = [:]

  /// Where a value comes from.
  package enum Origin: Sendable, CustomStringConvertible {
    case standard
    case file(SourcePlace)
    case variable(String)

    package var description: String {
      switch self {
      case .standard: "default"
      case .file(let place): place.description
      case .variable(let name): name
      }
    }
  }

  /// - Parameters:
  ///   - file: the parsed config.yaml, or nil for none.
  ///   - environment: wins over the file, and fills `${VAR}` inside it.
  package init(
    file: YAMLNode?, environment: [String: String], keys: [ConfigurationKey]
  ) throws(ConfigurationError) {
    for key in keys { values[key.key] = key.fallback }
    if let file {
      do throws(SourceError) {
        try read(file, path: [], environment: environment, keys: keys)
      } catch {
        throw .file(error)
      }
    }
    for key in keys {
      for name in key.variables.reversed() {
        guard let text = environment[name], !text.isEmpty else { continue }
        if let problem = key.problem(with: text) { throw .variable(name: name, message: problem) }
        values[key.key] = text
        origins[key.key] = .variable(name)
      }
    }
  }

  private mutating func read(
    _ node: YAMLNode, path: [String], environment: [String: String], keys: [ConfigurationKey]
  ) throws(SourceError) {
    if node.json.isNull { return }
    for entry in try node.mapping() {
      let path = path + [entry.key]
      if let key = keys.first(where: { $0.matches(path) }) {
        guard !entry.value.json.isNull else { continue }
        let text =
          key.kind == .words
          ? try Self.words(of: entry.value, environment: environment)
          : try Self.text(of: entry.value, environment: environment)
        if let problem = key.problem(with: text) { throw entry.value.error(problem) }
        let name = key.isPattern ? path.joined(separator: ".") : key.key
        values[name] = text
        origins[name] = .file(entry.value.place)
      } else if keys.contains(where: { $0.isBelow(path) }) {
        try read(entry.value, path: path, environment: environment, keys: keys)
      } else {
        let known = Set(keys.compactMap { $0.name(below: path.dropLast()) }).sorted()
        throw node.error(unknown("key", entry.key, known: known), at: entry.keyPlace)
      }
    }
  }

  /// The text of a scalar, or of a list as it would stand in a variable: with commas.
  private static func text(of node: YAMLNode, environment: [String: String]) throws(SourceError) -> String {
    if let elements = node.elements {
      var parts: [String] = []
      for element in elements { parts.append(try text(of: element, environment: environment)) }
      return parts.joined(separator: ",")
    }
    guard node.entries == nil else { throw node.error("a single value is expected, not a mapping") }
    return try substituted(node.json.string ?? node.json.description, node, environment)
  }

  /// A list of words as JSON, so that none is cut where it has a comma; a single text as it is.
  private static func words(of node: YAMLNode, environment: [String: String]) throws(SourceError) -> String {
    guard let elements = node.elements else { return try text(of: node, environment: environment) }
    var words: [JSONValue] = []
    for element in elements { words.append(.string(try text(of: element, environment: environment))) }
    return JSONWriter.text(.array(words))
  }

  private static func substituted(
    _ text: String, _ node: YAMLNode, _ environment: [String: String]
  ) throws(SourceError) -> String {
    var output = ""
    var rest = text[...]
    while let open = rest.firstRange(of: "${") {
      output += rest[..<open.lowerBound]
      guard let close = rest[open.upperBound...].firstIndex(of: "}") else {
        throw node.error("\"${\" is not closed by \"}\"")
      }
      let name = String(rest[open.upperBound..<close])
      guard let value = environment[name] else {
        throw node.error("environment variable \(name) is not set")
      }
      output += value
      rest = rest[rest.index(after: close)...]
    }
    return output + rest
  }

  /// The value of a key, nil if it has neither value nor default.
  package subscript(key: String) -> String? { values[key] }

  /// Where the value of a key comes from.
  package func origin(of key: String) -> Origin { origins[key] ?? .standard }

  /// The names that stand for the `*` of `prefix.*`.
  package func names(under prefix: String) -> [String] {
    let start = prefix + "."
    let names = values.keys.filter { $0.hasPrefix(start) }
      .compactMap { $0.dropFirst(start.count).split(separator: ".").first.map(String.init) }
    return Set(names).subtracting(["*"]).sorted()
  }
}

extension ConfigurationKey {
  fileprivate var parts: [Substring] { key.split(separator: ".") }

  fileprivate var isPattern: Bool { key.contains("*") }

  fileprivate func matches(_ path: [String]) -> Bool {
    if path.count == 1, aliases.contains(path[0]) { return true }
    return path.count == parts.count && isBelow(path)
  }

  /// Whether `path` is the beginning of the key.
  fileprivate func isBelow(_ path: [String]) -> Bool {
    path.count <= parts.count && zip(path, parts).allSatisfy { $1 == "*" || $0 == $1 }
  }

  /// What may stand under `path` on the way to this key.
  fileprivate func name(below path: some Collection<String>) -> String? {
    guard path.count < parts.count, isBelow(Array(path)) else { return nil }
    return String(parts[path.count])
  }

  /// What is wrong with a value, nil if nothing is. Secrets are never repeated.
  fileprivate func problem(with text: String) -> String? {
    switch kind {
    case .int:
      let range = (minimum ?? .min)...(maximum ?? .max)
      if let value = Int(text), range.contains(value) { return nil }
      let bounds =
        maximum.map { "from \(minimum ?? 0) to \($0)" } ?? minimum.map { "of at least \($0)" } ?? ""
      return "\(key) must be a whole number \(bounds), not \"\(text)\""
    case .bool:
      return ["true", "false"].contains(text) ? nil : "\(key) must be true or false, not \"\(text)\""
    case .duration:
      guard let duration = Self.duration(text) else {
        return "\(key) must be a duration such as 250ms, 30s or 5m, not \"\(text)\""
      }
      // Probing again and again without a pause, or calls that have no time, help nobody.
      return duration < .milliseconds(1) ? "\(key) must be at least 1ms, not \"\(text)\"" : nil
    case .url:
      // They are not sent, but would be logged with the URL.
      if text.split(separator: "/").prefix(2).contains(where: { $0.contains("@") }) {
        return "\(key) must not hold a user name or password"
      }
      let isURL = ["http://", "https://"].contains { text.hasPrefix($0) && text.count > $0.count }
      return isURL ? nil : "\(key) must be a URL that begins with http:// or https://, not \"\(text)\""
    case .string, .path:
      if !oneOf.isEmpty, !oneOf.contains(text) {
        return "\(key) must be one of \(oneOf.joined(separator: ", ")), not \"\(text)\""
      }
      return text.isEmpty ? "\(key) must not be empty" : nil
    case .secret:
      let isClean = text.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value < 0x7F }
      return isClean ? nil : "\(key) must be printable ASCII without spaces"
    case .link: return ExecutorSettings.Place.problem(key: key, url: text)
    case .list, .words: return nil
    }
  }

  /// A duration, or a plain number of seconds.
  static func duration(_ text: String) -> Duration? {
    parseDuration(text) ?? Double(text).flatMap { $0 >= 0 && $0 < 1e9 ? .seconds($0) : nil }
  }
}
