package import JSON

/// One line of the checklist of a deployment.
package struct DoctorCheck: Sendable, Equatable {
  package enum Verdict: String, Sendable {
    case good, bad
    /// It was not looked at, and the advice says how to.
    case open
    /// Only the machine of the deployment can show it, and the advice says how.
    case elsewhere
  }

  package let id: String
  package let title: String
  package let verdict: Verdict
  /// What was seen, or why nothing was.
  package let seen: String
  /// What to do.
  package let advice: String?

  package init(_ id: String, _ title: String, _ verdict: Verdict, _ seen: String, advice: String? = nil) {
    self.id = id
    self.title = title
    self.verdict = verdict
    self.seen = seen
    self.advice = advice
  }
}

/// The checklist with what came out.
package struct DoctorReport: Sendable {
  package let url: String
  package private(set) var checks: [DoctorCheck] = []
  /// Whether anything at all answers at the address.
  package internal(set) var isReachable = false

  package init(url: String) { self.url = url }

  package mutating func add(_ check: DoctorCheck) { checks.append(check) }

  package func count(_ verdict: DoctorCheck.Verdict) -> Int { checks.count { $0.verdict == verdict } }

  /// 0 nothing is wrong, 1 something is, 3 nobody is there.
  package var exitCode: Int32 {
    guard isReachable else { return 3 }
    return count(.bad) > 0 ? 1 : 0
  }

  package static func lines(_ check: DoctorCheck) -> String {
    let marks: [DoctorCheck.Verdict: String] = [.good: "✓", .bad: "✗", .open: "–", .elsewhere: "○"]
    let gap = String(repeating: " ", count: max(22 - check.title.count, 1))
    var text = "\(marks[check.verdict] ?? "") \(check.title)\(gap)\(check.seen)\n"
    if let advice = check.advice { text += "  \(String(repeating: " ", count: 22))→ \(advice)\n" }
    return text
  }

  package var verdict: String {
    let (bad, open) = (count(.bad), count(.open))
    let words = bad == 0 ? "healthy" : "not healthy"
    let elsewhere = count(.elsewhere)
    let rest = elsewhere > 0 ? ", \(elsewhere) for the Mac mini itself" : ""
    return "\(words): \(count(.good)) good, \(bad) bad, \(open) not checked\(rest)"
  }

  package var document: JSONValue {
    let list = checks.map { check -> JSONValue in
      var members = JSONObject([
        ("id", .string(check.id)), ("title", .string(check.title)),
        ("verdict", .string(check.verdict.rawValue)), ("seen", .string(check.seen)),
      ])
      if let advice = check.advice { members["advice"] = .string(advice) }
      return .object(members)
    }
    return [
      "format": 1, "url": .string(url), "checks": .array(list),
      "counts": [
        "good": .int(count(.good)), "bad": .int(count(.bad)), "open": .int(count(.open)),
        "elsewhere": .int(count(.elsewhere)),
      ],
      "exit_code": .int(Int(exitCode)),
    ]
  }
}
