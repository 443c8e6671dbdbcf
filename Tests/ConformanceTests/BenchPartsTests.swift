import Testing
import Wire

@testable import Conformance

/// The parts of the load generator that need no socket.
@Suite("bench: the parts")
struct BenchPartsTests {
  // MARK: Histogram

  @Test("latencies below 256 ns are exact, those above at most 1 % too high, up to the limit")
  func buckets() {
    for value: Int64 in [0, 1, 127, 128, 255] {
      var histogram = LatencyHistogram()
      histogram.record(value)
      histogram.record(1 << 40)
      #expect(histogram.percentile(0.5) == value)
    }
    for bits in 8..<42 {
      let least = Int64(1) << Int64(bits)
      for value in [least, least + 1, least / 2 * 3 - 1, least * 2 - 1] {
        var histogram = LatencyHistogram()
        histogram.record(value)
        histogram.record(LatencyHistogram.limit)
        let told = histogram.percentile(0.5)
        #expect(told >= value && Double(told) <= Double(value) * 1.01, "\(value) is told as \(told)")
      }
    }
  }

  @Test("percentiles, mean and extremes of ten thousand latencies")
  func percentiles() {
    var histogram = LatencyHistogram()
    #expect(histogram.percentile(0.99) == 0 && histogram.shortest == 0 && histogram.mean == 0)
    // 1 µs to 10 ms, in an order that is not theirs.
    for place in 0..<10_000 { histogram.record(Int64((place * 7919) % 10_000 + 1) * 1000) }
    #expect(histogram.count == 10_000)
    #expect(histogram.shortest == 1000)
    #expect(histogram.longest == 10_000_000)
    #expect(histogram.mean == 5_000_500)
    for (share, exact) in [(0.5, 5_000_000.0), (0.9, 9_000_000), (0.99, 9_900_000), (0.999, 9_990_000)] {
      let told = Double(histogram.percentile(share))
      #expect(told >= exact && told <= exact * 1.01, "p\(share * 100) is told as \(told)")
    }
    #expect(histogram.percentile(1) == 10_000_000)
    #expect(histogram.percentile(0) == 1003)
  }

  @Test("what is longer than the limit counts as the limit, less than nothing as nothing")
  func clamped() {
    var histogram = LatencyHistogram()
    histogram.record(.max)
    histogram.record(-1)
    #expect(histogram.longest == LatencyHistogram.limit)
    #expect(histogram.shortest == 0)
    #expect(histogram.count == 2)
  }

