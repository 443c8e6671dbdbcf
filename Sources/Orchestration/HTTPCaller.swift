import Foundation
import JSON
import ProtocolSpec
import Transport
import Wire

/// Calls of HTTP services, with what goes wrong put in the words of `Spec/failures.yaml`.
struct HTTPCaller: Sendable {
  let client: HTTPClient
  let deadlines: Deadlines
  /// The longest answer that is read.
  let maxBytes: Int
  let failures: FailureTable

  func get(_ url: String) async throws(CallFailure) -> HTTPAnswer {
    try await send(HTTPClientRequest(method: "GET", url: url))
  }

  func post(
    _ url: String, _ headers: [(String, String)], _ body: JSONValue
  ) async throws(CallFailure) -> HTTPAnswer {
    let headers = HTTPHeaders(headers + [("content-type", "application/json")])
    return try await send(
      HTTPClientRequest(method: "POST", url: url, headers: headers, body: JSONWriter.bytes(body)))
  }

  private func send(_ request: HTTPClientRequest) async throws(CallFailure) -> HTTPAnswer {
    var request = request
    request.maxBodyBytes = maxBytes
    if request.url.hasPrefix("https://") { return try await SecureCall(request, deadlines).send() }
    do throws(HTTPClientError) {
      let answer = try await client.send(request, deadlines: deadlines)
      return HTTPAnswer(
        status: answer.status, headers: answer.headers.map { ($0.name, $0.value) }, body: answer.body)
    } catch {
      throw CallFailure(name: error.failureClass, detail: error.description)
    }
  }
}

extension HTTPClientError {
  fileprivate var failureClass: FailureClass {
    switch self {
    case .badURL, .resolve, .refused, .unreachable, .reset, .cancelled: .gatewayUnreachable
    case .connectTimeout, .firstByteTimeout, .idleTimeout, .totalTimeout: .timeout
    case .truncated, .badResponse, .tooLarge: .badResponse
    }
  }
}
