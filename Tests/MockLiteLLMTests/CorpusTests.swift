import Foundation
import JSON
import TestSupport
import Testing

@testable import mock_litellm

@Suite("the recorded exchanges")
struct CorpusTests {
  /// What the mock does not play, and why.
  private static let skipped: [(prefix: String, why: String)] = [
    ("25-", "the list of LiteLLM's own routes"), ("22c-", "prices"),
    ("18-", "the recorder's mock_response"), ("50-up-err200", "a mishap inside of LiteLLM"),
    ("19b-", "the recorder's mock_response"),
    ("20b-", "the recorder's mock_response"), ("104-", "streams of /v1/responses"),
    ("101-", "the provider of the recorder is not Anthropic's"), ("100-", "the same"),
  ]

  /// Streams that ended well although the provider's did not.
  private static let endedWell = [
    "60-stream-s-comment", "60-stream-s-split", "60-stream-s-nodone", "60-stream-s-noend",
  ]

  /// Streams in which LiteLLM told of an error, and after how many events.
  private static let brokenStreams: [(name: String, events: Int)] = [
    ("60-stream-s-cut", 3), ("60-stream-s-err", 3), ("60-stream-s-stall", 3), ("93-", 3), ("95-", 3),
    ("96-", 3), ("97-", 3), ("102-", 1), ("103-", 1),
  ]

