import Foundation
import ProtocolSpec
import Synchronization
import Transport
import Wire

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// One call over TLS, through Foundation, which brings certificates and their roots.
///
/// Foundation knows one time-out, which restarts at every byte, so the deadlines are kept here. It does
/// not tell when the connection is there: until the first byte, that deadline and this one together count.
struct SecureCall: Sendable {
  private let request: URLRequest?
  private let deadlines: Deadlines
  private let maxBytes: Int

  init(_ request: HTTPClientRequest, _ deadlines: Deadlines) {
    maxBytes = request.maxBodyBytes
    self.deadlines = deadlines
    self.request = URL(string: request.url).map { url in
      // Past all deadlines, so that only they end the call.
      let total = deadlines.total ?? .seconds(86_400)
      var secure = URLRequest(url: url, timeoutInterval: (total + .seconds(60)) / .seconds(1))
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
    let exchange = SecureExchange(deadlines, maxBytes: maxBytes)
    let result = await withTaskGroup(of: Result<HTTPAnswer, CallFailure>?.self) { group in
      group.addTask { await exchange.run(request) }
      group.addTask { await exchange.lateness().map(Result.failure) }
      var first: Result<HTTPAnswer, CallFailure>?
      while first == nil, let next = await group.next() { first = next }
      group.cancelAll()
      return first
    }
    return try (result ?? .failure(CallFailure(name: .timeout, detail: "the call was cancelled"))).get()
  }
}

/// Collects an answer as it comes, and knows until when more of it must be there.
private final class SecureExchange: NSObject, URLSessionDataDelegate, Sendable {
  private struct Progress {
    var due: ContinuousClock.Instant
    var limit: Duration
    var wording = "no answer"
    var answer: HTTPAnswer?
    var overflow = false
    var completion: CheckedContinuation<Result<HTTPAnswer, CallFailure>, Never>?
  }

  private let deadlines: Deadlines
  private let maxBytes: Int
  private let end: ContinuousClock.Instant?
  private let progress: Mutex<Progress>

  init(_ deadlines: Deadlines, maxBytes: Int) {
    self.deadlines = deadlines
    self.maxBytes = maxBytes
    let limit = deadlines.connect + deadlines.firstByte
    end = deadlines.total.map { .now + $0 }
    progress = Mutex(Progress(due: .now + limit, limit: limit))
  }

  func run(_ request: URLRequest) async -> Result<HTTPAnswer, CallFailure> {
    let session = URLSession(configuration: .ephemeral, delegate: self, delegateQueue: nil)
    defer { session.finishTasksAndInvalidate() }
    let task = session.dataTask(with: request)
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        progress.withLock { $0.completion = continuation }
        task.resume()
      }
    } onCancel: {
      task.cancel()
    }
  }

  /// Waits until the answer is late; nil if it was cancelled before.
  func lateness() async -> CallFailure? {
    while !Task.isCancelled {
      let (due, limit, wording) = progress.withLock { ($0.due, $0.limit, $0.wording) }
      let now = ContinuousClock.now
      if let end, now >= end {
        return CallFailure(name: .timeout, detail: "the call took longer than \(deadlines.total ?? .zero)")
      }
      if now >= due { return CallFailure(name: .timeout, detail: "\(wording) within \(limit)") }
      try? await Task.sleep(until: end.map { min($0, due) } ?? due)
    }
    return nil
  }

  /// A redirect is an answer like any other: followed, it would carry the key to whatever host it names.
  func urlSession(
    _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
    newRequest request: URLRequest, completionHandler: @escaping (URLRequest?) -> Void
  ) {
    completionHandler(nil)
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
  ) {
    let http = response as? HTTPURLResponse
    let headers = (http?.allHeaderFields ?? [:]).compactMap { name, value in
      (name as? String).map { (name: $0, value: "\(value)") }
    }
    progress.withLock {
      $0.answer = http.map { HTTPAnswer(status: $0.statusCode, headers: headers, body: []) }
      moveDue(&$0)
    }
    completionHandler(http == nil ? .cancel : .allow)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let isTooLong = progress.withLock {
      moveDue(&$0)
      $0.answer?.body += data
      $0.overflow = $0.answer.map { $0.body.count > maxBytes } ?? false
      return $0.overflow
    }
    if isTooLong { dataTask.cancel() }
  }

  private func moveDue(_ progress: inout Progress) {
    (progress.due, progress.limit) = (.now + deadlines.idle, deadlines.idle)
    progress.wording = "nothing more of the answer"
  }

  func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    let (completion, answer, overflow) = progress.withLock { progress in
      defer { progress.completion = nil }
      return (progress.completion, progress.answer, progress.overflow)
    }
    completion?.resume(returning: result(answer, overflow, error))
  }

  private func result(
    _ answer: HTTPAnswer?, _ overflow: Bool, _ error: (any Error)?
  ) -> Result<HTTPAnswer, CallFailure> {
    if overflow {
      let detail = "the answer's body is past the limit of \(maxBytes) bytes"
      return .failure(CallFailure(name: .badResponse, detail: detail))
    }
    switch (answer, error) {
    case (let answer?, nil): return .success(answer)
    case (nil, nil): return .failure(CallFailure(name: .badResponse, detail: "the answer is no HTTP"))
    case (.some, let error?):
      return .failure(CallFailure(name: .badResponse, detail: error.localizedDescription))
    case (nil, let error?):
      return .failure(CallFailure(name: .gatewayUnreachable, detail: error.localizedDescription))
    }
  }
}
