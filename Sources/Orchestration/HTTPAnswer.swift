import Foundation
import JSON
import ProtocolSpec

/// The answer to an HTTP request, whole.
struct HTTPAnswer: Sendable {
  let status: Int
  let headers: [(name: String, value: String)]
  var body: [UInt8]

  /// - Parameter name: in lower case.
  func header(_ name: String) -> String? {
    headers.first { $0.name.lowercased() == name }?.value
  }

  /// The JSON of a success; an error is classified by what it says and its status.
  func success(_ failures: FailureTable) throws(CallFailure) -> JSONValue {
    let json = try? JSONParser.parse(body, limits: JSONLimits(allowsDuplicateKeys: true))
    let error = json?["error"]
    guard status == 200 else { throw failure(ErrorBody(error ?? json), failures) }
    guard let json, json.object != nil else {
      throw CallFailure(name: .badResponse, detail: "the answer is no JSON object", status: status)
    }
    if let error, !error.isNull {
      var failure = ErrorBody(error).failure(else: .badResponse, failures)
      failure.status = status
      throw failure
    }
    return json
  }

  private func failure(_ error: ErrorBody, _ failures: FailureTable) -> CallFailure {
    let name = failures.classify(status: status, types: error.types, message: error.message)
    let isHeeded = status == 429 || status >= 500
    return CallFailure(
      name: name, detail: error.message.isEmpty ? "status \(status)" : error.message, status: status,
      retryAfter: isHeeded ? RetryAfter.wait(now: Date(), header) : nil,
      isTooLong: name == .invalidRequest
        && failures.policy.largerModel.match(types: error.types, message: error.message))
  }
}

/// What an error says, in the form of OpenAI, LiteLLM or Anthropic.
struct ErrorBody {
  /// Its type and code.
  let types: [String]
  /// Empty if there is none.
  let message: String

  init(_ error: JSONValue?) {
    types = [error?["type"]?.string, error?["code"]?.string].compactMap(\.self)
    message = error?["message"]?.string ?? error?["detail"]?.string ?? error?.string ?? ""
  }

  /// An error that came with status 200: it has the class of what it says, or else `name`.
  func failure(else name: FailureClass, _ failures: FailureTable) -> CallFailure {
    CallFailure(
      name: failures.classify(types: types, message: message) ?? name,
      detail: message.isEmpty ? "an error in an answer with status 200" : message)
  }
}
