internal import CYAML

/// The events of libyaml over one text, as Swift values.
final class YAMLEvents {
  enum Kind: Equatable {
    case streamStart, streamEnd, documentEnd, sequenceEnd, mappingEnd
    case documentStart(hasDirectives: Bool)
    case alias
    case scalar(String, isPlain: Bool, Properties)
    case sequenceStart(Properties)
    case mappingStart(Properties)
  }

  struct Properties: Equatable {
    let hasAnchor: Bool
    let hasTag: Bool
  }

  struct Event {
    let kind: Kind
    let place: SourcePlace
    /// Where it stands, in Unicode scalars of the text.
    let range: Range<Int>
    /// A collection between brackets.
    let isFlow: Bool
    /// `|` or `>`
    let isBlockScalar: Bool
  }

  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let source: SourceText

  /// `bytes` must outlive the reader: libyaml keeps the pointer.
  init?(_ bytes: UnsafeBufferPointer<UInt8>, source: SourceText) {
    self.source = source
    parser = .allocate(capacity: 1)
    parser.initialize(to: yaml_parser_t())
    guard yaml_parser_initialize(parser) == 1 else {
      parser.deallocate()
      return nil
    }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
  }

  func next() throws(SourceError) -> Event {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw failure }
    defer { yaml_event_delete(&event) }
    let start = event.start_mark.index
    return Event(
      kind: Self.kind(of: event), place: place(event.start_mark),
      range: start..<max(start, event.end_mark.index),
      isFlow: Self.isFlow(event), isBlockScalar: Self.isBlockScalar(event))
  }

  private static func kind(of event: yaml_event_t) -> Kind {
    switch event.type {
    case YAML_STREAM_START_EVENT: .streamStart
    case YAML_DOCUMENT_START_EVENT:
      .documentStart(
        hasDirectives: event.data.document_start.version_directive != nil
          || event.data.document_start.tag_directives.start != event.data.document_start.tag_directives.end)
    case YAML_DOCUMENT_END_EVENT: .documentEnd
    case YAML_ALIAS_EVENT: .alias
    case YAML_SCALAR_EVENT: scalar(event.data.scalar)
    case YAML_SEQUENCE_START_EVENT:
      .sequenceStart(properties(event.data.sequence_start.anchor, event.data.sequence_start.tag))
    case YAML_SEQUENCE_END_EVENT: .sequenceEnd
    case YAML_MAPPING_START_EVENT:
      .mappingStart(properties(event.data.mapping_start.anchor, event.data.mapping_start.tag))
    case YAML_MAPPING_END_EVENT: .mappingEnd
    default: .streamEnd
    }
  }

  private static func isFlow(_ event: yaml_event_t) -> Bool {
    switch event.type {
    case YAML_SEQUENCE_START_EVENT: event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
    case YAML_MAPPING_START_EVENT: event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
    default: false
    }
  }

  private static func isBlockScalar(_ event: yaml_event_t) -> Bool {
    guard event.type == YAML_SCALAR_EVENT else { return false }
    let style = event.data.scalar.style
    return style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE
  }

  private typealias Scalar = yaml_event_s.__Unnamed_union_data.__Unnamed_struct_scalar

  private static func scalar(_ scalar: Scalar) -> Kind {
    let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
    return .scalar(
      String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE,
      properties(scalar.anchor, scalar.tag))
  }

  private static func properties(
    _ anchor: UnsafeMutablePointer<yaml_char_t>?, _ tag: UnsafeMutablePointer<yaml_char_t>?
  ) -> Properties {
    Properties(hasAnchor: anchor != nil, hasTag: tag != nil)
  }

  private func place(_ mark: yaml_mark_t) -> SourcePlace {
    SourcePlace(file: source.file, line: mark.line + 1, column: mark.column + 1)
  }

  private var failure: SourceError {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "not YAML"
    switch parser.pointee.error {
    case YAML_READER_ERROR:
      let code = String(parser.pointee.problem_value, radix: 16, uppercase: true)
      let digits = String(repeating: "0", count: max(4 - code.utf8.count, 0)) + code
      return source.error(
        "the control character U+\(digits) is not allowed",
        at: source.place(ofByte: parser.pointee.problem_offset))
    case YAML_MEMORY_ERROR:
      return source.error("out of memory", at: place(parser.pointee.mark))
    default:
      let context = parser.pointee.context.map { " " + String(cString: $0) } ?? ""
      return source.error(problem + context, at: place(parser.pointee.problem_mark))
    }
  }
}
