internal import JSON
internal import Transport
internal import Wire

// Handshakes and plain HTTP.
extension Player {
  func play(_ connect: Connect) async throws(Halt) {
    let name = step.connection
    if connections.contains(where: { $0.name == name && !$0.isFromBeforeRestart && $0.ending == nil }) {
      throw failure("connection \(name) is open already")
    }
    connections.removeAll { $0.name == name }
    let url = Self.origin(of: await target.url) + connect.path
    let headers = try spoken(connect.headers)
    var subprotocols: [String] = []
    for offer in connect.offers { subprotocols.append(try value(of: offer).string ?? "") }
    let offered = subprotocols.isEmpty ? "" : " offering \(subprotocols.joined(separator: ", "))"
    log.add(.toServer, "(upgrade \(connect.path)\(offered)\(Self.shown(headers)))", on: name)
    watch?.connects(name)
    let client: WebSocketClient
    do throws(WebSocketClientError) {
      client = try await WebSocketClient.connect(
        url: url, subprotocols: subprotocols, headers: headers, deadline: limit,
        options: ChannelOpener.options, on: loop)
    } catch {
      return try refused(error, connect.outcome)
    }
    log.add(.toClient, "(101\(client.subprotocol.map { " \($0)" } ?? ""))", on: name)
    let place = adopt(WebSocketChannel(client), name)
    try accepted(client, connect.outcome)
    try await begin(place, name)
  }

  private func accepted(_ client: WebSocketClient, _ outcome: ConnectOutcome) throws(Halt) {
    guard case .accepted(let subprotocol, let headers) = outcome else {
      throw failure("the upgrade was accepted, a refusal is expected")
    }
    var differences: [Difference] = []
    if let subprotocol {
      let chosen = client.subprotocol.map(JSONValue.string)
      differences += subprotocol.match(chosen, at: JSONPointer(tokens: ["subprotocol"]), &bindings)
    }
    differences += self.differences(headers, client.response.headers)
    guard differences.isEmpty else { throw failure("the answer to the upgrade differs", differences) }
  }

  private func refused(_ error: WebSocketClientError, _ outcome: ConnectOutcome) throws(Halt) {
    guard case .rejected(let status, let headers, let body, let reason) = error else {
      throw failure("the upgrade got no answer: \(error)")
    }
    log.add(.toClient, "(\(status)) \(body.shown)", on: step.connection)
    guard case .refused(let answered) = outcome else {
      throw failure("the upgrade was refused: \(reason): \(String(body.shown.prefix(200)))")
    }
    // A 101 that is none: the server took the upgrade, wrongly.
    guard status != 101 else { throw failure("the upgrade was accepted, a refusal is expected: \(reason)") }
    let differences = differences(answered, status: status, headers, body)
    guard differences.isEmpty else { throw failure("the refusal differs", differences) }
  }

  func play(_ exchange: Exchange) async throws(Halt) {
    let headers = try spoken(exchange.headers)
    let url = Self.origin(of: await target.url).replacing("ws://", with: "http://", maxReplacements: 1)
    let body = Array((exchange.body ?? "").utf8)
    log.add(
      .toServer, "\(exchange.method) \(exchange.path)\(Self.shown(headers)) \(body.shown)",
      on: step.connection)
    watch?.connects(nil)
    let response: HTTPClientResponse
    do throws(HTTPClientError) {
      response = try await http.send(
        HTTPClientRequest(method: exchange.method, url: url + exchange.path, headers: headers, body: body),
        deadlines: Deadlines(connect: limit, firstByte: limit, idle: limit, total: limit))
    } catch {
      throw failure("\(exchange.method) \(exchange.path) got no answer: \(error)")
    }
    let answer = try watched(response, exchange, body)
    log.add(.toClient, "\(answer.status) \(answer.body.shown)", on: step.connection)
    let differences = differences(exchange.answer, status: answer.status, answer.headers, answer.body)
    guard differences.isEmpty else { throw failure("the answer differs", differences) }
  }

  private func watched(
    _ response: HTTPClientResponse, _ exchange: Exchange, _ body: [UInt8]
  ) throws(Halt) -> PlayedAnswer {
    let answer = PlayedAnswer(status: response.status, headers: response.headers, body: response.body)
    guard let watch else { return answer }
    let request = HTTPRequestHead(method: exchange.method, target: exchange.path)
    let seen = ProxiedExchange(
      request: request, requestBody: body, response: response.head, responseBody: response.body, at: .now)
    guard let changed = watch.answer(seen, target.transport) else {
      throw failure("\(exchange.method) \(exchange.path) got no whole answer")
    }
    return changed
  }

  private func spoken(_ headers: [(name: String, value: Matcher)]) throws(Halt) -> HTTPHeaders {
    var fields = target.headers
    for (name, matcher) in headers {
      let value = try value(of: matcher)
      let text = value.string ?? value.description
      if target.headers[name] != nil { fields.set(name, text) } else { fields.append(name, text) }
    }
    return fields
  }

  private static func shown(_ headers: HTTPHeaders) -> String {
    headers.map { " \($0.name): \($0.value)" }.joined(separator: ",")
  }

  private func differences(
    _ answered: Answered, status: Int, _ headers: HTTPHeaders, _ body: [UInt8]
  ) -> [Difference] {
    var differences: [Difference] = []
    if let matcher = answered.status {
      differences += matcher.match(.int(status), at: JSONPointer(tokens: ["status"]), &bindings)
    }
    differences += self.differences(answered.headers, headers)
    if let matcher = answered.body {
      let value = (try? JSONParser.parse(body)) ?? .string(body.shown)
      // A text matcher means the text, also where that happens to be JSON.
      let text = matcher.match(.string(body.shown), at: JSONPointer(tokens: ["body"]), &bindings)
      if !text.isEmpty { differences += matcher.match(value, at: JSONPointer(tokens: ["body"]), &bindings) }
    }
    return differences
  }

  private func differences(_ members: [Matcher.Member], _ headers: HTTPHeaders) -> [Difference] {
    members.flatMap { member in
      let value = headers[member.key].map(JSONValue.string)
      return member.matcher.match(value, at: JSONPointer(tokens: ["headers", member.key]), &bindings)
    }
  }

  /// `ws://host:port` of a URL.
  private static func origin(of url: String) -> String {
    guard let scheme = url.firstRange(of: "://") else { return url }
    let authority = url[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }
    return String(url[..<scheme.upperBound]).replacing("http://", with: "ws://") + authority
  }
}
