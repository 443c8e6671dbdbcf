import Foundation
import ProtocolSpec
import Transport
import Wire

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// One call over TLS, through Foundation, which brings certificates and their roots.
///
/// Its own time-outs restart at every byte, so the deadline for the whole call is kept here.
struct SecureCall: Sendable {
  private let request: URLRequest?
  private let total: Duration
  private let maxBytes: Int

  init(_ request: HTTPClientRequest, _ deadlines: Deadlines) {
    maxBytes = request.maxBodyBytes
    let total = deadlines.total ?? deadlines.firstByte + deadlines.idle
    self.total = total
    self.request = URL(string: request.url).map { url in
      var secure = URLRequest(
        url: url, timeoutInterval: max(deadlines.idle, deadlines.firstByte) / .seconds(1))
      secure.httpMethod = request.method
      for (name, value) in request.headers { secure.setValue(value, forHTTPHeaderField: name) }
      if !request.body.isEmpty { secure.httpBody = Data(request.body) }
      return secure
    }
  }

  func send() async throws(CallFailure) -> HTTPAnswer {
    guard let request else {
      throw CallFailure(name: .gatewayUnreachable, detail: "the URL cannot be read")
    }
    let total = total
    let result = await withTaskGroup(of: Result<HTTPAnswer, CallFailure>.self) { group in
      group.addTask { await Self.exchange(request) }
      group.addTask {
        try? await Task.sleep(for: total)
        return .failure(CallFailure(name: .timeout, detail: "the call took longer than \(total)"))
      }
      let first = await group.next()
      group.cancelAll()
      return first ?? .failure(CallFailure(name: .timeout, detail: "the call was cancelled"))
    }
    let answer = try result.get()
    guard answer.body.count <= maxBytes else {
      throw CallFailure(
        name: .badResponse, detail: "the answer has \(answer.body.count) bytes, limit \(maxBytes)")
    }
    return answer
  }

  private static func exchange(_ request: URLRequest) async -> Result<HTTPAnswer, CallFailure> {
    let session = URLSession(configuration: .ephemeral)
    defer { session.finishTasksAndInvalidate() }
    do {
      let (data, response) = try await session.data(for: request)
      guard let http = response as? HTTPURLResponse else {
        return .failure(CallFailure(name: .badResponse, detail: "the answer is no HTTP"))
      }
      let headers = http.allHeaderFields.compactMap { name, value in
        (name as? String).map { (name: $0, value: "\(value)") }
      }
      return .success(HTTPAnswer(status: http.statusCode, headers: headers, body: Array(data)))
    } catch let error as URLError where error.code == .timedOut {
      return .failure(CallFailure(name: .timeout, detail: "no answer in time"))
    } catch {
      return .failure(CallFailure(name: .gatewayUnreachable, detail: error.localizedDescription))
    }
  }
}
