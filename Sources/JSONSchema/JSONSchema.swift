package import JSON

/// The drafts of JSON Schema that are understood.
package enum SchemaDraft: String, Sendable {
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case draft2020_12 = "https://json-schema.org/draft/2020-12/schema"
  case draft7 = "http://json-schema.org/draft-07/schema"
}

/// Why a document is no usable schema.
package struct SchemaError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The document, if it has a URI, and the pointer to the faulty part.
  package let document: String
  package let pointer: JSONPointer
  package let reason: String

  package var description: String { "\(document)#\(pointer): \(reason)" }
}

/// One way in which a value breaks a schema.
package struct SchemaViolation: Sendable, Hashable, CustomStringConvertible {
  /// The part of the value at fault; for a missing property the object that lacks it, for one
  /// that is not allowed that property.
  package let instance: JSONPointer
  /// The absolute location of the keyword: `https://example.com/schema#/properties/a/minLength`.
  package let schema: String
  package let keyword: String
  /// What is wrong, in plain English.
  package let message: String
  /// The property that is missing or not allowed.
  package let property: String?

  package var description: String {
    let place = instance.description
    return place.isEmpty ? message : "\(place): \(message)"
  }
}

/// A compiled JSON Schema, draft 2020-12 or 7: compile once, validate many times.
///
/// `format` and the content keywords are annotations (2020-12 Validation §7.2.1, §8).
package struct JSONSchema: Sendable {
  private let program: SchemaProgram

  /// Violations collected at most; more help nobody and cost memory.
  package static let violationLimit = 64

  /// Compiles `schema` and everything it refers to.
  ///
  /// - Parameters:
  ///   - baseURI: where the document comes from; references are resolved against it.
  ///   - defaultDraft: the draft of documents that do not say theirs by `$schema`.
  ///   - registry: where other documents are found.
  package init(
    _ schema: JSONValue, baseURI: String? = nil, defaultDraft: SchemaDraft = .draft2020_12,
    registry: SchemaRegistry = SchemaRegistry()
  ) throws(SchemaError) {
    program = try SchemaCompiler.compile(
      schema, baseURI: baseURI ?? "", defaultDraft: defaultDraft, registry: registry)
  }

  /// All violations in a fixed order, at most `violationLimit`; none if the value is valid.
  package func validate(_ value: JSONValue) -> [SchemaViolation] {
    isValid(value) ? [] : violations(of: value, limit: Self.violationLimit)
  }

  /// Whether the value is valid; stops at the first violation.
  package func isValid(_ value: JSONValue) -> Bool {
    var evaluator = SchemaEvaluator(program, limit: 0)
    return evaluator.run(value)
  }

  /// The first of `validate`; nil if the value is valid.
  package func firstViolation(_ value: JSONValue) -> SchemaViolation? {
    isValid(value) ? nil : violations(of: value, limit: 1).first
  }

  // A second pass: only what is invalid pays for pointers and messages.
  private func violations(of value: JSONValue, limit: Int) -> [SchemaViolation] {
    var evaluator = SchemaEvaluator(program, limit: limit)
    _ = evaluator.run(value)
    return evaluator.violations
  }
}
