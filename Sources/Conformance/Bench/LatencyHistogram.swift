/// Counts of latencies in buckets that are exact below 256 ns and at most 1/128 of their value wide
/// above, in memory of a fixed size: the log-linear layout known from HDR histograms.
package struct LatencyHistogram: Sendable {
  /// Buckets for each doubling of the value.
  private static let halfBits = 7
  /// About 73 minutes; what is longer counts as this.
  package static let limit: Int64 = (1 << 42) - 1

  private var buckets = [UInt64](repeating: 0, count: place(of: limit) + 1)
  package private(set) var count = 0
  private var sum: Double = 0
  private var least = Int64.max
  package private(set) var longest: Int64 = 0

  package init() {}

  @inline(__always)
  private static func place(of value: Int64) -> Int {
    let shift = max(0, 63 - halfBits - value.leadingZeroBitCount)
    return (shift << halfBits) + Int(value >> Int64(shift))
  }

  /// The greatest value of a bucket.
  private static func upperEdge(_ place: Int) -> Int64 {
    let shift = max(0, (place >> halfBits) - 1)
    return (Int64(place - (shift << halfBits) + 1) << Int64(shift)) - 1
  }

  /// Adds a latency in nanoseconds.
  package mutating func record(_ nanoseconds: Int64) {
    let value = min(max(0, nanoseconds), Self.limit)
    buckets[Self.place(of: value)] += 1
    count += 1
    sum += Double(value)
    least = min(least, value)
    longest = max(longest, value)
  }

  package mutating func merge(_ other: LatencyHistogram) {
    for place in buckets.indices { buckets[place] += other.buckets[place] }
    count += other.count
    sum += other.sum
    least = min(least, other.least)
    longest = max(longest, other.longest)
  }

  package var shortest: Int64 { count == 0 ? 0 : least }
  package var mean: Double { count == 0 ? 0 : sum / Double(count) }

  /// The latency that `share` of the requests did not exceed, at most 1 % above the true one;
  /// 0 without any.
  package func percentile(_ share: Double) -> Int64 {
    guard count > 0 else { return 0 }
    let rank = UInt64(max(1, (share * Double(count)).rounded(.up)))
    var seen: UInt64 = 0
    for place in buckets.indices {
      seen += buckets[place]
      if seen >= rank { return min(Self.upperEdge(place), longest) }
    }
    return longest
  }

  /// How many latencies lie in buckets at or above that of `nanoseconds`.
  package func count(atLeast nanoseconds: Int64) -> Int {
    let first = Self.place(of: min(max(0, nanoseconds), Self.limit))
    return buckets[first...].reduce(0) { $0 + Int($1) }
  }
}
