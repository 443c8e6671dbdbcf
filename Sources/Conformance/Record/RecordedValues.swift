import Foundation
internal import JSON

/// Turns values of a recording into what a transcript says about them: what another run would
/// choose anew is captured, what it would measure anew has its type, the rest stays as it was.
struct RecordedValues {
  private let secrets: NamedSecrets
  /// Texts of the server that the client says later.
  private let reused: Set<String>
  /// Names of captures by what they stand for.
  private var names: [String: String] = [:]
  /// What of them may stand inside other texts, in the order of their capture.
  private var embeddable: [(text: String, name: String)] = []
  private var counts: [String: Int] = [:]

  /// A text shorter than this inside another is there by chance.
  private static let shortestInside = 8

  init(secrets: NamedSecrets, reused: Set<String>) {
    self.secrets = secrets
    self.reused = reused
  }

  /// A name that no capture has: `task`, then `task2`.
  mutating func newName(_ base: String) -> String {
    counts[base, default: 0] += 1
    let count = counts[base] ?? 1
    return count == 1 && base != "id" ? base : "\(base)\(count)"
  }

  /// The name of the capture of `text`, if there is one.
  func name(of text: String) -> String? { names[text] }

  /// Whether the client says this text of the server later.
  func isReused(_ text: String) -> Bool { reused.contains(text) }

  /// A value without a schema.
  mutating func plain(_ value: JSONValue, key: String = "", _ place: RecordedPlace) throws(RecordingProblem)
    -> JSONValue
  {
    switch value {
    case .null, .bool, .number: return value
    case .string(let text): return try self.text(text, key: key, place)
    case .array(let elements):
      var list: [JSONValue] = []
      for (index, element) in elements.enumerated() {
        list.append(try plain(element, key: key, place.appending(index)))
      }
      return .array(list)
    case .object(let object):
      guard !object.hasMatcherKeys else {
        try check(value, place)
        return ["$exactly": value]
      }
      var members = JSONObject()
      for (key, member) in object {
        try check(key: key, place)
        members[key] = try plain(member, key: key, place.appending(key))
      }
      return .object(members)
    }
  }

  /// A text: a capture, a time, or itself with what is captured or secret inside.
  mutating func text(_ text: String, key: String, _ place: RecordedPlace) throws(RecordingProblem)
    -> JSONValue
  {
    let pieces = secrets.pieces(text)
    if pieces.contains(where: { if case .secret = $0 { true } else { false } }) {
      return try joined(pieces, place)
    }
    if let name = names[text] { return ["$ref": .string(name)] }
    if TextForms.isUUID(text) { return capture(text, "uuid", key) }
    if place.isServer, reused.contains(text) { return capture(text, "string", key) }
    if TextForms.isTimestamp(text) { return ["$type": "timestamp", "$say": .string(text)] }
    return try joined(pieces, place)
  }

  /// A text in which only secrets are replaced.
  func secretsNamed(_ text: String, _ place: RecordedPlace) throws(RecordingProblem) -> JSONValue {
    try joined(secrets.pieces(text), place)
  }

  /// A text of which only the kind is the protocol's.
  mutating func free(_ text: String, key: String, _ place: RecordedPlace) throws(RecordingProblem)
    -> JSONValue
  {
    let value = try self.text(text, key: key, place)
    if let object = value.object, object.contains("$ref") || object.contains("$type") { return value }
    return ["$type": "string", "$say": value]
  }

  /// A text that each run chooses anew, captured so that it is recognised.
  mutating func chosen(_ text: String, key: String, _ place: RecordedPlace) throws(RecordingProblem)
    -> JSONValue
  {
    if let name = names[text] { return ["$ref": .string(name)] }
    let value = try joined(secrets.pieces(text), place)
    return value.string == nil ? value : capture(text, "string", key)
  }

  private mutating func capture(_ text: String, _ type: String, _ key: String) -> JSONValue {
    let base = key.hasSuffix("_id") ? String(key.dropLast(3)) : key.isEmpty ? "value" : key
    let name = newName(base)
    names[text] = name
    if text.utf8.count >= Self.shortestInside { embeddable.append((text, name)) }
    return ["$type": .string(type), "$as": .string(name)]
  }

  private func joined(_ pieces: [NamedSecrets.Piece], _ place: RecordedPlace) throws(RecordingProblem)
    -> JSONValue
  {
    var parts: [JSONValue] = []
    for piece in pieces {
      switch piece {
      case .secret(let name): parts.append(["$secret": .string(name)])
      case .text(let text):
        // `Bearer ` before a named secret is no secret itself.
        guard !secrets.looksSecret(text) else { throw .secret(at: place.path, in: place.what) }
        parts += cut(text)
      }
    }
    if parts.isEmpty { return "" }
    return parts.count == 1 ? parts[0] : ["$join": .array(parts)]
  }

  /// `text` with references where captured texts stand in it.
  private func cut(_ text: String) -> [JSONValue] {
    var parts: [JSONValue] = [.string(text)]
    for (value, name) in embeddable where text.utf8.count > value.utf8.count && text.contains(value) {
      parts = parts.flatMap { part -> [JSONValue] in
        guard let text = part.string, text.contains(value) else { return [part] }
        let pieces = text.components(separatedBy: value)
        return pieces.enumerated().flatMap { place, piece -> [JSONValue] in
          let text: [JSONValue] = piece.isEmpty ? [] : [.string(piece)]
          return place == 0 ? text : [["$ref": .string(name)]] + text
        }
      }
    }
    return parts
  }

  /// What is written as it stands must hold no secret.
  func check(_ value: JSONValue, _ place: RecordedPlace) throws(RecordingProblem) {
    try check(key: JSONWriter.text(value), place)
  }

  func check(key text: String, _ place: RecordedPlace) throws(RecordingProblem) {
    guard !secrets.looksSecret(text), secrets.isLeaked(in: text) == nil else {
      throw .secret(at: place.path, in: place.what)
    }
  }
}

extension JSONObject {
  /// Whether a transcript would take it for a matcher.
  var hasMatcherKeys: Bool { keys.contains { $0.hasPrefix("$") } }
}

/// Where a value stands in a recording, for messages.
struct RecordedPlace {
  /// `client's message 3 on connection 1`
  let what: String
  let isServer: Bool
  var path = JSONPointer()

  func appending(_ key: String) -> RecordedPlace {
    var place = self
    place.path = path.appending(key)
    return place
  }

  func appending(_ index: Int) -> RecordedPlace {
    var place = self
    place.path = path.appending(index)
    return place
  }
}
