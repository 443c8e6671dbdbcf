import JSON

/// LiteLLM's API as it answers when nothing is wrong with it.
struct LiteLLMFace {
  let settings: FaceSettings

  func reply(to request: FaceRequest, _ source: inout ReplySource) -> Reply {
    guard let route = LiteLLMRoute(request) else { return LiteLLMErrors.detail(404, "Not Found") }
    guard route.methods.contains(request.method) else {
      return LiteLLMErrors.detail(405, "Method Not Allowed", allow: route.methods.filter { $0 != "OPTIONS" })
    }
    var key = ""
    if !route.isPublic, let refusal = refusal(of: request, source.keys, &key) { return refusal }
    switch route {
    case .chat, .completions, .embeddings, .responses, .messages:
      return inference(LiteLLMInference(settings: settings, route: route), request, key, &source)
    default: return information(route, request)
    }
  }

  private func inference(
    _ inference: LiteLLMInference, _ request: FaceRequest, _ key: String, _ source: inout ReplySource
  ) -> Reply {
    guard source.keys.knows(key) else { return inference.reply(to: request, &source) }
    let refusal = source.keys.admit(
      key, now: source.gatewayTime, milliseconds: source.now(), callID: source.callID(request))
    if let refusal { return refusal }
    var reply = inference.reply(to: request, &source)
    reply.key = key
    if let charge = reply.charge {
      let headers = source.keys.charge(key, tokens: charge.tokens, cost: charge.cost)
      for (name, value) in headers { reply.set(name, value) }
    }
    return reply
  }

  /// The answer to a request without the right key; nil if it may pass with `key`.
  private func refusal(of request: FaceRequest, _ keys: GatewayKeys, _ key: inout String) -> Reply? {
    if let given = request.header("authorization") {
      guard given.lowercased().hasPrefix("bearer ") else { return LiteLLMErrors.noScheme }
      key = String(given.dropFirst("bearer ".count))
    } else if let given = request.header("x-api-key") ?? request.header("api-key") {
      key = given
    } else {
      return LiteLLMErrors.noKey
    }
    guard !key.isEmpty else { return LiteLLMErrors.noKey }
    if keys.isEmpty && settings.apiKey == nil { return nil }
    return keys.knows(key) || settings.apiKey == key ? nil : LiteLLMErrors.badKey
  }

  private func information(_ route: LiteLLMRoute, _ request: FaceRequest) -> Reply {
    switch route {
    case .alive: return ok("I'm alive!")
    case .readiness:
      guard request.method == "OPTIONS" else { return ok(["status": "healthy", "db": "Not connected"]) }
      let allowed: [HeaderField] = [
        ("allow", "GET, OPTIONS"), ("access-control-allow-methods", "GET, OPTIONS"),
        ("access-control-allow-headers", "*"),
      ]
      var reply = Reply(200, body: [], type: "", headers: allowed + LiteLLMHeaders.common)
      reply.headers.removeAll { $0.name == "content-type" }
      return reply
    case .readinessDetails:
      return ok([
        "status": "healthy", "db": "Not connected", "cache": .null,
        "litellm_version": .string(LiteLLMHeaders.version), "success_callbacks": [],
        "use_aiohttp_transport": true, "log_level": "WARNING", "is_detailed_debug": false,
        "show_no_redis_warning": true, "show_env_credential_login_warning": true,
      ])
    case .backlog:
      return ok([
        "in_flight_requests": 1, "admitted_requests": 0, "queued_requests": 0, "rejected_requests": 0,
      ])
    case .health: return health(request.parameter("model"))
    case .root:
      let page = "<!DOCTYPE html><html><head><title>LiteLLM API (mock)</title></head><body></body></html>\n"
      return Reply(
        200, body: Array(page.utf8), type: "text/html; charset=utf-8", headers: LiteLLMHeaders.common)
    case .models: return ok(OpenAIBodies.models(settings.models))
    case .model(let name):
      guard settings.models.contains(name) else {
        return LiteLLMErrors.detail(404, "The model `\(name)` does not exist or is not accessible")
      }
      return ok(OpenAIBodies.model(name))
    case .modelInfo: return ok(["data": .array(settings.models.map(modelInfo))])
    case .database(let endpoint): return endpoint.reply
    case .chat, .completions, .embeddings, .responses, .messages:
      return LiteLLMErrors.detail(404, "Not Found")
    }
  }

  private func ok(_ body: JSONValue) -> Reply { Reply(200, json: body, headers: LiteLLMHeaders.common) }

  private func modelInfo(_ name: String) -> JSONValue {
    [
      "model_name": .string(name), "litellm_params": ["model": .string("openai/\(name)")],
      "model_info": ["id": .string(LiteLLMHeaders.modelID(name)), "db_model": false, "mode": "chat"],
    ]
  }

  private func health(_ only: String?) -> Reply {
    let names = settings.models.filter { only == nil || only == $0 }
    let endpoints = names.map { name -> JSONValue in
      ["model": .string("openai/\(name)"), "model_id": .string(LiteLLMHeaders.modelID(name))]
    }
    let body: JSONValue = [
      "healthy_endpoints": .array(endpoints), "unhealthy_endpoints": [],
      "healthy_count": .int(names.count), "unhealthy_count": 0,
    ]
    return Reply(only != nil && names.isEmpty ? 503 : 200, json: body, headers: LiteLLMHeaders.common)
  }
}
