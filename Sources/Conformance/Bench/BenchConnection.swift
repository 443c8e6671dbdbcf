internal import Transport
internal import Wire

/// One connection of the load generator: knows what it has asked, and judges each answer.
/// Confined to the loop of its worker.
final class BenchConnection: LoopWebSocketHandler {
  /// A request in flight.
  private struct Slot {
    var id = 0
    /// When it was sent, or due.
    var start: Int64 = 0
    var method = BenchMethod.ping
    /// How many bytes of its place in `tasks` are the id of the task asked for.
    var taskIDBytes = 0
  }

  private let worker: BenchWorker
  private let socket: LoopWebSocket
  private var isOpen = false

  // The bytes of a request's id are those of its slot and a count; so an answer finds its slot.
  private let slots: UnsafeMutableBufferPointer<Slot>
  private let slotBits: Int
  private let free: UnsafeMutableBufferPointer<Int>
  private(set) var room: Int
  private var uses = 0
  /// The slots in the order of their requests, for a dialect that answers in that order.
  private let order: UnsafeMutableBufferPointer<Int>
  private var orderStart = 0
  private let tasks: UnsafeMutableRawBufferPointer

  private let output: UnsafeMutableRawBufferPointer
  private var outputCount = 0
  private var now: Int64 = 0
  private var answersInRead = 0

  var inFlight: Int { free.count - room }
  var hasOutput: Bool { outputCount > 0 }

  init(_ worker: BenchWorker) {
    self.worker = worker
    let plan = worker.plan
    let (url, headers) = plan.connected
    socket = LoopWebSocket(url: url, headers: headers, on: worker.loop)
    let count = plan.pipeline
    slotBits = Int.bitWidth - (count - 1).leadingZeroBitCount
    slots = .allocate(capacity: count)
    slots.initialize(repeating: Slot())
    free = .allocate(capacity: count)
    _ = free.initialize(from: 0..<count)
    room = count
    order = .allocate(capacity: count)
    order.initialize(repeating: 0)
    tasks = .allocate(byteCount: count * RequestTemplate.maxTaskIDBytes, alignment: 8)
    output = .allocate(byteCount: count * RequestTemplate.maxFrameBytes, alignment: 8)
  }

  deinit {
    slots.deallocate()
    free.deallocate()
    order.deallocate()
    tasks.deallocate()
    output.deallocate()
  }

  func connect(within limit: Duration) { socket.connect(within: limit, self) }

  /// Says goodbye; nothing is told any more.
  func close() {
    isOpen = false
    socket.close()
  }

  // MARK: Asking

  /// Queues a request; there must be room. `flush` sends it.
  @inline(__always)
  func ask(_ method: BenchMethod, start: Int64) {
    room -= 1
    let place = free[room]
    uses += 1
    let id = RequestTemplate.firstID + (uses << slotBits | place) % RequestTemplate.idCount
    if worker.plan.dialect == .bare {
      let end = orderStart + inFlight - 1
      order[end < order.count ? end : end - order.count] = place
    }
    var slot = Slot(id: id, start: start, method: method)
    var task: UnsafeRawBufferPointer?
    if method == .getTaskStatus {
      let copy = UnsafeMutableRawBufferPointer(rebasing: tasks[(place * RequestTemplate.maxTaskIDBytes)...])
      slot.taskIDBytes = worker.takeTaskID(copy)
      task = UnsafeRawBufferPointer(rebasing: copy[..<slot.taskIDBytes])
    }
    slots[place] = slot
    guard let memory = output.baseAddress else { return }
    outputCount += worker.template(method, taskIDBytes: slot.taskIDBytes).write(
      id: id, task: task, mask: worker.nextMask(), to: memory + outputCount)
    worker.countSent(start)
  }

  /// Asks until the pipeline is full.
  func fill(at now: Int64) {
    guard isOpen, now < worker.window.end else { return }
    while room > 0 { ask(worker.nextMethod(), start: now) }
    flush(at: now)
  }

  /// Sends what is queued, in one write.
  func flush(at now: Int64) {
    guard outputCount > 0 else { return }
    let count = outputCount
    outputCount = 0
    worker.countBytes(sent: count, at: now)
    socket.write(UnsafeRawBufferPointer(rebasing: output[..<count]))
  }

  // MARK: Answers

  func onOpen() {
    isOpen = true
    worker.opened()
  }

  func onReadable(at now: Int64, count: Int) {
    self.now = now
    worker.countBytes(received: count, at: now)
  }

