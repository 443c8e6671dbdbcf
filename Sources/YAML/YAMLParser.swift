import Foundation
internal import JSON

/// What a reader of YAML accepts at most.
package struct YAMLLimits: Sendable {
  package var bytes: Int
  /// How deep nodes may be nested; the top node has depth 1.
  package var depth: Int
  /// Scalars, sequences and mappings of a document, keys not counted.
  package var nodes: Int

  package init(bytes: Int = 4 << 20, depth: Int = 64, nodes: Int = 200_000) {
    self.bytes = bytes
    self.depth = depth
    self.nodes = nodes
  }
}

/// Reads a strict subset of YAML: one document, the core schema of YAML 1.2, no anchors, aliases,
/// tags, directives, merge keys or duplicate keys.
package enum YAMLParser {
  package static func parse(
    _ text: String, file: String, limits: YAMLLimits = YAMLLimits()
  ) throws(SourceError) -> YAMLNode {
    // A byte order mark is not part of the text (YAML 1.2 §5.2).
    let text = text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    let source = SourceText(text, file: file)
    let bytes = Array(text.utf8)
    let start = SourcePlace(file: file, line: 1, column: 1)
    guard bytes.count <= limits.bytes else {
      throw SourceError(place: start, message: "the file has \(bytes.count) bytes, limit \(limits.bytes)")
    }
    return try bytes.withUnsafeBufferPointer { buffer throws(SourceError) in
      guard let events = YAMLEvents(buffer, source: source) else {
        throw source.error("out of memory", at: start)
      }
      var reader = TreeReader(events: events, source: source, limits: limits)
      return try reader.document()
    }
  }

  package static func parse(
    contentsOf path: String, limits: YAMLLimits = YAMLLimits()
  ) throws(SourceError) -> YAMLNode {
    let start = SourcePlace(file: path, line: 1, column: 1)
    let data: Data
    do {
      let file = try FileHandle(forReadingFrom: URL(filePath: path))
      defer { try? file.close() }
      // One byte past the limit is enough to know that it is passed.
      data = try file.read(upToCount: limits.bytes + 1) ?? Data()
    } catch {
      throw SourceError(place: start, message: "cannot be read: \(error.localizedDescription)")
    }
    guard data.count <= limits.bytes else {
      throw SourceError(place: start, message: "the file has more than \(limits.bytes) bytes")
    }
    return try parse(bytes: Array(data), file: path, limits: limits)
  }

  package static func parse(
    bytes: [UInt8], file: String, limits: YAMLLimits = YAMLLimits()
  ) throws(SourceError) -> YAMLNode {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      let source = SourceText(String(decoding: bytes, as: UTF8.self), file: file)
      throw source.error("not UTF-8", at: source.place(ofByte: validPrefix(bytes)))
    }
    return try parse(text, file: file, limits: limits)
  }

  /// How many bytes before the first that is no UTF-8.
  private static func validPrefix(_ bytes: [UInt8]) -> Int {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var valid = 0
    while case .scalarValue(let scalar) = decoder.decode(&iterator) { valid += UTF8.width(scalar) }
    return valid
  }
}

/// Builds the tree from the events; recursion ends at the depth limit.
private struct TreeReader {
  let events: YAMLEvents
  let source: SourceText
  let limits: YAMLLimits
  private var nodes = 0

  init(events: YAMLEvents, source: SourceText, limits: YAMLLimits) {
    self.events = events
    self.source = source
    self.limits = limits
  }

  mutating func document() throws(SourceError) -> YAMLNode {
    _ = try events.next()
    let start = try events.next()
    guard case .documentStart(let hasDirectives) = start.kind else {
      throw fault("the document is empty", start)
    }
    guard !hasDirectives else { throw fault("directives are not allowed", start) }
    let node = try node(events.next(), depth: 1)
    _ = try events.next()
    let end = try events.next()
    guard end.kind == .streamEnd else { throw fault("a second document is not allowed", end) }
    return node
  }

  private mutating func node(_ event: YAMLEvents.Event, depth: Int) throws(SourceError) -> YAMLNode {
    nodes += 1
    guard nodes <= limits.nodes else { throw fault("more than \(limits.nodes) nodes", event) }
    guard depth <= limits.depth else { throw fault("nested deeper than \(limits.depth)", event) }
    let content: YAMLNode.Content
    switch event.kind {
    case .scalar(let text, let isPlain, let properties):
      try check(properties, event)
      content = .scalar(isPlain ? try plain(text, event) : .string(text))
    case .sequenceStart(let properties):
      try check(properties, event)
      content = .sequence(try elements(depth: depth + 1))
    case .mappingStart(let properties):
      try check(properties, event)
      content = .mapping(try entries(depth: depth + 1))
    case .alias: throw fault("aliases are not allowed", event)
    default: throw fault("a value is expected", event)
    }
    return YAMLNode(content, at: event.place, in: source)
  }

  private mutating func elements(depth: Int) throws(SourceError) -> [YAMLNode] {
    var elements: [YAMLNode] = []
    while true {
      let event = try events.next()
      if event.kind == .sequenceEnd { return elements }
      elements.append(try node(event, depth: depth))
    }
  }

  private mutating func entries(depth: Int) throws(SourceError) -> [YAMLNode.Entry] {
    var entries: [YAMLNode.Entry] = []
    var lines: [ExactText: Int] = [:]
    while true {
      let event = try events.next()
      if event.kind == .mappingEnd { return entries }
      let key = try key(event)
      if let line = lines.updateValue(event.place.line, forKey: ExactText(key)) {
        throw fault("the key \(JSONWriter.text(.string(key))) stands twice, first in line \(line)", event)
      }
      entries.append((key, event.place, try node(events.next(), depth: depth)))
    }
  }

  private func key(_ event: YAMLEvents.Event) throws(SourceError) -> String {
    switch event.kind {
    case .scalar(let text, let isPlain, let properties):
      try check(properties, event)
      guard isPlain else { return text }
      guard text != "<<" else { throw fault("merge keys are not allowed", event) }
      switch try plain(text, event) {
      case .null: throw fault("a key must be a string, found null", event)
      case .bool: throw fault("a key must be a string, found \(text): quote it", event)
      default: return text
      }
    case .alias: throw fault("aliases are not allowed", event)
    case .sequenceStart: throw fault("a key must be a string, found a sequence", event)
    default: throw fault("a key must be a string, found a mapping", event)
    }
  }

  private func plain(_ text: String, _ event: YAMLEvents.Event) throws(SourceError) -> JSONValue {
    do {
      return try YAMLScalar.value(plain: text)
    } catch {
      throw fault(error.message, event)
    }
  }

  private func check(_ properties: YAMLEvents.Properties, _ event: YAMLEvents.Event) throws(SourceError) {
    if properties.hasAnchor { throw fault("anchors are not allowed", event) }
    if properties.hasTag { throw fault("tags are not allowed", event) }
  }

  private func fault(_ message: String, _ event: YAMLEvents.Event) -> SourceError {
    source.error(message, at: event.place)
  }
}
