import Orchestration
import ProtocolSpec
import Transport

/// The client at the other end of standard input and output: a message a line (MCP, transports, stdio).
final class PipeSession: StreamSession, LinePipeHandler {
  private let pipe: LinePipe
  private let limits: Limits
  private let whenEnded: @Sendable (PipeClient.Ending) -> Void
  /// As much as may be under way is.
  private var isFull = false
  /// The client takes answers more slowly than it asks.
  private var isBehind = false
  /// The client will ask nothing more.
  private var hasEnded = false
  private var isOver = false
  /// Nothing can be told any more.
  private var isGone = false

  /// - Parameter whenEnded: called once, when nothing is left to be done for the client.
  init(_ service: Service, _ pipe: LinePipe, whenEnded: @escaping @Sendable (PipeClient.Ending) -> Void) {
    self.pipe = pipe
    self.whenEnded = whenEnded
    limits = service.spec.limits
    super.init(service, on: pipe.loop, remote: "stdio", dialect: .jsonrpc)
    service.metrics.opened(.stdio)
  }

  // MARK: - What comes

  func onLine(_ bytes: UnsafeRawBufferPointer) { take(bytes) }

  func onLongLine() { refuseLongMessage() }

  func onEnd() {
    hasEnded = true
    // Nobody would end these.
    for work in underWay.removeEndless() { work.stop?() }
    guard !isIdle else { return over(.answered) }
    let bound = LoopBound(self, on: loop)
    loop.schedule(after: limits.endOfInputTime) { bound.value.over(.late) }
  }

  override func isNowIdle() {
    if hasEnded { over(.answered) }
  }

  func onBroken(_ reason: String) { leave(.left(reason)) }

  private func leave(_ ending: PipeClient.Ending) {
    guard !isGone else { return }
    isGone = true
    end()
    over(ending)
  }

  private func over(_ ending: PipeClient.Ending) {
    guard !isOver else { return }
    isOver = true
    whenEnded(ending)
  }

  // MARK: - What goes

  override func tell(_ message: UnsafeRawBufferPointer) {
    guard !isGone else { return }
    pipe.write(message)
    let unsent = pipe.unsent
    if unsent > limits.unsentBytes { return leave(.behind(limits.unsentBytes)) }
    if unsent > limits.unsentBytes / 2 {
      isBehind = true
      updateReading()
    }
  }

  func onRoom() {
    isBehind = false
    updateReading()
  }

  override func read(_ goesOn: Bool) {
    isFull = !goesOn
    updateReading()
  }

  private func updateReading() {
    if isFull || isBehind { pipe.pauseReading() } else { pipe.resumeReading() }
  }
}

/// The end of standard input and output that clients do not see, before anything is served there.
struct PipeFront {
  let loop: EventLoop
  private let pipe: LinePipe

  init(_ streams: StandardStreams, _ limits: Limits) throws(StartError) {
    do throws(TransportError) {
      loop = try EventLoop(name: "stdio")
    } catch {
      throw StartError(error.description, exit: 1)
    }
    pipe = LinePipe(
      input: streams.input, output: streams.output, maxLineBytes: limits.messageBytes,
      maxUnsentBytes: limits.unsentBytes, on: loop)
  }

  /// Starts to serve the client.
  func serve(_ service: Service) -> PipeClient {
    let client = PipeClient(pipe)
    loop.start()
    let pipe = pipe
    loop.submit {
      let session = PipeSession(service, pipe, whenEnded: client.ended)
      if !pipe.start(session) { client.ended(.left("the system has no threads left")) }
    }
    return client
  }
}

/// The only client of a server on standard input and output.
struct PipeClient: Sendable {
  /// Why there is nothing more to do for it.
  enum Ending: Sendable, CustomStringConvertible {
    /// Its input has ended, and all of it is answered.
    case answered
    /// Its input has ended, and some of it will not be answered soon.
    case late
    /// Nobody reads the output.
    case left(String)
    /// More than so many bytes wait for it.
    case behind(Int)

    var description: String {
      switch self {
      case .answered: "its input has ended"
      case .late: "its input has ended, and not all of it could be answered in time"
      case .left(let reason): "it reads no more: \(reason)"
      case .behind(let limit): "more than \(limit) bytes wait for it"
      }
    }
  }

  private let pipe: LinePipe
  private let endings: AsyncStream<Ending>
  private let continuation: AsyncStream<Ending>.Continuation

  init(_ pipe: LinePipe) {
    self.pipe = pipe
    (endings, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
  }

  @Sendable func ended(_ ending: Ending) { continuation.yield(ending) }

  /// Waits for the end and says what it was.
  func end() async -> Ending {
    for await ending in endings { return ending }
    return .answered
  }

  /// Writes what is left.
  func finish(within limit: Duration) async { await pipe.finish(within: limit) }
}
