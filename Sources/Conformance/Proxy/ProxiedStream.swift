internal import Wire

/// One direction of a WebSocket through a proxy: what is still to be done, in order.
struct ProxiedStream {
  enum Item {
    case message(ProxyMessage)
    /// `isOwed`: decided before nothing went this way any more.
    case bytes([UInt8], isOwed: Bool)
    case wait(Duration)
    case end(isByPeer: Bool)
    case cut
  }

  let direction: ProxyDirection
  /// Whether messages wait for what becomes of them.
  let isHeld: Bool
  /// Whether a `.wait` is running.
  var isWaiting = false
  /// Whether the end has been passed on.
  private(set) var hasEnded = false
  private var tap: MessageTap
  private var queue: [Item] = []
  private var taken = 0
  /// Behind a Close or an end of the proxy's making nothing goes this way.
  private var isSilent = false

  /// Of a message that is held back whole.
  private static let maxHeld = 16 << 20

  init(_ direction: ProxyDirection, isHeld: Bool) {
    self.direction = direction
    self.isHeld = isHeld
    tap = MessageTap(direction, maxBytes: Self.maxHeld)
  }

  mutating func take(_ bytes: UnsafeRawBufferPointer) {
    guard tap.lost == nil else {
      if isHeld { queue.append(.bytes(Array(bytes), isOwed: false)) }
      return
    }
    queue += tap.feed(bytes).map(Item.message)
    guard let why = tap.lost else { return }
    let rest = tap.takeRest()
    queue.append(.message(ProxyMessage(.invalid(why), wire: rest)))
  }

  /// The peer's end of stream.
  mutating func end() {
    let rest = tap.takeRest()
    if !rest.isEmpty {
      queue.append(.message(ProxyMessage(.invalid("the stream ends inside a message"), wire: rest)))
    }
    queue.append(.end(isByPeer: true))
  }

  mutating func next() -> Item? {
    while taken < queue.count {
      let item = queue[taken]
      taken += 1
      if taken == queue.count {
        queue.removeAll(keepingCapacity: true)
        taken = 0
      }
      switch item {
      case .end:
        guard !hasEnded else { continue }
        hasEnded = true
      case .bytes(_, isOwed: false) where isSilent: continue
      default: break
      }
      return item
    }
    return nil
  }

  /// What becomes of a message, before anything behind it.
  mutating func put(_ actions: [ProxyAction], for message: ProxyMessage) {
    var items: [Item] = []
    for action in actions where !isSilent {
      switch action {
      case .forward: items.append(.bytes(message.wire, isOwed: true))
      case .send(let content): items.append(.bytes(Self.frame(content, direction), isOwed: true))
      case .raw(let bytes): items.append(.bytes(bytes, isOwed: true))
      case .wait(let time): items.append(.wait(time))
      case .close(let code, let reason):
        items.append(.bytes(Self.frame(.close(code: code, reason: reason), direction), isOwed: true))
        isSilent = true
      case .end:
        items.append(.end(isByPeer: false))
        isSilent = true
      case .cut: items.append(.cut)
      }
    }
    queue.replaceSubrange(0..<taken, with: items)
    taken = 0
  }

  /// A frame as this direction's source would send it; of what is invalid nothing can be made.
  static func frame(_ content: ProxyMessage.Content, _ direction: ProxyDirection) -> [UInt8] {
    let mask = direction == .toServer ? UInt32.random(in: .min ... .max) : nil
    var bytes: [UInt8] = []
    switch content {
    case .text(let payload): FrameEncoder.append(.text, payload, mask: mask, to: &bytes)
    case .binary(let payload): FrameEncoder.append(.binary, payload, mask: mask, to: &bytes)
    case .ping(let payload): FrameEncoder.append(.ping, payload, mask: mask, to: &bytes)
    case .pong(let payload): FrameEncoder.append(.pong, payload, mask: mask, to: &bytes)
    case .close(let code, let reason):
      FrameEncoder.appendClose(code: code, reason: reason, mask: mask, to: &bytes)
    case .invalid: break
    }
    return bytes
  }
}
