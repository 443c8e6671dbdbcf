/// The members of a JSON object in the order they were written.
///
/// Small objects are searched in order; past `indexThreshold` members an index keeps look-ups
/// constant, so that hostile input with many keys costs no more than its length.
package struct JSONObject: Sendable {
  package typealias Member = (key: String, value: JSONValue)

  private static let indexThreshold = 12

  private var members: [Member] = []
  /// Position of each key in `members`; nil while there are at most `indexThreshold` of them.
  private var index: [ExactText: Int]?

  package init() {}

  /// Later members replace earlier ones of the same key.
  package init(_ members: some Sequence<(String, JSONValue)>) {
    for (key, value) in members { self[key] = value }
  }

  package var keys: [String] { members.map(\.key) }
  package var count: Int { members.count }
  package var isEmpty: Bool { members.isEmpty }

  package func contains(_ key: String) -> Bool { position(of: key) != nil }

  package subscript(key: String) -> JSONValue? {
    get { position(of: key).map { members[$0].value } }
    set {
      switch (position(of: key), newValue) {
      case (let position?, let value?): members[position].value = value
      case (let position?, nil):
        members.remove(at: position)
        index = nil
        indexIfLarge()
      case (nil, let value?): append(key, value)
      case (nil, nil): break
      }
    }
  }

  /// Adds a member unless its key is there already, and says whether it did.
  package mutating func insert(_ key: String, _ value: JSONValue) -> Bool {
    guard position(of: key) == nil else { return false }
    append(key, value)
    return true
  }

  private mutating func append(_ key: String, _ value: JSONValue) {
    // Most objects have a few members: room for them at once, not by doubling.
    if members.isEmpty { members.reserveCapacity(4) }
    members.append((key, value))
    if index != nil {
      index?[ExactText(key)] = members.count - 1
    } else {
      indexIfLarge()
    }
  }

  private mutating func indexIfLarge() {
    guard members.count > Self.indexThreshold else { return }
    index = Dictionary(uniqueKeysWithValues: members.enumerated().map { (ExactText($1.key), $0) })
  }

  private func position(of key: String) -> Int? {
    if let index { return index[ExactText(key)] }
    return members.firstIndex { $0.key.isExactly(key) }
  }
}

extension JSONObject: Sequence {
  package func makeIterator() -> IndexingIterator<[Member]> { members.makeIterator() }
}

extension JSONObject: Hashable {
  package static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.count == right.count && left.allSatisfy { right[$0.key] == $0.value }
  }

  package func hash(into hasher: inout Hasher) {
    var sum = 0
    for (key, value) in members {
      var member = Hasher()
      member.combine(ExactText(key))
      member.combine(value)
      sum &+= member.finalize()
    }
    hasher.combine(sum)
  }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  package init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}
