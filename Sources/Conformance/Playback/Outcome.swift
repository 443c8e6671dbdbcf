package import ProtocolSpec
package import YAML

/// What is wrong at one step of a case.
package struct CaseFailure: Sendable {
  /// Of the step.
  package let place: SourcePlace
  /// `why` of the step, else the title of the case.
  package let title: String
  package let level: RequirementLevel
  package let message: String
  package let differences: [Difference]
  package var wire: [WireEntry]
  /// The last lines that the target wrote, where it ended without being asked to.
  package var targetLines: [String] = []

  package init(
    place: SourcePlace, title: String, level: RequirementLevel, message: String, differences: [Difference],
    wire: [WireEntry], targetLines: [String] = []
  ) {
    self.place = place
    self.title = title
    self.level = level
    self.message = message
    self.differences = differences
    self.wire = wire
    self.targetLines = targetLines
  }
}

/// How a case went.
package enum PlayOutcome: Sendable {
  /// `remarks` are failures too weak to count.
  case passed(remarks: [CaseFailure])
  case failed(CaseFailure, remarks: [CaseFailure])
  case setup(String)
  case notTestable(String)
}

/// Why a case goes no further.
enum Halt: Error {
  case failed(CaseFailure)
  case setup(String)
  case notTestable(String)
}

extension Duration {
  /// `2s`, `250ms`, `1.5s`
  package var short: String {
    let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    guard milliseconds >= 1000 else { return "\(milliseconds)ms" }
    let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
    guard rest > 0 else { return "\(seconds)s" }
    var fraction = String(rest + 1000).dropFirst()
    while fraction.hasSuffix("0") { fraction.removeLast() }
    return "\(seconds).\(fraction)s"
  }

  package var milliseconds: Double {
    Double(components.seconds) * 1000 + Double(components.attoseconds) / 1_000_000_000_000_000
  }

  /// Seconds with three decimals: `0.004`.
  package var clockText: String {
    let total = Int64(milliseconds.rounded())
    return "\(total / 1000).\(String(total % 1000 + 1000).dropFirst())"
  }
}