  /// How LiteLLM is to be configured for a recording, and how many calls came before it.
  private static let gateways: [(name: String, settings: String, before: Int)] = [
    ("60-stream-s-doneonly", #"{"deployments":{"up-s-doneonly":[{"faults":[{"stream":"only_done"}]}]}}"#, 0),
    ("70-auth-sk-ok", #"{"keys":{"sk-ok":{"rpm":100,"tpm":100000,"budget":10,"spend":0.25}}}"#, 0),
    ("70-auth-sk-budget", #"{"keys":{"sk-budget":{"budget":0.001}}}"#, 0),
    ("71-rpm-0", #"{"keys":{"sk-rpm":{"rpm":1}}}"#, 0), ("71-rpm-1", #"{"keys":{"sk-rpm":{"rpm":1}}}"#, 1),
    ("71-rpm-2", #"{"keys":{"sk-rpm":{"rpm":1}}}"#, 2), ("72-", #"{"keys":{"sk-tpm":{"tpm":0}}}"#, 0),
    ("73-par-second", #"{"keys":{"sk-par":{"parallel":0}}}"#, 0),
    ("76-chat-budget", #"{"keys":{"sk-budget":{"budget":0.001,"spend":1}}}"#, 0),
    (
      "81-",
      #"{"deployments":{"withfb":[{"faults":[{"status":500}]}]},"fallbacks":{"withfb":["fb"]}}"#, 0
    ),
    (
      "83-two429-2",
      #"{"deployments":{"two429":[{"faults":[{"status":429,"retry_after":600}]},{"faults":[{"status":429,"retry_after":600}]}]}}"#,
      2
    ),
    ("85-", #"{"deployments":{"flaky1":[{"faults":[{"status":500,"times":1}]}]}}"#, 0),
    ("86-", #"{"deployments":{"flaky2":[{"faults":[{"status":500,"times":2}]}]}}"#, 0),
    (
      "87-auth2-2",
      #"{"cooldown":"10m","deployments":{"auth2":[{"faults":[{"status":401}]},{"faults":[{"status":401}]}]}}"#,
      2
    ),
    (
      "89-",
      #"{"deployments":{"ctxfb":[{"faults":[{"fault":"context-window"}]}]},"fallbacks":{"ctxfb":["fb"]}}"#, 0
    ),
    (
      "92-",
      #"{"timeout":"1ms","deployments":{"hangfb":[{"faults":[{"hang":true}]}]},"fallbacks":{"hangfb":["fb"]}}"#,
      0
    ),
    (
      "94-",
      #"{"deployments":{"streamfb0":[{"faults":[{"stream":"error","events":0}]}]},"fallbacks":{"streamfb0":["fb"]}}"#,
      0
    ),
    ("98-", #"{"deployments":{"single500":[{"faults":[{"status":500}]}]}}"#, 0),
    (
      "99-",
      #"{"deployments":{"withfb":[{"faults":[{"status":500}]}]},"fallbacks":{"withfb":["fb"]}}"#, 0
    ),
  ]

  /// Errors that a request causes by itself, without a rule.
  private static let natural = [
    "03c-", "04-", "05c-", "05d-", "06c-", "08b-", "108-", "122-", "123-", "21-", "22", "24-", "28-", "29-",
    "30-",
    "31", "32", "33", "34", "42-",
  ]

  /// Completions that only a rule's body can give.
  private static let oddCompletions = ["50-up-emptychoices", "50-up-nullcontent", "50-up-nousage"]

  /// Headers that depend on the provider behind, on the limits of a key, or on the connection.
  private static func isOptional(_ header: String, isKeyed: Bool) -> Bool {
    let isOfKey = header.hasPrefix("x-ratelimit-api_key-") || header.hasPrefix("x-litellm-key-")
    if isKeyed, isOfKey { return header == "x-litellm-key-spend" }
    return isOfKey || header.hasPrefix("llm_provider-") || header.hasPrefix("x-ratelimit-")
      || [
        "request-id", "x-litellm-overhead-duration-ms", "x-litellm-max-retries",
        "x-litellm-callback-duration-ms",
        "x-litellm-response-cost",
        "x-litellm-model-api-base", "date", "connection", "transfer-encoding", "content-length",
      ].contains(header)
  }

  @Test("have the same status, header names and body shapes")
  func compare() async throws {
    guard let folder = Corpora.folder("litellm-recorded") else { return }
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    let exchanges = files.sorted { $0.path < $1.path }.compactMap(RecordedExchange.init).filter { exchange in
      Self.endedWell.contains(exchange.name) || !Self.skipped.contains { exchange.name.hasPrefix($0.prefix) }
    }
    try #require(exchanges.count > 100)
    var options = Options()
    options.apiKey = "sk-***"
    options.models = Array(Set(exchanges.compactMap(\.model))).filter { $0 != "nope" }.sorted() + ["fb"]
    var failed: [String] = []
    try await RunningMock.run(options) { (mock: RunningMock) async throws in
      for exchange in exchanges {
        let problems = try Self.problems(exchange, mock)
        if !problems.isEmpty { failed.append("\(exchange.name): \(problems.joined(separator: "; "))") }
        try mock.reset()
      }
    }
    Corpora.report("litellm-recorded", ran: exchanges.count, failed: failed.count)
    #expect(failed.isEmpty, "\(failed.joined(separator: "\n"))")
  }

  private static func problems(_ exchange: RecordedExchange, _ mock: RunningMock) throws -> [String] {
    let gateway = gateways.first { exchange.name.hasPrefix($0.name) }
    let isKeyed = gateway?.settings.hasPrefix(#"{"keys""#) == true
    let isNatural = isKeyed || natural.contains { exchange.name.hasPrefix($0) }
    let recorded = exchange.answer
    var headers = exchange.requestHeaders
    // A configuration stays until the next one.
    _ = try mock.ask("admin", "POST /_mock/gateway", headers: [], body: gateway?.settings ?? "{}")
    if let broken = brokenStreams.first(where: { exchange.name.hasPrefix($0.name) }) {
      try mock.arm(#"{"litellm":[{"stream":"error","events":\#(broken.events)}]}"#)
    } else if recorded.status >= 400, !isNatural, gateway == nil {
      var rule: JSONValue = ["status": .int(recorded.status)]
      let error = exchange.json?["error"]
      if error?["type"] == .null {
        rule["message"] = error?["message"]
      } else {
        rule["type"] = error?["type"]
      }
      rule["retry_after"] = recorded["retry-after"].map { .string($0) }
      try mock.arm(JSONWriter.text(["litellm": [rule]]))
    }
    if oddCompletions.contains(exchange.name), let body = exchange.json {
      try mock.arm(JSONWriter.text(["litellm": [["status": 200, "body": body]]]))
    }
    if !isNatural {
      // The keys that the recorder's own check knew.
      headers = headers.map {
        $0.lowercased().hasPrefix("authorization:") ? "Authorization: Bearer sk-***" : $0
      }
    }
    for _ in 0..<(gateway?.before ?? 0) {
      _ = try mock.ask("litellm", exchange.line, headers: headers, body: exchange.requestBody)
    }
    let ours = try mock.ask("litellm", exchange.line, headers: headers, body: exchange.requestBody)
    var problems: [String] = []
    if gateway != nil {
      for name in ["x-litellm-attempted-retries", "x-litellm-attempted-fallbacks"]
      where ours[name] != recorded[name] {
        problems.append("\(name) \(ours[name] ?? "none"), recorded \(recorded[name] ?? "none")")
      }
    }
    if ours.status != recorded.status {
      problems.append("status \(ours.status), recorded \(recorded.status)")
    }
    let names = Set(ours.headers.map(\.name)).symmetricDifference(recorded.headers.map(\.name))
    let odd = names.filter { !isOptional($0, isKeyed: isKeyed) }.sorted()
    if !odd.isEmpty { problems.append("headers on one side only: \(odd.joined(separator: ", "))") }
    return try problems + bodyProblems(ours, exchange, isNatural: isNatural)
  }

  private static func bodyProblems(_ ours: HTTPAnswer, _ exchange: RecordedExchange, isNatural: Bool) throws
    -> [String]
  {
    let recorded = exchange.answer
    guard recorded["content-type"] == ours["content-type"] else {
      return [
        "content-type \(ours["content-type"] ?? "none"), recorded \(recorded["content-type"] ?? "none")"
      ]
    }
    if recorded["content-type"]?.hasPrefix("text/event-stream") == true {
      return try streamProblems(ours, recorded)
    }
    guard let json = exchange.json else { return [] }
    guard let own = try? ours.json else { return ["the body is no JSON"] }
    var problems = Shape.differences(own, json)
    // Which parameter was wrong, only the provider knows.
    if !isNatural { problems.removeAll { $0.hasPrefix("/error/param ") } }
    guard let error = json["error"]?.object else { return problems }
    for key in ["type", "code"] where error[key] != own["error"]?[key] {
      problems.append("\(key) \(own["error"]?[key] ?? .null), recorded \(error[key] ?? .null)")
    }
    if isNatural, error.contains("param"), error["param"] != own["error"]?["param"] {
      problems.append("param differs")
    }
    if isNatural, error.contains("provider_specific_fields"), own["error"]?["provider_specific_fields"] == nil
    {
      problems.append("provider_specific_fields is missing")
    }
    return problems
  }

  private static func streamProblems(_ ours: HTTPAnswer, _ recorded: HTTPAnswer) throws -> [String] {
    guard (ours.events.last == "[DONE]") == (recorded.events.last == "[DONE]") else {
      return ["[DONE] on one side only"]
    }
    if recorded.events.last != "[DONE]" {
      guard let own = ours.events.last, let other = recorded.events.last else { return ["a stream is empty"] }
      guard ours.events.count == recorded.events.count else {
        return ["\(ours.events.count) events, recorded \(recorded.events.count)"]
      }
      return try Shape.differences(JSONParser.parse(own), JSONParser.parse(other))
    }
    func chunks(_ answer: HTTPAnswer) -> [JSONValue] {
      answer.events.dropLast().compactMap { try? JSONParser.parse($0) }
    }
    func pick(_ chunks: [JSONValue]) -> [JSONValue?] {
      [
        chunks.first, chunks.first { $0["choices"]?[0]?["finish_reason"] != nil },
        chunks.first { $0["usage"] != nil },
      ]
    }
    return zip(pick(chunks(ours)), pick(chunks(recorded))).flatMap { own, other -> [String] in
      guard let own, let other else { return own == nil && other == nil ? [] : ["a chunk is missing"] }
      return Shape.differences(own, other)
    }
  }
}
