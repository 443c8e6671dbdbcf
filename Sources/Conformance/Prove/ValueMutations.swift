internal import JSON
internal import JSONSchema
internal import ProtocolSpec

/// An edit of a value, and what it is called.
struct ValueMutation: Sendable {
  let kind: MutationKind
  let place: JSONPointer
  let edit: JSONEdit

  init(_ kind: MutationKind, _ place: JSONPointer, _ edit: JSONEdit) {
    self.kind = kind
    self.place = place
    self.edit = edit
  }
}

/// What can be done to a value such that it is no longer what a transcript says of it.
struct ValueMutations {
  private(set) var list: [ValueMutation] = []
  /// Elements of a list beyond these are like them.
  private static let lookedAt = 4
  static let otherUUID: JSONValue = "00000000-0000-4000-8000-000000000000"
  static let otherText: JSONValue = "Something else"

  private mutating func add(_ kind: MutationKind, _ place: JSONPointer, _ edit: JSONEdit) {
    list.append(ValueMutation(kind, place, edit))
  }

  private mutating func set(_ kind: MutationKind, _ place: JSONPointer, _ value: JSONValue) {
    add(kind, place, .set(place, value))
  }

  /// - Parameter value: what came, and matches.
  mutating func add(_ matcher: Matcher, _ value: JSONValue?, at place: JSONPointer) {
    switch matcher.rule {
    case .exactly:
      guard let value else { return }
      changed(value, except: [value], at: place)
    case .object(let members):
      guard let value else { return }
      set(.typeChanged, place, Self.retyped(value))
      add(members, value, at: place)
    case .array(let elements):
      guard let values = value?.array else { return }
      self.elements(elements, values, at: place)
    case .all(let checks, _):
      for check in checks { add(check, value, at: place) }
    }
  }

  private mutating func add(_ members: [Matcher.Member], _ value: JSONValue, at place: JSONPointer) {
    for member in members {
      let inner = place.appending(member.key)
      if !member.matcher.allowsAbsence { add(.memberDropped, inner, .remove(inner)) }
      add(member.matcher, value[member.key], at: inner)
    }
  }

  private mutating func elements(_ elements: [Matcher], _ values: [JSONValue], at place: JSONPointer) {
    if let last = values.last {
      add(.elementDropped, place, .remove(place.appending(values.count - 1)))
      set(.elementAdded, place, .array(values + [last]))
    } else {
      set(.elementAdded, place, [.object(JSONObject())])
    }
    var bindings = Bindings()
    let isLikeNext =
      values.count > 1
      && zip(elements, [values[1], values[0]]).allSatisfy { $0.match($1, &bindings).isEmpty }
    if values.count > 1, !isLikeNext { add(.orderSwapped, place, .swap(place, 0, 1)) }
    for number in elements.indices.prefix(Self.lookedAt) where values.indices.contains(number) {
      add(elements[number], values[number], at: place.appending(number))
    }
  }

  private mutating func add(_ check: Matcher.Check, _ value: JSONValue?, at place: JSONPointer) {
    if case .absent(true) = check { return set(.memberAdded, place, "unexpected") }
    guard let value else { return }
    switch check {
    case .type(let type):
      let other = Self.retyped(value)
      // An id may be of two types.
      set(.typeChanged, place, type.accepts(other) ? .object(JSONObject()) : other)
    case .regex(let pattern):
      set(.typeChanged, place, Self.retyped(value))
      // A pattern that names no words lets any text pass but the empty one.
      let hasWords = pattern.filter(\.isLetter).count > 3
      set(.textChanged, place, hasWords ? Self.otherText : "")
    case .oneOf(let choices): add(choices, value, at: place)
    case .between(let low, let high):
      set(.valueChanged, place, .number(JSONNumber(high.double.rounded(.up) + 1)))
      set(.valueChanged, place, .number(JSONNumber(low.double.rounded(.down) - 1)))
    case .contains: set(.valueChanged, place, value.array == nil ? Self.otherText : [])
    case .length(let length): resized(value, past: length, at: place)
    case .members(let members): add(members, value, at: place)
    case .schema(let schema, _): violations(of: schema, value, at: place)
    case .text, .json, .joined: set(.textChanged, place, Self.otherText)
    case .code, .reference, .secret, .next, .repeated: changed(value, except: [value], at: place)
    case .absent, .said: break
    }
  }

  /// A list or a text just too short, and one just too long.
  private mutating func resized(_ value: JSONValue, past length: Matcher, at place: JSONPointer) {
    func isAllowed(_ count: Int) -> Bool {
      var bindings = Bindings()
      return length.match(.int(count), &bindings).isEmpty
    }
    let count = value.array?.count ?? value.string?.unicodeScalars.count ?? 0
    let less = (0..<count).last { !isAllowed($0) }
    let more = length.isOpenAbove ? nil : (count + 1..<count + 1000).first { !isAllowed($0) }
    if let values = value.array {
      if let less { set(.elementDropped, place, .array(Array(values[..<less]))) }
      guard let more else { return }
      let added = Array(repeating: values.last ?? 1, count: more - count)
      set(.elementAdded, place, .array(values + added))
    } else if let text = value.string {
      if let less { set(.textChanged, place, .string(String(text.prefix(less)))) }
      if let more { set(.textChanged, place, .string(text + String(repeating: "x", count: more - count))) }
    }
  }

