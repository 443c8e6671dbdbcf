internal import JSON
internal import Synchronization
internal import Transport

/// What a target declares to clients of MCP, asked once for each revision that a run speaks.
final class MCPOffers: Sendable {
  /// Of one revision.
  enum Offer: Sendable {
    case speaks(capabilities: JSONValue, tools: Set<String>)
    /// It is there and does not speak the revision.
    case refuses(String)
    /// Nobody knows: cases are played, and will tell.
    case unknown
  }

  private let offers = Mutex<[TranscriptDialect: Offer]>([:])
  private static let mostPages = 50

  /// Asks for what the cases need to know, if that is not known yet.
  func ask(_ cases: [TranscriptCase], _ target: Target, loop: EventLoop, within limit: Duration) async {
    for dialect in TranscriptDialect.allCases where dialect.revision != nil {
      let isNeeded = cases.contains { $0.dialect == dialect && $0.transports.contains(target.transport) }
      guard isNeeded, offers.withLock({ $0[dialect] == nil }) else { continue }
      let offer = await Self.offer(dialect, target, loop, limit)
      offers.withLock { $0[dialect] = offer }
    }
  }

  private static func offer(
    _ dialect: TranscriptDialect, _ target: Target, _ loop: EventLoop, _ limit: Duration
  ) async -> Offer {
    let opener = ChannelOpener(target: target, dialect: dialect, loop: loop)
    guard let channel = try? await opener.open(within: limit) else { return .unknown }
    let talk = ChannelTalk(channel: channel, limit: limit)
    let offer: Offer
    do throws(ChannelTalk.Silence) {
      offer =
        dialect.isStateless ? try await discover(dialect, talk) : try await initialize(dialect, talk)
    } catch {
      offer = error.isRefusal ? .refuses(error.description) : .unknown
    }
    await channel.hangUp()
    return offer
  }

  private static func initialize(
    _ dialect: TranscriptDialect, _ talk: ChannelTalk
  ) async throws(ChannelTalk.Silence) -> Offer {
    let revision = dialect.revision ?? ""
    let answer = try await talk.ask(MCPClientOffer().initialize(revision, id: "offer"))
    guard let result = answer["result"] else { return .refuses(reason(answer)) }
    let agreed = result["protocolVersion"]?.string ?? "no revision"
    guard agreed == revision else { return .refuses("the target offers \(agreed)") }
    await talk.tell(MCPClientOffer.initialized)
    return await speaks(result["capabilities"], talk, meta: nil)
  }

  private static func discover(
    _ dialect: TranscriptDialect, _ talk: ChannelTalk
  ) async throws(ChannelTalk.Silence) -> Offer {
    let revision = dialect.revision ?? ""
    let answer = try await talk.ask(dialect.signOfLife("offer"))
    guard let result = answer["result"] else { return .refuses(reason(answer)) }
    let versions = (result["supportedVersions"]?.array ?? []).compactMap(\.string)
    guard versions.contains(revision) else {
      return .refuses("the target offers \(versions.joined(separator: ", "))")
    }
    let meta = MCPClientOffer().meta(revision)
    return await speaks(
      result["capabilities"], talk, meta: .object(JSONObject(meta.map { ($0.key, $0.value) })))
  }

  private static func reason(_ answer: JSONValue) -> String {
    "the target answers \(FlowText.text(answer["error"] ?? answer, limit: 120))"
  }

  private static func speaks(
    _ capabilities: JSONValue?, _ talk: ChannelTalk, meta: JSONValue?
  ) async -> Offer {
    var tools: Set<String> = []
    var cursor: JSONValue?
    for page in 0..<mostPages where capabilities?["tools"] != nil {
      var params = JSONObject()
      params["cursor"] = cursor
      params["_meta"] = meta
      let request: JSONValue = [
        "jsonrpc": "2.0", "id": .string("tools \(page)"), "method": "tools/list", "params": .object(params),
      ]
      guard let answer = try? await talk.ask(request) else { break }
      tools.formUnion((answer["result"]?["tools"]?.array ?? []).compactMap { $0["name"]?.string })
      cursor = answer["result"]?["nextCursor"]
      if cursor?.string == nil { break }
    }
    return .speaks(capabilities: capabilities ?? .object(JSONObject()), tools: tools)
  }

  // MARK: What a case needs

  /// Why a case is not applicable; nil if it is, as far as MCP is concerned.
  func missing(_ transcript: TranscriptCase) -> String? {
    guard transcript.dialect.revision != nil, let offer = offers.withLock({ $0[transcript.dialect] }) else {
      return nil
    }
    switch offer {
    case .unknown: return nil
    case .refuses(let reason):
      return "needs MCP \(transcript.dialect.revision ?? ""), and \(reason)"
    case .speaks(let capabilities, let tools):
      let missing = transcript.mcpNeeds.filter {
        !Self.has($0, capabilities, tools, isStateless: transcript.dialect.isStateless)
      }
      guard !missing.isEmpty else { return nil }
      return "needs \(missing.map(\.description).joined(separator: ", ")), which the target does not declare"
    }
  }

  private static let tasksExtension = "io.modelcontextprotocol/tasks"

  private static func has(
    _ need: MCPNeed, _ capabilities: JSONValue, _ tools: Set<String>, isStateless: Bool
  ) -> Bool {
    switch need {
    case .fixtures: return tools.contains(MCPNeed.fixtureTool)
    case .tools: return tools.contains(MCPNeed.ownTool)
    case .declared(var path):
      // What was a capability of its own became an extension.
      if isStateless, path == ["tasks"] { path = ["extensions", tasksExtension] }
      let value = path.reduce(Optional(capabilities)) { $0?[$1] }
      return value.map { !$0.isNull && $0 != false } ?? false
    }
  }
}

extension TranscriptCase {
  /// Why it cannot be played over a transport; nil if it can.
  func missing(over transport: PlayTransport) -> String? {
    guard transports.contains(transport) else {
      let names = transports.map(\.words).joined(separator: " or ")
      return "needs \(names), and the target is spoken with over \(transport.words)"
    }
    guard transport == .stdio else { return nil }
    if needs.contains(.http) { return "needs http, and the target is spoken with over stdio" }
    let isRestarted = steps.contains { if case .restart = $0.action { true } else { false } }
    return isRestarted ? "needs a restart, and over stdio each connection has a process of its own" : nil
  }
}