  func onMessage(_ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer) {
    if let shape = worker.pingShape, shape.fits(bytes) {
      var place = next
      if let idStart = shape.idStart {
        let digits = UnsafeRawBufferPointer(rebasing: bytes[idStart..<(idStart + RequestTemplate.idDigits)])
        let named = find(digits)
        place = worker.plan.dialect == .bare && named != place ? nil : named
      }
      if let place, slots[place].method == .ping { return succeed(place) }
    }
    judge(kind, bytes)
  }

  func onRead() {
    worker.countAnswers(answersInRead, at: now)
    answersInRead = 0
    worker.hasRead(self, at: now)
  }

  func onEnd(_ reason: String) {
    isOpen = false
    worker.countAnswers(answersInRead, at: now)
    worker.ended(self, reason)
  }

  /// The slot of the oldest request, in a dialect that answers in order.
  private var next: Int? { inFlight > 0 ? order[orderStart] : nil }

  @inline(__always)
  private func find(_ digits: UnsafeRawBufferPointer) -> Int? {
    guard let id = RequestTemplate.readID(digits) else { return nil }
    let place = (id - RequestTemplate.firstID) & ((1 << slotBits) - 1)
    return place < slots.count && slots[place].id == id ? place : nil
  }

  @inline(__always)
  private func succeed(_ place: Int) {
    let slot = slots[place]
    release(place)
    answersInRead += 1
    worker.record(slot.method, start: slot.start, latency: now - slot.start)
  }

  private func release(_ place: Int) {
    if worker.plan.dialect == .bare {
      orderStart += 1
      if orderStart == order.count { orderStart = 0 }
    }
    slots[place].id = 0
    free[room] = place
    room += 1
  }

  /// The whole check, for all that does not look like the last right answer to a ping.
  private func judge(_ kind: WebSocketMessageKind, _ bytes: UnsafeRawBufferPointer) {
    let scan = kind == .text ? AnswerScan(bytes) : nil
    let named = scan?.id.flatMap(find)
    let place: Int?
    if worker.plan.dialect == .bare {
      // Answers come in order, and an id need not be there; if it is, it must be the right one.
      place = next
      if let place, scan?.id != nil, named != place {
        return fail(place, "an answer with the id of another request")
      }
    } else {
      place = named
    }
    guard let place else {
      let what = scan == nil ? Self.nonsense(kind) : "an answer to nothing that was asked"
      return worker.note(scan?.error.map { "\(what): \(BenchError.text($0))" } ?? what)
    }
    guard let scan else { return fail(place, Self.nonsense(kind)) }
    let method = slots[place].method
    if let error = scan.error { return fail(place, "\(method.name): \(BenchError.text(error))") }
    guard let result = scan.result else { return fail(place, "\(method.name): neither result nor error") }
    guard isRight(result, place) else { return fail(place, "\(method.name): a wrong result") }
    if method == .ping { worker.pingShape = AnswerShape(bytes, id: scan.id) }
    succeed(place)
  }

  private static func nonsense(_ kind: WebSocketMessageKind) -> String {
    kind == .text ? "an answer that is no JSON object" : "a binary message"
  }

  private func isRight(_ result: UnsafeRawBufferPointer, _ place: Int) -> Bool {
    switch slots[place].method {
    case .ping:
      return worker.plan.dialect == .bare
        ? result.matches(#""pong""#) : result.first == UInt8(ascii: "{")
    case .createTask:
      guard let id = AnswerScan.member("task_id", of: result)?.unquoted, !id.isEmpty else { return false }
      worker.keepTaskID(id)
      return true
    case .getTaskStatus:
      let start = place * RequestTemplate.maxTaskIDBytes
      guard let id = AnswerScan.member("task_id", of: result)?.unquoted else { return false }
      return id.elementsEqual(tasks[start..<(start + slots[place].taskIDBytes)])
    }
  }

  private func fail(_ place: Int, _ kind: String) {
    let start = slots[place].start
    release(place)
    worker.failed(kind, start: start)
  }

  /// Requests of the window that are still in flight.
  var unanswered: Int { slots.count { $0.id != 0 && worker.window.contains($0.start) } }
}

/// The error of an answer in a few words.
enum BenchError {
  private static let maxBytes = 80

  static func text(_ error: UnsafeRawBufferPointer) -> String {
    if let code = AnswerScan.member("code", of: error) { return "error \(printable(code))" }
    return "error \(printable(error))"
  }

  /// Hostile bytes made fit for a terminal.
  private static func printable(_ bytes: UnsafeRawBufferPointer) -> String {
    let text = String(decoding: bytes.prefix(maxBytes), as: UTF8.self)
    let scalars = text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }
    return String(String.UnicodeScalarView(scalars)) + (bytes.count > maxBytes ? "…" : "")
  }
}
