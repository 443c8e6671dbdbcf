import Foundation
import JSON

/// A recorded request with the answer of LiteLLM.
struct RecordedExchange {
  let name: String
  /// `POST /v1/chat/completions`
  let line: String
  let requestHeaders: [String]
  let requestBody: String
  let answer: HTTPAnswer

  /// Nil for a file that holds something else.
  init?(_ file: URL) {
    guard let text = try? String(contentsOf: file, encoding: .utf8),
      let request = text.range(of: "### REQUEST\n"),
      let response = text.range(of: "### RESPONSE (raw)\n"), request.upperBound < response.lowerBound
    else { return nil }
    let asked = text[request.upperBound..<response.lowerBound].replacing("\r\n", with: "\n")
    guard let headEnd = asked.range(of: "\n\n") else { return nil }
    let lines = asked[..<headEnd.lowerBound].split(separator: "\n").map(String.init)
    guard let first = lines.first, first.hasSuffix(" HTTP/1.1") else { return nil }
    guard let answer = HTTPAnswer(Array(text[response.upperBound...].utf8)) else { return nil }
    name = file.deletingPathExtension().lastPathComponent
    line = String(first.dropLast(" HTTP/1.1".count))
    let own = ["host:", "connection:", "content-length:"]
    requestHeaders = lines.dropFirst().filter { line in !own.contains { line.lowercased().hasPrefix($0) } }
    requestBody = asked[headEnd.upperBound...].trimmingCharacters(in: .newlines)
    self.answer = answer
  }

  /// The body of the answer, without what the file adds behind it.
  var json: JSONValue? {
    try? JSONParser.parse(answer.text.trimmingCharacters(in: .whitespacesAndNewlines))
  }

  var model: String? { (try? JSONParser.parse(requestBody))?["model"]?.string }
}

/// What is compared of two JSON bodies: members and types, not texts.
enum Shape {
  /// Members that LiteLLM passes on from a provider, or writes for some models only.
  static let optional: Set<String> = [
    "system_fingerprint", "cost", "mode", "max_input_tokens", "max_output_tokens",
    "provider_specific_fields", "text_tokens",
  ]

  /// Where `ours` differs from `recorded`.
  static func differences(_ ours: JSONValue, _ recorded: JSONValue, at place: String = "") -> [String] {
    switch (ours, recorded) {
    case (.object(let left), .object(let right)):
      let keys = Set(left.keys).symmetricDifference(right.keys).subtracting(optional)
      let missing = keys.map { "\(place)/\($0) stands on one side only" }
      return missing
        + left.flatMap { key, value in right[key].map { differences(value, $0, at: "\(place)/\(key)") } ?? []
        }
    case (.array(let left), .array(let right)):
      guard let first = left.first, let other = right.first else { return [] }
      return differences(first, other, at: "\(place)/0")
    default:
      return ours.typeName == recorded.typeName
        ? [] : ["\(place) is \(ours.typeName), recorded \(recorded.typeName)"]
    }
  }
}
