/// When the requests of an open loop are due, whatever the answers do: request k of all at
/// start + k / rate. Several loops share one schedule by taking turns.
package struct OpenLoopSchedule: Sendable {
  private let rate: Int64
  private let stride: Int64
  private let start: Int64
  private var number: Int64

  /// - Parameters:
  ///   - rate: requests a second of all loops together.
  ///   - index: which of the `count` loops this is, from 0.
  ///   - start: nanoseconds of the clock by which `takeDue` is asked.
  package init(rate: Int, index: Int = 0, of count: Int = 1, start: Int64) {
    self.rate = Int64(rate)
    self.start = start
    number = Int64(index)
    stride = Int64(count)
  }

  /// When the next request is due.
  package var next: Int64 { due(number) }

  private func due(_ number: Int64) -> Int64 {
    // Seconds and the rest apart: exact, and far from overflow.
    start + number / rate * 1_000_000_000 + number % rate * 1_000_000_000 / rate
  }

  /// Takes the next request if it is due at `now` and before `end`, and gives the time it was due.
  package mutating func takeDue(at now: Int64, before end: Int64) -> Int64? {
    let due = next
    guard due <= now, due < end else { return nil }
    number += stride
    return due
  }

  /// How many requests not taken were due from `begin` on and before `end`.
  package func left(from begin: Int64, before end: Int64) -> Int {
    Int(max(0, firstNumber(at: end) - max(position, firstNumber(at: begin))))
  }

  /// How many requests of this loop lie before the next.
  private var position: Int64 { number / stride }

  /// How many requests of this loop are due before `time`.
  private func firstNumber(at time: Int64) -> Int64 {
    var low: Int64 = 0
    var high = max(0, (time - start) / 1_000_000_000 + 1) * rate / stride + 1
    let index = number % stride
    while low < high {
      let middle = (low + high) / 2
      if due(middle * stride + index) < time { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
