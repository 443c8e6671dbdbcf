import JSON

/// The routes of LiteLLM that the mock knows.
enum LiteLLMRoute: Equatable {
  case alive, readiness, readinessDetails, backlog, health, root
  case models
  case model(String)
  case modelInfo
  case chat(engine: String?)
  case completions, embeddings, responses, messages
  /// An endpoint that needs the database, which the mock has not.
  case database(LiteLLMDatabase)

  /// The route of `path`; nil where LiteLLM answers 404.
  init?(_ request: FaceRequest) {
    switch request.path {
    case "/": self = .root
    case "/health/liveliness", "/health/liveness": self = .alive
    case "/health/readiness": self = .readiness
    case "/health/readiness/details": self = .readinessDetails
    case "/health/backlog": self = .backlog
    case "/health": self = .health
    case "/v1/models", "/models": self = .models
    case "/v1/model/info", "/model/info": self = .modelInfo
    case "/v1/chat/completions", "/chat/completions": self = .chat(engine: nil)
    case "/v1/completions", "/completions": self = .completions
    case "/v1/embeddings", "/embeddings": self = .embeddings
    case "/v1/responses", "/responses": self = .responses
    case "/v1/messages": self = .messages
    default:
      if let engine = request.segment(after: "/engines/", before: "/chat/completions") {
        self = .chat(engine: engine)
      } else if let id = request.segment(after: "/v1/models/") ?? request.segment(after: "/models/") {
        self = .model(id)
      } else if let database = LiteLLMDatabase(path: request.path) {
        self = .database(database)
      } else {
        return nil
      }
    }
  }

  var methods: [String] {
    switch self {
    case .chat, .completions, .embeddings, .responses, .messages: ["POST"]
    case .database(let endpoint): [endpoint.method]
    case .readiness: ["GET", "OPTIONS"]
    case .root: ["GET", "HEAD"]
    default: ["GET"]
    }
  }

  var isPublic: Bool {
    switch self {
    case .alive, .readiness, .root: true
    default: false
    }
  }
}

/// Endpoints that answer with an error as long as LiteLLM has no database.
enum LiteLLMDatabase: String {
  case keyInfo = "/key/info"
  case keyGenerate = "/key/generate"
  case spendLogs = "/spend/logs"
  case spendKeys = "/spend/keys"
  case globalSpend = "/global/spend"

  init?(path: String) { self.init(rawValue: path) }

  var method: String { self == .keyGenerate ? "POST" : "GET" }

  var reply: Reply {
    let text = "Database not connected. Connect a database to your proxy"
    switch self {
    case .spendKeys:
      return Reply(400, json: ["detail": ["error": .string(text)]], headers: LiteLLMHeaders.common)
    case .spendLogs, .globalSpend:
      return LiteLLMErrors.reply(500, text, type: "internal_error", param: "None")
    case .keyInfo, .keyGenerate: return LiteLLMErrors.reply(500, text, type: "internal_server_error")
    }
  }
}
