import JSON
import ProtocolSpec

/// What a client has asked through a bridge and not been told yet, and what the server's end of the
/// connection knows of the client that another connection would not.
struct BridgeLedger {
  private enum Kind { case bare, single, batch }

  private struct Entry {
    let kind: Kind
    /// One of each request; nil where a bare request has none, or where it is answered with null.
    var ids: [JSONValue?]
    let bytes: Int
    /// Not answered before somebody ends it.
    let isEndless: Bool
    let isGreeting: Bool
  }

  /// Oldest first.
  private var entries: [Entry] = []
  private(set) var bytes = 0
  /// How the client has introduced itself, once the server has agreed; a new connection is told again.
  private(set) var greeting: Greeting?
  private var offered: JSONObject?
  private var isReady = false
  /// A method whose effect ends with the connection.
  private(set) var lasting: String?

  struct Greeting {
    /// The request `initialize`.
    let request: JSONObject
    /// The revision that was agreed on.
    let revision: String
    /// Whether the client has said that it is ready.
    var isDone: Bool
  }

  var count: Int { entries.count }
  /// Whether everything is answered that will be answered by itself.
  var isIdle: Bool { entries.allSatisfy(\.isEndless) }

  // MARK: - What is asked

  /// The client sends `value`, in so many bytes.
  mutating func asked(_ value: JSONValue, bytes: Int) {
    switch value {
    case .array(let elements):
      let ids = elements.filter(isRequest).map { $0["id"] }
      // An empty batch and one of nonsense are answered, too.
      if ids.isEmpty, !elements.isEmpty, elements.allSatisfy({ $0["method"] != nil }) { return }
      add(Entry(kind: .batch, ids: ids, bytes: bytes, isEndless: false, isGreeting: false))
    case .object(let object):
      guard object.contains("jsonrpc") else {
        return add(Entry(kind: .bare, ids: [object["id"]], bytes: bytes, isEndless: false, isGreeting: false))
      }
      note(object)
      guard isRequest(value) else { return }
      let method = object["method"]?.string
      add(
        Entry(
          kind: .single, ids: [object["id"]], bytes: bytes,
          isEndless: method == MCPMethod.listen.rawValue, isGreeting: method == MCPMethod.initialize.rawValue
        ))
    default:
      add(Entry(kind: .single, ids: [nil], bytes: bytes, isEndless: false, isGreeting: false))
    }
  }

  private mutating func add(_ entry: Entry) {
    entries.append(entry)
    bytes += entry.bytes
  }

  /// Whether it will be answered: it has an id, or is no message at all.
  private func isRequest(_ value: JSONValue) -> Bool {
    guard case .object(let object) = value else { return true }
    if object["method"] == nil, object.contains("result") || object.contains("error") { return false }
    return object.contains("id") || object["method"]?.string == nil || object["jsonrpc"] != "2.0"
  }

  /// Keeps what has an effect beyond its answer.
  private mutating func note(_ object: JSONObject) {
    let method = object["method"]?.string ?? ""
    switch MCPMethod(rawValue: method) {
    case .initialize: (offered, isReady) = (object, false)
    case .initialized:
      // Some clients do not wait for the answer.
      isReady = true
      greeting?.isDone = true
    case .cancelled:
      // What is cancelled is not answered.
      if let id = object["params"]?["requestId"] { cancelled(id) }
    case .resourcesSubscribe, .setLevel: lasting = method
    default:
      if method == Session.subscribeMethod { lasting = method }
    }
  }

  private mutating func cancelled(_ id: JSONValue) {
    guard remove({ $0.kind == .single && $0.ids == [id] }) == nil,
      let place = entries.firstIndex(where: { $0.kind == .batch && $0.ids.contains(id) })
    else { return }
    entries[place].ids.removeAll { $0 == id }
    if entries[place].ids.isEmpty { remove { $0.kind == .batch && $0.ids.isEmpty } }
  }

  // MARK: - What is told

  /// The server sends `value`.
  mutating func told(_ value: JSONValue) {
    switch value {
    case .array(let elements):
      remove { entry in
        entry.kind == .batch && elements.contains { element in entry.ids.contains(element["id"]) }
      }
    case .object(let object) where object["method"] == nil:
      if object.contains("jsonrpc") { answered(object) } else { answeredBare(object["id"]) }
    default: break
    }
  }

  private mutating func answered(_ object: JSONObject) {
    guard let id = object["id"], id != .null else {
      // Of what had no id that could be told, the oldest.
      remove { $0.kind == .batch || $0.kind == .single && ($0.ids == [nil] || $0.ids == [.null]) }
      return
    }
    if let entry = remove({ $0.kind == .single && $0.ids == [id] }), entry.isGreeting, let offered,
      let revision = object["result"]?["protocolVersion"]?.string
    {
      greeting = Greeting(request: offered, revision: revision, isDone: isReady)
    }
  }

  private mutating func answeredBare(_ id: JSONValue?) { remove { $0.kind == .bare && $0.ids == [id] } }

  /// Removes the oldest entry for which it holds.
  @discardableResult
  private mutating func remove(_ isMeant: (Entry) -> Bool) -> Entry? {
    guard let place = entries.firstIndex(where: isMeant) else { return nil }
    bytes -= entries[place].bytes
    return entries.remove(at: place)
  }

  // MARK: - What will not be told

  /// Answers everything that is left with `fault`, so that nobody waits for ever.
  mutating func giveUp(_ fault: ProtocolFault) -> [[UInt8]] {
    defer { (entries, bytes) = ([], 0) }
    return entries.compactMap { entry in
      let dialect: Dialect = entry.kind == .bare ? .bare : .jsonrpc
      let answers = entry.ids.map { Answer(dialect: dialect, id: $0, outcome: .failure(fault)) }
      guard entry.kind == .batch else {
        var text: [UInt8] = []
        answers.first?.write(to: &text)
        return text
      }
      var text = [UInt8(ascii: "[")]
      for (position, answer) in answers.enumerated() {
        if position > 0 { text.append(UInt8(ascii: ",")) }
        answer.write(to: &text)
      }
      return text + [UInt8(ascii: "]")]
    }
  }
}
