import Foundation
internal import JSON
internal import Transport
internal import Wire

/// A deployed orchestrator as its clients reach it: its socket, and its pages over HTTP.
struct LiveEndpoint: Sendable {
  enum Reply: Sendable {
    case result(JSONValue)
    case error(JSONValue)
    case none(String)

    /// For people.
    var text: String {
      switch self {
      case .result(let value): FlowText.text(value, limit: 160)
      case .error(let value): "the error \(FlowText.text(value["message"] ?? value, limit: 160))"
      case .none(let why): why
      }
    }
  }

  let url: String
  private let headers: HTTPHeaders
  private let loop: EventLoop
  private let http: HTTPClient

  static let patience = Duration.seconds(10)

  /// - Parameter headers: what every request carries.
  init(url: String, headers: HTTPHeaders, loop: EventLoop) {
    self.url = url.replacing("http://", with: "ws://", maxReplacements: 1)
    self.headers = headers
    self.loop = loop
    http = HTTPClient(loop: loop, keptPerHost: 0)
  }

  /// - Parameter origin: where a browser would say that it comes from.
  func connect(
    bearer token: String?, origin: String? = nil
  ) async throws(WebSocketClientError) -> WebSocketClient {
    var headers = headers(token)
    if let origin { headers.append("Origin", origin) }
    return try await WebSocketClient.connect(
      url: url, headers: headers, deadline: Self.patience, on: loop)
  }

  private func headers(_ token: String?) -> HTTPHeaders {
    var headers = headers
    if let token { headers.append("Authorization", "Bearer \(token)") }
    return headers
  }

  /// Status and text of a page, or why there is none.
  func page(_ path: String, bearer token: String? = nil) async -> (status: Int?, text: String) {
    let base = url.replacing("ws://", with: "http://", maxReplacements: 1)
    let mark = base.firstRange(of: "://").map(\.upperBound) ?? base.startIndex
    let authority = base[mark...].prefix { $0 != "/" && $0 != "?" }
    return await Self.page(String(base[..<authority.endIndex]) + path, headers: headers(token), http)
  }

  static func page(_ url: String, headers: HTTPHeaders = [], _ http: HTTPClient) async -> (
    status: Int?, text: String
  ) {
    do throws(HTTPClientError) {
      let answer = try await http.send(
        HTTPClientRequest(url: url, headers: headers),
        deadlines: Deadlines(connect: patience, firstByte: patience, idle: patience, total: patience))
      let text = String(decoding: answer.body.prefix(200), as: UTF8.self)
      return (answer.status, text.trimmingCharacters(in: .whitespacesAndNewlines))
    } catch {
      return (nil, error.description)
    }
  }

  /// The answer to one request; what comes between, such as notifications, is passed over.
  static func ask(
    _ request: JSONValue, on socket: WebSocketClient, within limit: Duration = patience
  ) async -> Reply {
    socket.send(text: JSONWriter.text(request))
    let deadline = ContinuousClock.now + limit
    do throws(WebSocketClientError) {
      while let received = try await socket.next(within: deadline - .now) {
        switch received.event {
        case .message(_, let bytes):
          guard let value = try? JSONParser.parse(bytes), value["method"] == nil else { continue }
          if let error = value["error"] { return .error(error) }
          if let result = value["result"] { return .result(result) }
        case .closed(let code, _, _, _):
          return .none("the connection was closed\(code.map { " with \($0)" } ?? "")")
        default: continue
        }
      }
      return .none("no answer within \(limit.short)")
    } catch {
      return .none(error.description)
    }
  }
}