  private mutating func add(_ choices: [Matcher], _ value: JSONValue, at place: JSONPointer) {
    let plain = choices.compactMap { choice -> JSONValue? in
      if case .exactly = choice.rule { choice.source } else { nil }
    }
    if plain.count == choices.count { return changed(value, except: plain, at: place) }
    var bindings = Bindings()
    guard let chosen = choices.first(where: { $0.match(value, &bindings).isEmpty }) else { return }
    // What another choice allows is no mistake.
    var inner = ValueMutations()
    inner.add(chosen, value, at: JSONPointer())
    for mutation in inner.list {
      let mutated = mutation.edit.edited(value)
      guard choices.allSatisfy({ !$0.match(mutated, &bindings).isEmpty }) else { continue }
      add(
        mutation.kind, JSONPointer(tokens: place.tokens + mutation.place.tokens), mutation.edit.below(place))
    }
  }

  private mutating func changed(_ value: JSONValue, except allowed: [JSONValue], at place: JSONPointer) {
    set(.typeChanged, place, Self.retyped(value))
    switch place.tokens.last ?? "" {
    case "state", "status", "system_state":
      let known = Self.states(like: value)
      if let other = known.first(where: { !allowed.contains($0) && $0 != value }) {
        return set(.stateChanged, place, other)
      }
    case "code": return set(.codeChanged, place, value == -32603 ? -32600 : -32603)
    default: break
    }
    set(value.string == nil ? .valueChanged : .textChanged, place, Self.other(value))
  }

  /// Other states of the machine that a state is of.
  private static func states(like value: JSONValue) -> [JSONValue] {
    let system = SystemState.allCases.map { JSONValue.string($0.rawValue) }
    if system.contains(value) { return system }
    let tasks = TaskState.allCases.map { JSONValue.string($0.rawValue) }
    return tasks.contains(value) || value == "suspended" ? tasks.reversed() : []
  }

  /// Leaves out or retypes what the schema needs.
  mutating func violations(of schema: JSONSchema, _ value: JSONValue, at place: JSONPointer) {
    for mutation in Self.members(of: value, at: JSONPointer(), depth: 3) {
      guard !schema.validate(mutation.edit.edited(value)).isEmpty else { continue }
      add(
        mutation.kind, JSONPointer(tokens: place.tokens + mutation.place.tokens), mutation.edit.below(place))
    }
  }

  private static func members(of value: JSONValue, at place: JSONPointer, depth: Int) -> [ValueMutation] {
    guard depth > 0 else { return [] }
    if let first = value.array?.first { return members(of: first, at: place.appending(0), depth: depth - 1) }
    return (value.object ?? JSONObject()).flatMap { key, member in
      let inner = place.appending(key)
      return [
        ValueMutation(.memberDropped, inner, .remove(inner)),
        ValueMutation(.typeChanged, inner, .set(inner, retyped(member))),
      ] + members(of: member, at: inner, depth: depth - 1)
    }
  }

  /// A value of another type.
  static func retyped(_ value: JSONValue) -> JSONValue {
    switch value {
    case .string: 5
    case .number(let number): .string(number.text)
    case .bool: "yes"
    case .null: .object(JSONObject())
    case .object, .array: "text"
    }
  }

  /// Another value of the same type.
  static func other(_ value: JSONValue) -> JSONValue {
    switch value {
    case .string(let text): TextForms.isUUID(text) && value != otherUUID ? otherUUID : .string(text + "x")
    case .number(let number): .number(JSONNumber(number.double.rounded() + 1000))
    case .bool(let bool): .bool(!bool)
    default: "other"
    }
  }
}

extension JSONEdit {
  /// The same at a place inside a larger value.
  func below(_ place: JSONPointer) -> JSONEdit {
    func moved(_ pointer: JSONPointer) -> JSONPointer { JSONPointer(tokens: place.tokens + pointer.tokens) }
    return switch self {
    case .set(let pointer, let value): .set(moved(pointer), value)
    case .remove(let pointer): .remove(moved(pointer))
    case .swap(let pointer, let one, let other): .swap(moved(pointer), one, other)
    case .exchange(let pointer, let old, let name, let value):
      .exchange(moved(pointer), old, for: name, value)
    }
  }
}

extension Matcher {
  /// Whether it also matches where there is nothing.
  var allowsAbsence: Bool {
    guard case .all(let checks, _) = rule else { return false }
    return checks.contains { check in
      switch check {
      case .absent(let isAbsent): isAbsent
      case .oneOf(let choices): choices.contains(where: \.allowsAbsence)
      default: false
      }
    }
  }
}
