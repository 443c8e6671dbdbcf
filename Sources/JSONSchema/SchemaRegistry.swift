package import JSON

/// The documents that schemas may refer to, by URI: the metaschemas of both drafts, those added,
/// and what `fetch` finds.
package struct SchemaRegistry: Sendable {
  private var documents: [String: JSONValue] = [:]
  private let fetch: @Sendable (String) -> JSONValue?

  package init(
    _ documents: [String: JSONValue] = [:], fetch: @escaping @Sendable (String) -> JSONValue? = { _ in nil }
  ) {
    self.fetch = fetch
    for (uri, document) in documents { add(document, uri: uri) }
  }

  package mutating func add(_ document: JSONValue, uri: String) {
    documents[URIReference(uri).withoutFragment] = document
  }

  /// The document at `uri`, which has no fragment.
  func document(_ uri: String) -> JSONValue? {
    documents[uri] ?? Metaschemas.documents[uri] ?? fetch(uri)
  }
}