  @Test("histograms of several loops are one")
  func merged() {
    var (all, left, right) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
    for value: Int64 in 1...5000 {
      all.record(value * value)
      if value % 3 == 0 { left.record(value * value) } else { right.record(value * value) }
    }
    left.merge(right)
    left.merge(LatencyHistogram())
    #expect(left.count == all.count && left.longest == all.longest && left.shortest == all.shortest)
    for share in [0.1, 0.5, 0.9, 0.99, 0.999] { #expect(left.percentile(share) == all.percentile(share)) }
    #expect(all.count(atLeast: 0) == 5000)
    // The bucket of 5000² begins at 190 · 2¹⁷, between 4990² and 4991².
    #expect(all.count(atLeast: 5000 * 5000) == 10)
  }

  // MARK: Mix

  @Test("a mix is read and told again")
  func mix() throws {
    #expect(try RequestMix("ping").description == "ping=1")
    let mix = try RequestMix("ping=8,create_task=1,get_task_status=1")
    #expect(mix.description == "ping=8,create_task=1,get_task_status=1")
    let round = mix.round
    #expect(round.count == 10)
    #expect(round.count { $0 == .ping } == 8)
    #expect(round.count { $0 == .createTask } == 1)
    let spread = try RequestMix("ping=2,create_task=2").round
    #expect(spread == [.ping, .createTask, .ping, .createTask])
  }

  @Test(
    "a mix that cannot be",
    arguments: [
      ("pong=1", #"unknown method "pong", did you mean "ping"?"#),
      ("", #"unknown method "", known: ping, create_task, get_task_status"#),
      ("ping=0", #"the weight of ping is a whole number from 1 to 1000, not "0""#),
      ("ping=x", #"the weight of ping is a whole number from 1 to 1000, not "x""#),
      ("ping=1001", #"the weight of ping is a whole number from 1 to 1000, not "1001""#),
      ("ping=1,ping=2", "ping stands twice"),
      (
        "ping=1,get_task_status=1", "get_task_status asks for tasks of this run, so create_task is needed too"
      ),
    ])
  func badMix(_ text: String, _ message: String) {
    #expect(throws: RequestMix.Problem(description: message)) { try RequestMix(text) }
  }

  // MARK: Schedule

  @Test("a schedule gives what is due by the clock, and no drift")
  func schedule() {
    var schedule = OpenLoopSchedule(rate: 3, start: 100)
    #expect(schedule.takeDue(at: 99, before: .max) == nil)
    #expect(schedule.takeDue(at: 100, before: .max) == 100)
    #expect(schedule.takeDue(at: 333_333_432, before: .max) == nil)
    // The clock jumps: all that was missed is due, each at its own time.
    #expect(schedule.takeDue(at: 1_000_000_100, before: .max) == 333_333_433)
    #expect(schedule.takeDue(at: 1_000_000_100, before: .max) == 666_666_766)
    #expect(schedule.takeDue(at: 1_000_000_100, before: .max) == 1_000_000_100)
    #expect(schedule.takeDue(at: 1_000_000_100, before: .max) == nil)
    #expect(schedule.takeDue(at: 5_000_000_000, before: 1_300_000_000) == nil, "due at the end is not in it")
  }

  @Test("loops take turns, and what was not taken is counted", arguments: [1, 2, 3])
  func shared(_ loops: Int) {
    var times: [Int64] = []
    var left = 0
    for index in 0..<loops {
      var schedule = OpenLoopSchedule(rate: 1000, index: index, of: loops, start: 0)
      // A window from 100 ms to 300 ms, of which the loop sees the first half.
      #expect(schedule.left(from: 100_000_000, before: 300_000_000) > 0)
      while let due = schedule.takeDue(at: 199_999_999, before: 300_000_000) { times.append(due) }
      left += schedule.left(from: 100_000_000, before: 300_000_000)
      #expect(schedule.left(from: 100_000_000, before: 150_000_000) == 0)
    }
    #expect(times.sorted() == (0..<200).map { Int64($0) * 1_000_000 })
    #expect(left == 100)
  }

  // MARK: Bytes

  @Test("a request is patched into its frame", arguments: BenchDialect.allCases)
  func template(_ dialect: BenchDialect) throws {
    let start = dialect == .jsonrpc ? #"{"jsonrpc":"2.0","id":"# : #"{"id":"#
    let task = Array("0b0a2c3e-task".utf8)
    let expected: [(BenchMethod, String)] = [
      (.ping, #"\#(start)1234567890,"method":"ping"}"#),
      (
        .createTask,
        #"\#(start)1234567890,"method":"create_task","params":{"description":"benchmark","wait":false}}"#
      ),
      (
        .getTaskStatus,
        #"\#(start)1234567890,"method":"get_task_status","params":{"task_id":"0b0a2c3e-task"}}"#
      ),
    ]
    for (method, text) in expected {
      let template = RequestTemplate(method, dialect, taskIDBytes: method == .getTaskStatus ? task.count : 0)
      let memory = UnsafeMutableRawBufferPointer.allocate(
        byteCount: RequestTemplate.maxFrameBytes, alignment: 8)
      defer { memory.deallocate() }
      let count = task.withUnsafeBytes {
        template.write(
          id: 1_234_567_890, task: method == .getTaskStatus ? $0 : nil, mask: 0xDEAD_BEEF,
          to: memory.baseAddress!)
      }
      var collector = FrameCollector()
      let frames = try collector.feed(UnsafeRawBufferPointer(rebasing: memory[..<count]))
      #expect(frames.map { String(decoding: $0.payload, as: UTF8.self) } == [text])
      #expect(frames.first?.header.mask == 0xDEAD_BEEF)
    }
    let longest = RequestTemplate(.getTaskStatus, dialect, taskIDBytes: RequestTemplate.maxTaskIDBytes)
    #expect(longest.frame.count <= RequestTemplate.maxFrameBytes)
  }

  /// The three members that a scan finds, or nil where it finds no object.
  private static func scan(_ text: String) -> [String?]? {
    Array(text.utf8).withUnsafeBytes { bytes in
      AnswerScan(bytes).map { scan in
        [scan.id, scan.result, scan.error].map { $0.map { String(decoding: $0, as: UTF8.self) } }
      }
    }
  }

  @Test("an answer's members are found whatever stands around them")
  func scanned() {
    #expect(Self.scan(#"{"jsonrpc":"2.0","id":7,"result":{}}"#) == ["7", "{}", nil])
    #expect(
      Self.scan(" {\n \"result\" : {\"id\": [1, \"}\\\"\"]} , \"x\":null,\"id\" :\t\"a\" } ")
        == ["\"a\"", #"{"id": [1, "}\""]}"#, nil])
    #expect(Self.scan(#"{"error":{"code":-32601,"data":{"result":1}},"id":null}"#)?[1] == nil)
    #expect(Self.scan("{}") == [nil, nil, nil])
  }

  @Test(
    "what is no object is refused, cut anywhere or not",
    arguments: [
      "", " ", "[]", "5", "{}x", "{,}", #"{"a":}"#, #"{"a"}"#, #"{"a":1,}"#, #"{"a":1"b":2}"#, "\\",
    ])
  func notScanned(_ text: String) {
    #expect(Self.scan(text) == nil)
    let whole = #"{"id":1234567890,"result":{"a":["\\\"",{"b":null}]},"error":"\u0020"}"#
    for length in 0..<whole.utf8.count { #expect(Self.scan(String(whole.prefix(length))) == nil) }
  }

  // MARK: Text

  @Test("figures are written with three digits and a unit")
  func figures() {
    let texts: [(Int64, String)] = [
      (0, "0.00 ns"), (950, "950 ns"), (999, "999 ns"), (1000, "1.00 µs"), (12_345, "12.3 µs"),
      (999_600, "1.00 ms"), (1_240_000, "1.24 ms"), (99_960_000, "100 ms"), (2_500_000_000, "2.50 s"),
      (4_000_000_000_000, "4000 s"),
    ]
    for (value, text) in texts { #expect(BenchReport.latency(value) == text) }
    #expect(BenchReport.number(1_234_567) == "1 234 567")
    #expect(BenchReport.number(999) == "999")
    #expect(BenchReport.bytes(1_500_000) == "1.50 MB")
  }
}
