/// The difference of two values for people: only what differs, led by its place.
/// ```
/// - /result/state: "completed"
/// + /result/state: "idle"
/// - /result/result: "done"
/// + (absent)
/// ```
package enum JSONDiff {
  /// Places shown at most.
  private static let placeLimit = 20
  /// Scalars of a value shown at most.
  private static let valueLimit = 100

  /// Pairs of lines, `- ` with what is expected and `+ ` with what is there; none if both are equal.
  package static func lines(
    expected: JSONValue, actual: JSONValue, at place: JSONPointer = JSONPointer()
  ) -> [String] {
    var differences: [Difference] = []
    collect(expected, actual, place, &differences)
    let shown = differences.prefix(placeLimit).flatMap {
      [line("-", $0.expected, $0.place), line("+", $0.actual, $0.place)]
    }
    return differences.count > placeLimit ? shown + ["… and more"] : shown
  }

  private struct Difference {
    let place: JSONPointer
    let expected: JSONValue?
    let actual: JSONValue?
  }

  private static func collect(
    _ expected: JSONValue?, _ actual: JSONValue?, _ place: JSONPointer, _ differences: inout [Difference]
  ) {
    guard differences.count <= placeLimit else { return }
    switch (expected, actual) {
    case (.object(let left)?, .object(let right)?):
      for (key, value) in left { collect(value, right[key], place.appending(key), &differences) }
      for (key, value) in right where !left.contains(key) {
        collect(nil, value, place.appending(key), &differences)
      }
    case (.array(let left)?, .array(let right)?):
      for index in 0..<max(left.count, right.count) {
        let element = index < left.count ? left[index] : nil
        collect(element, index < right.count ? right[index] : nil, place.appending(index), &differences)
      }
    default:
      guard expected != actual else { return }
      differences.append(Difference(place: place, expected: expected, actual: actual))
    }
  }

  private static func line(_ sign: String, _ value: JSONValue?, _ place: JSONPointer) -> String {
    guard let value else { return "\(sign) (absent)" }
    let path = place.description
    return "\(sign) \(path.isEmpty ? "" : "\(path): ")\(shortened(value))"
  }

  private static func shortened(_ value: JSONValue) -> String {
    let text = JSONWriter.text(value).unicodeScalars
    guard text.count > valueLimit else { return String(text) }
    return String(String.UnicodeScalarView(text.prefix(valueLimit))) + "…"
  }
}
