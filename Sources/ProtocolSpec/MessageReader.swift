package import JSON

/// Reads messages of one connection; it knows which dialect was spoken last.
package struct MessageReader: Sendable {
  private let spec: Specification
  /// The dialect of what has none: that of the last readable message.
  private var lastDialect: Dialect
  /// The revision of MCP that was agreed on; its rules hold for JSON-RPC from then on.
  package var revision: MCPRevision?
  /// Whether JSON-RPC is read as of a revision without `initialize`, whatever `_meta` says: what carries
  /// the messages has said so.
  package var assumesStateless = false
  /// Whether there is no bare dialect, so that what has no `jsonrpc` is refused.
  package var isOnlyJSONRPC = false

  package init(spec: Specification, initial: Dialect) {
    self.spec = spec
    lastDialect = initial
  }

  private var errors: ErrorTable { spec.errors }
  private var texts: EnvelopeTexts { spec.envelope }

  /// A message of this dialect was understood without being read here.
  package mutating func note(_ dialect: Dialect) { lastDialect = dialect }

  package mutating func read(_ bytes: [UInt8]) -> Incoming {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONParser.parse(bytes, limits: JSONLimits(depth: spec.limits.jsonDepth))
    } catch {
      return refuse(.parseError, error.description, lastDialect, id: nil)
    }
    return read(value)
  }

  package mutating func read(_ value: JSONValue) -> Incoming {
    switch value {
    case .object(let object):
      lastDialect = isOnlyJSONRPC || object.contains("jsonrpc") ? .jsonrpc : .bare
      return lastDialect == .bare ? bare(object) : jsonrpc(object)
    case .array(let elements):
      lastDialect = .jsonrpc
      if let revision, !revision.has(.batches) {
        let detail = fill(spec.mcp.messages.noBatches, ["revision": revision.name])
        return refuse(.invalidRequest, detail, .jsonrpc, id: nil)
      }
      guard !elements.isEmpty else { return refuse(.invalidRequest, texts.emptyBatch, .jsonrpc, id: nil) }
      let limit = spec.limits.batchElements
      guard elements.count <= limit else {
        let detail = fill(texts.longBatch, ["count": String(elements.count), "limit": String(limit)])
        return refuse(.invalidRequest, detail, .jsonrpc, id: nil)
      }
      return .batch(elements.map(element))
    default:
      return refuse(.invalidRequest, texts.noObject, lastDialect, id: nil)
    }
  }

  /// What to say to a message past the limit, of which nothing is kept.
  package func refuseLongMessage() -> Incoming {
    let detail = fill(texts.longLine, ["limit": String(spec.limits.messageBytes)])
    return refuse(.invalidRequest, detail, lastDialect, id: nil)
  }

  private func element(_ value: JSONValue) -> Incoming {
    guard case .object(let object) = value else {
      return refuse(.invalidRequest, texts.noObject, .jsonrpc, id: nil)
    }
    let incoming = jsonrpc(object)
    // MCP 2025-03-26, lifecycle: "The initialize request MUST NOT be part of a JSON-RPC batch".
    if case .request(let request) = incoming, request.method.mcp == .initialize, let id = request.id {
      return refuse(.invalidRequest, spec.mcp.messages.initializeAlone, .jsonrpc, id: id)
    }
    return incoming
  }

  private func bare(_ object: JSONObject) -> Incoming {
    let id = object["id"]
    guard let method = object["method"] else {
      return refuse(.invalidRequest, texts.methodRequired, .bare, id: id)
    }
    guard let name = method.string else {
      return refuse(.invalidRequest, texts.methodNotString, .bare, id: id)
    }
    return request(name, object["params"], .bare, id: id)
  }

  private func jsonrpc(_ object: JSONObject) -> Incoming {
    let id = object["id"]
    let method = object["method"]
    let isCurrent = object["jsonrpc"] == "2.0"
    // A response is never answered, whatever its id.
    if method == nil, isCurrent, object.contains("result") || object.contains("error") {
      return ClientResponse(object).map(Incoming.response) ?? .ignored
    }
    let isStateless = object["params"]?[MCPMeta.member]?[MCPMeta.protocolVersion] != nil
    guard isID(id, isMCP: revision != nil || isStateless) else {
      let detail = revision == nil && !isStateless ? texts.idType : spec.mcp.messages.idType
      return refuse(.invalidRequest, detail, .jsonrpc, id: nil)
    }
    guard isCurrent else { return refuse(.invalidRequest, texts.version, .jsonrpc, id: id) }
    guard let method else { return refuse(.invalidRequest, texts.methodRequired, .jsonrpc, id: id) }
    guard let name = method.string else {
      return refuse(.invalidRequest, texts.methodNotString, .jsonrpc, id: id)
    }
    if isStateless || assumesStateless || spec.mcp.isOnlyStateless(name) {
      return stateless(name, object["params"], id: id)
    }
    return request(name, object["params"], .jsonrpc, id: id)
  }

  /// JSON-RPC 2.0 §4 takes null and fractions, MCP neither.
  private func isID(_ id: JSONValue?, isMCP: Bool) -> Bool {
    switch id {
    case nil, .string: true
    case .number(let number): !isMCP || number.isInteger
    case .null: !isMCP
    default: false
    }
  }

  /// A message that says by itself, in `_meta`, what it is to be read by (2026-07-28, basic, `_meta`).
  private func stateless(_ name: String, _ params: JSONValue?, id: JSONValue?) -> Incoming {
    let fault: ProtocolFault
    do throws(ProtocolFault) {
      let revision = try spec.mcp.statelessRevision(params, errors)
      guard let method = spec.mcp.method(name, under: revision) else {
        throw errors.fault(.methodNotFound, ["method": name])
      }
      let params = try method.checked(params, texts: texts)
      return .request(Request(dialect: .jsonrpc, id: id, method: method, params: params, revision: revision))
    } catch {
      fault = error
    }
    return id == nil ? .ignored : .refused(Answer(dialect: .jsonrpc, id: id, outcome: .failure(fault)))
  }

  private func request(_ name: String, _ params: JSONValue?, _ dialect: Dialect, id: JSONValue?) -> Incoming {
    let fault: ProtocolFault
    if dialect == .bare, let method = spec.method(name), !method.dialects.contains(.bare) {
      let detail = fill(texts.jsonrpcOnly, ["method": method.name])
      return refuse(.invalidRequest, detail, .bare, id: id)
    }
    if let method = spec.method(name) ?? (dialect == .jsonrpc ? spec.mcp.method(name, under: revision) : nil)
    {
      do throws(ProtocolFault) {
        let params = try method.checked(params, texts: texts)
        let revision = dialect == .jsonrpc ? revision : nil
        return .request(
          Request(dialect: dialect, id: id, method: method, params: params, revision: revision))
      } catch {
        fault = error
      }
    } else {
      fault = errors.fault(.methodNotFound, ["method": name])
    }
    if dialect == .jsonrpc && id == nil { return .ignored }
    return .refused(Answer(dialect: dialect, id: id, outcome: .failure(fault)))
  }

  private func refuse(_ name: ErrorName, _ detail: String, _ dialect: Dialect, id: JSONValue?) -> Incoming {
    .refused(
      Answer(
        dialect: dialect, id: id, outcome: .failure(errors.fault(name, ["detail": detail])),
        omitsUnknownID: revision?.has(.errorsWithoutID) ?? false))
  }
}
