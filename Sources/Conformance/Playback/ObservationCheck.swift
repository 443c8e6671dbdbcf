internal import JSON
internal import ProtocolSpec

extension Observation {
  /// What of the calls that a face received is not as this says.
  func differences(_ calls: [Journal.Call], face: MockFace, _ bindings: inout Bindings) -> [Difference] {
    let matching = calls.filter {
      $0.face == face.rawValue && path.matches(method: $0.method, path: $0.path)
    }
    let place = JSONPointer(tokens: [face.rawValue, path.description])
    return countDifferences(matching.count, place, &bindings)
      + matching.enumerated().flatMap { number, call in
        callDifferences(call, place.appending("call \(number + 1)"), &bindings)
      } + spacingDifferences(matching, place)
  }

  /// Whether one call is what this is about, whatever is said of their number.
  func isMet(by call: Journal.Call, face: MockFace, _ bindings: inout Bindings) -> Bool {
    call.face == face.rawValue && path.matches(method: call.method, path: call.path)
      && callDifferences(call, JSONPointer(), &bindings).isEmpty
  }

  private func countDifferences(_ count: Int, _ place: JSONPointer, _ bindings: inout Bindings)
    -> [Difference]
  {
    let place = place.appending("count")
    if let matcher = self.count { return matcher.match(.int(count), at: place, &bindings) }
    return count > 0 ? [] : [Difference(place, expected: "at least 1", gotText: "0")]
  }

  private func callDifferences(
    _ call: Journal.Call, _ place: JSONPointer, _ bindings: inout Bindings
  ) -> [Difference] {
    let bodies = body?.match(call.body, at: place.appending("body"), &bindings) ?? []
    return bodies
      + headers.flatMap { member in
        let value = call.headers[member.key.lowercased()].map(JSONValue.string)
        return member.matcher.match(value, at: place.appending(member.key), &bindings)
      }
  }

  private func spacingDifferences(_ calls: [Journal.Call], _ place: JSONPointer) -> [Difference] {
    guard let spacing else { return [] }
    return zip(calls, calls.dropFirst()).enumerated().compactMap { number, pair in
      let gap = pair.1.atMilliseconds - pair.0.atMilliseconds
      guard gap < spacing.milliseconds else { return nil }
      return Difference(
        place.appending("spacing before call \(number + 2)"), expected: "at least \(spacing.short)",
        gotText: Duration.milliseconds(gap).short)
    }
  }
}
