internal import Wire

/// Which envelope the requests wear.
package enum BenchDialect: String, Sendable, CaseIterable {
  case jsonrpc, bare
}

/// A whole frame of a request, encoded once; to send it, the digits of the id, perhaps the id of a
/// task, and the mask are patched in.
struct RequestTemplate: Sendable {
  /// Ids are numbers of this many digits, so that every frame of a template has one length.
  static let idDigits = 10
  static let firstID = 1_000_000_000
  /// How many ids there are from `firstID` on; a multiple of any power of two up to `BenchPlan.maxPipeline`,
  /// so that the low bits of an id are always those of its slot.
  static let idCount = 8_000_000_000
  /// Longer task ids are not asked for.
  static let maxTaskIDBytes = 64

  let frame: [UInt8]
  private let payloadStart: Int
  private let idStart: Int
  private let taskStart: Int

  /// - Parameter taskIDBytes: the length of the task id that a get_task_status asks for.
  init(_ method: BenchMethod, _ dialect: BenchDialect, taskIDBytes: Int = 0) {
    let params: String
    switch method {
    case .ping: params = ""
    case .createTask: params = #","params":{"description":"benchmark","wait":false}"#
    case .getTaskStatus: params = #","params":{"task_id":""#
    }
    let start = (dialect == .jsonrpc ? #"{"jsonrpc":"2.0","id":"# : #"{"id":"#)
    let beforeTask = "\(start)\(Self.firstID),\"method\":\"\(method.name)\"\(params)"
    var payload = Array(beforeTask.utf8)
    if method == .getTaskStatus {
      payload += [UInt8](repeating: UInt8(ascii: "x"), count: taskIDBytes)
      payload += Array(#""}"#.utf8)
    }
    payload.append(UInt8(ascii: "}"))
    var frame: [UInt8] = []
    FrameEncoder.append(.text, payload, mask: 0, to: &frame)
    self.frame = frame
    payloadStart = frame.count - payload.count
    idStart = payloadStart + start.utf8.count
    taskStart = payloadStart + beforeTask.utf8.count
  }

  /// The longest frame there is.
  static let maxFrameBytes = 256

  /// Writes a request to `memory`, which holds at least `maxFrameBytes`; gives its length.
  @inline(__always)
  func write(id: Int, task: UnsafeRawBufferPointer?, mask: UInt32, to memory: UnsafeMutableRawPointer) -> Int
  {
    let count = frame.count
    frame.withUnsafeBytes { source in
      if let base = source.baseAddress { memory.copyMemory(from: base, byteCount: count) }
    }
    var rest = id
    var place = idStart + Self.idDigits
    while place > idStart {
      place -= 1
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      memory.storeBytes(
        of: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit), toByteOffset: place, as: UInt8.self)
      rest = quotient
    }
    if let task, let base = task.baseAddress {
      (memory + taskStart).copyMemory(from: base, byteCount: task.count)
    }
    memory.storeBytes(of: mask.littleEndian, toByteOffset: payloadStart - 4, as: UInt32.self)
    FrameMask.apply(
      mask, to: UnsafeMutableRawBufferPointer(start: memory + payloadStart, count: count - payloadStart))
    return count
  }

  /// The number that these digits are; nil unless they are an id of ours.
  @inline(__always)
  static func readID(_ digits: UnsafeRawBufferPointer) -> Int? {
    guard digits.count == idDigits else { return nil }
    var value = 0
    for byte in digits {
      let digit = byte &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      value = value &* 10 &+ Int(digit)
    }
    return value >= firstID ? value : nil
  }
}

/// The look of an answer that was found right. Another answer with the same bytes but for the id is
/// right too, and need not be scanned.
struct AnswerShape {
  private let bytes: [UInt8]
  /// Where the digits of the id stand; nil without one.
  let idStart: Int?

  init(_ answer: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer?) {
    bytes = Array(answer)
    idStart = id.flatMap { id in
      guard let base = answer.baseAddress, let start = id.baseAddress else { return nil }
      return start - base
    }
  }

  @inline(__always)
  func fits(_ answer: UnsafeRawBufferPointer) -> Bool {
    guard answer.count == bytes.count else { return false }
    return bytes.withUnsafeBytes { known in
      guard let idStart else { return answer.elementsEqual(known) }
      let idEnd = idStart + RequestTemplate.idDigits
      return Self.equal(answer, known, 0, idStart) && Self.equal(answer, known, idEnd, known.count)
    }
  }

  /// Eight bytes at a time.
  @inline(__always)
  private static func equal(
    _ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer, _ start: Int, _ end: Int
  ) -> Bool {
    var place = start
    while place + 8 <= end {
      if left.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        != right.loadUnaligned(fromByteOffset: place, as: UInt64.self)
      {
        return false
      }
      place += 8
    }
    while place < end {
      if left[place] != right[place] { return false }
      place += 1
    }
    return true
  }
}
