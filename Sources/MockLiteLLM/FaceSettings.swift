import ProtocolSpec

/// What the faces have in common.
struct FaceSettings: Sendable {
  static let defaultModels = ["claude-3-5-haiku", "claude-3-5-sonnet", "gpt-4o-mini"]
  static let localModel = "qwen:7b-instruct"

  var models = Self.defaultModels
  var localModels = Self.defaultModels + [Self.localModel]
  /// The key LiteLLM accepts; nil for any.
  var apiKey: String?
  var seed: UInt64 = 1
  /// How LiteLLM is configured; nil for a deployment of each model that always answers.
  var gateway: GatewaySettings?

  /// Sets the models of every face; the local one keeps its own.
  mutating func setModels(_ names: [String]) {
    models = names
    localModels = names + (names.contains(Self.localModel) ? [] : [Self.localModel])
  }
}

/// Where ids and times in answers come from.
struct ReplySource {
  /// Ids in answers, the same for the same seed.
  var ids: SeededGenerator
  /// Milliseconds since 1970.
  let now: @Sendable () -> Int
  /// What a rule says of the completion that is asked for now.
  var change = CompletionChange()
  var gateway: Gateway?
  var keys = GatewayKeys([:])
  /// When the gateway began, in milliseconds since 1970.
  private var gatewayBegin = 0

  init(ids: SeededGenerator, now: @escaping @Sendable () -> Int) {
    self.ids = ids
    self.now = now
  }

  /// Begins the gateway anew: nothing rests, nothing is counted.
  mutating func begin(_ settings: GatewaySettings?, seed: UInt64) {
    gateway = settings.map { Gateway($0, seed: seed) }
    keys = GatewayKeys(settings?.keys ?? [:])
    gatewayBegin = now()
  }

  /// The time on the clock of the gateway.
  var gatewayTime: Duration { .milliseconds(now() - gatewayBegin) }

  var seconds: Int { now() / 1000 }

  mutating func callID(_ request: FaceRequest) -> String {
    request.header("x-litellm-call-id") ?? ids.uuid()
  }
}
