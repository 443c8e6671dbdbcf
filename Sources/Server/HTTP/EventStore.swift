/// What was sent on the event streams of one session, for a client that comes back to one of them
/// (2025-11-25, transports, resumability and redelivery).
///
/// Bounded by events and by bytes; the oldest go first, whichever stream they are of.
struct EventStore {
  /// The place of an event: its stream, and its number there, from 1. Number 0 is the place before the first.
  struct ID: Hashable {
    let stream: Int
    let number: Int

    var text: String { "\(stream)-\(number)" }

    init(stream: Int, number: Int) {
      self.stream = stream
      self.number = number
    }

    /// Nil if `text` is no place that this kit has ever told.
    init?(_ text: String) {
      let parts = text.split(separator: "-", omittingEmptySubsequences: false)
      guard parts.count == 2, let stream = Int(parts[0]), let number = Int(parts[1]) else { return nil }
      self.init(stream: stream, number: number)
      guard self.text == text else { return nil }
    }
  }

  struct Event {
    let id: ID
    let data: [UInt8]
  }

  private struct Stream {
    /// The number of its last event.
    var last = 0
    var kept = 0
    var hasEnded = false
  }

  private let maxEvents: Int
  private let maxBytes: Int
  /// Oldest first; what is in front of `first` is gone.
  private var events: [Event] = []
  private var first = 0
  private var bytes = 0
  private var streams: [Int: Stream] = [:]
  private var nextStream = 0

  init(maxEvents: Int, maxBytes: Int) {
    self.maxEvents = maxEvents
    self.maxBytes = maxBytes
  }

  /// Gives the number of a new stream, from 0.
  mutating func open() -> Int {
    defer { nextStream += 1 }
    streams[nextStream] = Stream()
    return nextStream
  }

  /// Keeps an event of a stream that is open. One that is larger than the bound has a number but is not kept.
  mutating func append(_ data: [UInt8], to stream: Int) -> ID {
    streams[stream, default: Stream()].last += 1
    let id = ID(stream: stream, number: streams[stream]?.last ?? 1)
    guard data.count <= maxBytes, maxEvents > 0 else { return id }
    streams[stream]?.kept += 1
    events.append(Event(id: id, data: data))
    bytes += data.count
    while events.count - first > maxEvents || bytes > maxBytes { dropFirst() }
    return id
  }

  /// No more events will come on the stream; it is forgotten with the last of those that are kept.
  mutating func end(_ stream: Int) {
    streams[stream]?.hasEnded = true
    forgetIfEmpty(stream)
  }

  /// What is kept of the events behind `id` on its stream; nil if there was no such place, or nothing is
  /// known of the stream any more.
  func events(after id: ID) -> [Event]? {
    guard let stream = streams[id.stream], id.number >= 0, id.number <= stream.last else { return nil }
    return events[first...].filter { $0.id.stream == id.stream && $0.id.number > id.number }
  }

  private mutating func dropFirst() {
    let event = events[first]
    bytes -= event.data.count
    // Freed at once, although its place stays for a while.
    events[first] = Event(id: event.id, data: [])
    first += 1
    streams[event.id.stream]?.kept -= 1
    forgetIfEmpty(event.id.stream)
    // The places move once in so many events, so each moves a bounded number of times.
    if first > 32, first > events.count / 2 {
      events.removeFirst(first)
      first = 0
    }
  }

  private mutating func forgetIfEmpty(_ stream: Int) {
    if let entry = streams[stream], entry.hasEnded, entry.kept == 0 { streams[stream] = nil }
  }
}
