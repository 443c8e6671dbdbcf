package import YAML

/// How binding a requirement is (RFC 2119).
package enum RequirementLevel: String, Sendable, CaseIterable, Comparable {
  case must, should, may

  package static func < (left: RequirementLevel, right: RequirementLevel) -> Bool {
    left.rank < right.rank
  }

  private var rank: Int {
    switch self {
    case .must: 0
    case .should: 1
    case .may: 2
    }
  }
}

/// One sentence that an endpoint can be held to.
package struct Requirement: Sendable {
  package let id: String
  package let level: RequirementLevel
  package let text: String
  /// Where it is written.
  package let place: SourcePlace
}

/// A frozen list of requirements, by which endpoints are compared.
package struct RequirementSet: Sendable {
  /// Of its file below `Spec/requirements/`.
  package let name: String
  /// In the order of the file.
  package let ids: [String]
}

/// Gathers the requirements of all files and refuses an id that stands twice.
struct RequirementReader {
  private(set) var found: [String: Requirement] = [:]

  mutating func read(_ node: YAMLNode) throws(SourceError) {
    for entry in try node["requirements"]?.sequence() ?? [] {
      try entry.checkKeys(["id", "level", "text", "notes"])
      let id = try entry.required("id")
      let name = try id.string()
      if let other = found[name] {
        throw id.error("requirement \(name) stands already at \(other.place.file):\(other.place.line)")
      }
      found[name] = Requirement(
        id: name, level: try entry.required("level").choice(), text: try entry.required("text").string(),
        place: entry.place)
    }
  }

  /// A frozen set names requirements by level; none of them may have changed or gone.
  func check(frozen node: YAMLNode, name: String) throws(SourceError) -> RequirementSet {
    var ids: [String] = []
    try node.checkKeys(["format", "revision"] + RequirementLevel.allCases.map(\.rawValue))
    for level in RequirementLevel.allCases {
      for entry in try node[level.rawValue]?.sequence() ?? [] {
        let id = try entry.string()
        guard let requirement = found[id] else {
          throw entry.error("requirement \(id) of this frozen set is gone")
        }
        guard requirement.level == level else {
          throw entry.error("requirement \(id) is frozen as \(level), but is \(requirement.level) now")
        }
        ids.append(id)
      }
    }
    return RequirementSet(name: name, ids: ids)
  }
}

extension YAMLNode {
  /// One of the raw values of an enumeration.
  func choice<Choice: RawRepresentable & CaseIterable>() throws(SourceError) -> Choice
  where Choice.RawValue == String {
    let known = Choice.allCases.map(\.rawValue)
    guard let choice = Choice(rawValue: try string(among: known, what: "value")) else {
      throw error("one of \(known.joined(separator: ", ")) is expected")
    }
    return choice
  }
}
