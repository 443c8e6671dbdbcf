package import JSON
internal import ProtocolSpec
package import Transport
internal import Wire

/// mock-litellm, spoken to through its admin API.
package struct MockBackend: Sendable {
  /// Where each face listens: what a target is told.
  package struct Faces: Sendable, Equatable {
    package let litellm: String
    package let direct: String
    package let local: String

    package init(litellm: String, direct: String, local: String) {
      self.litellm = litellm
      self.direct = direct
      self.local = local
    }
  }

  package struct Problem: Error, CustomStringConvertible {
    package let description: String
  }

  /// `http://host:port` of the admin port.
  package let admin: String
  private let http: HTTPClient
  private static let deadline = Duration.seconds(10)

  package init(admin: String, loop: EventLoop) {
    self.admin = admin.hasSuffix("/") ? String(admin.dropLast()) : admin
    // A kept connection could have died with a mock that was started anew.
    http = HTTPClient(loop: loop, keptPerHost: 0)
  }

  package func arm(_ faces: [ArmedFace]) async throws(Problem) {
    let rules = JSONObject(faces.map { ($0.face.rawValue, .array($0.rules)) })
    _ = try await call("POST", "/_mock/arm", .object(rules))
  }

  /// Forgets rules and journal and opens closed ports.
  package func reset() async throws(Problem) {
    _ = try await call("POST", "/_mock/reset", .object(JSONObject()))
  }

  /// - Parameter reading: what is made of the mock's answer before it is read.
  package func journal(reading: @Sendable (JSONValue) -> JSONValue = { $0 }) async throws(Problem) -> Journal
  {
    Journal(reading(try await call("GET", "/_mock/journal", nil)))
  }

  private func call(_ method: String, _ path: String, _ body: JSONValue?) async throws(Problem) -> JSONValue {
    let request = HTTPClientRequest(
      method: method, url: admin + path, headers: body == nil ? [] : ["Content-Type": "application/json"],
      body: body.map(JSONWriter.bytes) ?? [])
    let response: HTTPClientResponse
    do throws(HTTPClientError) {
      response = try await http.send(
        request, deadlines: Deadlines(connect: Self.deadline, firstByte: Self.deadline, total: Self.deadline))
    } catch {
      throw Problem(description: "the mock at \(admin) does not answer: \(error)")
    }
    guard let value = try? JSONParser.parse(response.body) else {
      throw Problem(
        description: "the mock at \(admin) answers \(method) \(path) with \(response.status) and no JSON")
    }
    guard response.status == 200 else {
      let reason = value["error"]?.string ?? JSONWriter.text(value)
      throw Problem(description: "the mock refuses \(method) \(path): \(reason)")
    }
    return value
  }
}

/// What the mock has received since it was reset.
package struct Journal: Sendable {
  package struct Call: Sendable {
    package let face: String
    package let method: String
    /// Without the query.
    package let path: String
    /// By lower case name.
    package let headers: [String: String]
    package let body: JSONValue
    package let atMilliseconds: Double

    init(_ value: JSONValue) {
      face = value["face"]?.string ?? ""
      method = value["method"]?.string ?? ""
      path = String((value["path"]?.string ?? "").prefix { $0 != "?" })
      var headers: [String: String] = [:]
      for (name, value) in value["headers"]?.object ?? JSONObject() {
        headers[name.lowercased()] = value.string
      }
      self.headers = headers
      body = value["body"] ?? .null
      atMilliseconds = value["at_ms"]?.double ?? 0
    }
  }

  package let calls: [Call]
  /// Rules with `times` that have not happened as often.
  package let unused: [(face: String, rule: JSONValue, left: Int)]

  package init(_ value: JSONValue) {
    calls = (value["calls"]?.array ?? []).map(Call.init)
    unused = (value["pending"]?.array ?? []).compactMap { entry in
      guard let rule = entry["rule"], let left = entry["left"]?.int, left > 0, rule["times"] != nil else {
        return nil
      }
      return (entry["face"]?.string ?? "", rule, left)
    }
  }
}
