package import JSON

/// A value of a YAML document with its place.
package struct YAMLNode: Sendable {
  package typealias Entry = (key: String, keyPlace: SourcePlace, value: YAMLNode)

  package enum Content: Sendable {
    case scalar(JSONValue)
    case sequence([YAMLNode])
    case mapping([Entry])
  }

  package let place: SourcePlace
  package let content: Content
  package let source: SourceText

  package init(_ content: Content, at place: SourcePlace, in source: SourceText) {
    self.content = content
    self.place = place
    self.source = source
  }

  /// The value without its places.
  package var json: JSONValue {
    switch content {
    case .scalar(let value): value
    case .sequence(let elements): .array(elements.map(\.json))
    case .mapping(let entries): .object(JSONObject(entries.lazy.map { ($0.key, $0.value.json) }))
    }
  }

  /// The value of `key` in a mapping; nil if it is absent or this is no mapping.
  package subscript(key: String) -> YAMLNode? {
    entries?.first { $0.key.isExactly(key) }?.value
  }

  package var elements: [YAMLNode]? {
    if case .sequence(let elements) = content { elements } else { nil }
  }

  package var entries: [Entry]? {
    if case .mapping(let entries) = content { entries } else { nil }
  }

  /// The node at `pointer`; nil if there is none.
  package func node(at pointer: JSONPointer) -> YAMLNode? {
    var node = self
    for token in pointer.tokens {
      guard let next = node.child(token) else { return nil }
      node = next
    }
    return node
  }

  /// The node at `pointer`, or the last one on the way to it.
  package func nearest(at pointer: JSONPointer) -> YAMLNode {
    var node = self
    for token in pointer.tokens {
      guard let next = node.child(token) else { return node }
      node = next
    }
    return node
  }

  /// The place of the key of the member at `pointer`, where that is a member of a mapping.
  package func keyPlace(at pointer: JSONPointer) -> SourcePlace? {
    guard let last = pointer.tokens.last else { return nil }
    let parent = node(at: JSONPointer(tokens: pointer.tokens.dropLast()))
    return parent?.entries?.first { $0.key.isExactly(last) }?.keyPlace
  }

  private func child(_ token: String) -> YAMLNode? {
    guard case .sequence(let elements) = content else { return self[token] }
    guard let index = JSONPointer.arrayIndex(token), index < elements.count else { return nil }
    return elements[index]
  }

  /// An error that shows this node's line.
  package func error(_ message: String) -> SourceError { source.error(message, at: place) }

  /// An error at another place of the same file, for instance that of a key.
  package func error(_ message: String, at place: SourcePlace) -> SourceError {
    source.error(message, at: place)
  }
}
