import Conformance
import ProtocolSpec
import Transport
import YAML

/// What is printed while cases are played.
final class ProgressLine: @unchecked Sendable {
  // Invariant: `hasLine` is touched under `lock`.
  private let lock = Lock()
  private var hasLine = false
  private let text: FailureText
  private let isLive: Bool
  private let isVerbose: Bool

  init(info: RunInfo, isVerbose: Bool) {
    text = FailureText(info, paint: Paint(isOn: Output.hasColours))
    isLive = Output.isTerminal
    self.isVerbose = isVerbose
  }

  func show(_ progress: Runner.Progress) {
    lock.withLock {
      switch progress {
      case .begins(let transcript, let number, let count):
        guard isLive else { return }
        // A narrow terminal would wrap, and a wrapped line cannot be rewritten.
        let line = "\(number)/\(count)  \(transcript.id)".prefix(78)
        Output.write("\r\u{1B}[K\(line)")
        hasLine = true
      case .ended(let result):
        clear()
        switch result.verdict {
        case .fail, .setupError, .notTestable, .flaky, .expectedFailure, .unexpectedPass:
          Output.line(text.block(result) + "\n")
        case .pass, .notApplicable: if isVerbose { Output.line(text.block(result)) }
        }
        if isVerbose { for remark in result.remarks { Output.line(text.remark(remark, of: result)) } }
      }
    }
  }

  /// Removes the rewritten line.
  func finish() { lock.withLock { clear() } }

  private func clear() {
    if hasLine { Output.write("\r\u{1B}[K") }
    hasLine = false
  }
}
