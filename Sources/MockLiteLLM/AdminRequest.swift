import Conformance
import Diagnostics
import JSON
import ProtocolSpec
import YAML

/// What the admin API is asked for.
enum AdminRequest {
  case arm(Arming)
  case gateway(GatewaySettings)
  case reset
  case clock
  case restartClock
  /// The calls after number `after`, at the latest when `wait` has passed.
  case journal(after: Int, wait: Duration)
  /// Whether the calls so far are as expected.
  case verify(CallExpectations)
  /// What Prometheus reads; on the admin port only, for LiteLLM has a `/metrics` of its own.
  case metrics
  case refused(Reply)

  static let prefix = "/_mock"
  /// How long a call for the journal may wait.
  static let longestWait = Duration.seconds(60)

  /// Whether `path` belongs to the admin API, on whatever port.
  static func owns(_ path: String) -> Bool { path == prefix || path.hasPrefix(prefix + "/") }

  init(_ request: FaceRequest, spec: Specification) {
    switch (request.method, request.path) {
    case ("POST", "/_mock/arm"):
      self = Self.read(request) { (body) throws(ArmingError) in .arm(try Arming(body, spec: spec)) }
    case ("POST", "/_mock/gateway"):
      self = Self.read(request) { (body) throws(ArmingError) in
        .gateway(try GatewaySettings(body, spec: spec))
      }
    case ("POST", "/_mock/reset"): self = .reset
    case ("GET", "/_mock/journal"): self = Self.journal(request)
    case ("GET", "/_mock/clock"): self = .clock
    case ("POST", "/_mock/clock"): self = .restartClock
    case (_, "/_mock/clock"): self = Self.refuse(405, "use GET or POST", allow: "GET, POST")
    case ("POST", Verification.path): self = Self.verification(request, spec)
    case ("GET", "/metrics"): self = .metrics
    case (_, "/_mock/arm"), (_, "/_mock/gateway"), (_, "/_mock/reset"), (_, Verification.path):
      self = Self.refuse(405, "use POST", allow: "POST")
    case (_, "/_mock/journal"), (_, "/metrics"): self = Self.refuse(405, "use GET", allow: "GET")
    default:
      self = Self.refuse(
        404,
        "no such path, there are POST /_mock/arm, POST /_mock/gateway, POST /_mock/reset, "
          + "GET /_mock/journal?after=N&wait=2s, GET and POST /_mock/clock, POST /_mock/verify "
          + "and, on the admin port, GET /metrics")
    }
  }

  /// What `make` reads in the JSON of the body.
  private static func read(
    _ request: FaceRequest, _ make: (JSONValue) throws(ArmingError) -> AdminRequest
  ) -> AdminRequest {
    let body: JSONValue
    do throws(JSONError) {
      body = try JSONParser.parse(request.body)
    } catch {
      return refuse(400, "not JSON: \(error)")
    }
    do throws(ArmingError) {
      return try make(body)
    } catch {
      return refuse(400, error.description)
    }
  }

  private static func verification(_ request: FaceRequest, _ spec: Specification) -> AdminRequest {
    do throws(SourceError) {
      return .verify(try Verification.expectations(of: request.body, spec: spec))
    } catch {
      return refuse(400, "line \(error.place.line) column \(error.place.column): \(error.message)")
    }
  }

  private static func journal(_ request: FaceRequest) -> AdminRequest {
    let afterText = request.parameter("after") ?? "0"
    guard let after = Int(afterText), after >= 0 else {
      return refuse(400, "after takes a whole number of at least 0, not \(afterText)")
    }
    let waitText = request.parameter("wait") ?? "0s"
    guard let wait = parseDuration(waitText), wait <= longestWait else {
      return refuse(400, "wait takes a time of at most 60s such as 2s, not \(waitText)")
    }
    return .journal(after: after, wait: wait)
  }

  static func refuse(_ status: Int, _ message: String, allow: String? = nil) -> AdminRequest {
    .refused(Reply(status, json: ["error": .string(message)], headers: allow.map { [("allow", $0)] } ?? []))
  }
}
