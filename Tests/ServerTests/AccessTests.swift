import Orchestration
import ProtocolSpec
import Testing
import Wire

@testable import omni_server

@Suite("Access")
struct AccessTests {
  let spec: Specification

  init() throws { spec = try Specification.load() }

  func access(_ environment: [String: String] = [:]) throws -> Access {
    let configuration = try Configuration(file: nil, environment: environment, keys: spec.configuration)
    return Access(Settings(configuration), tokenPrefix: spec.overview.tokenSubprotocolPrefix)
  }

  func head(_ headers: HTTPHeaders) -> HTTPRequestHead {
    var headers = headers
    headers.set("Host", "omni.local:18765")
    return HTTPRequestHead(method: "GET", target: "/", headers: headers)
  }

  @Test(
    "a token is asked for before anything else",
    arguments: [
      ([], 401), (["Authorization": "Bearer secret"], nil), (["Authorization": "bearer secret"], nil),
      (["Authorization": "Bearer secre"], 401), (["Authorization": "Bearer secrets"], 401),
      (["Authorization": "Basic secret"], 401), (["Authorization": "secret"], 401),
      (["Sec-WebSocket-Protocol": "mcp, mcp.auth.secret"], nil),
      (["Sec-WebSocket-Protocol": "mcp, mcp.auth.other"], 401),
      (["Origin": "http://evil"], 401), (["Origin": "http://evil", "Authorization": "Bearer secret"], 403),
    ] as [(HTTPHeaders, Int?)])
  func token(headers: HTTPHeaders, status: Int?) throws {
    #expect(try access(["OMNI_TOKEN": "secret"]).refusal(of: head(headers))?.status == status)
  }

  @Test(
    "an origin must be absent, the same or listed",
    arguments: [
      ("http://omni.local:18765", false), ("https://omni.local:18765", false),
      ("http://omni.local", false), ("http://omni.local:18766", false), ("null", false), ("", false),
      ("http://evil:18765", false), ("http://listed", true), ("http://listed.evil", false),
    ])
  func origins(origin: String, isAllowed: Bool) throws {
    let refusal = try access(["OMNI_ORIGINS": "http://listed"]).refusal(of: head(["Origin": origin]))
    #expect(refusal?.status == (isAllowed ? nil : 403))
  }

  @Test(
    "an origin is the same where its host is no name that others could have made ours (DNS rebinding)",
    arguments: [
      ("localhost:18765", true), ("a.localhost:18765", true), ("127.0.0.1:18765", true),
      ("192.168.1.7:18765", true), ("[::1]:18765", true), ("LOCALHOST:18765", true),
      ("evil.example:18765", false), ("localhost.evil.example", false), ("127.0.0.1.evil", false),
      ("1.2.3.4.5", false), ("1.2.3.256", false), ("", false),
    ])
  func rebinding(host: String, isAllowed: Bool) throws {
    for scheme in ["http", "https"] {
      let head = HTTPRequestHead(
        method: "GET", target: "/", headers: ["Host": host, "Origin": "\(scheme)://\(host)"])
      #expect(try access().refusal(of: head)?.status == (isAllowed ? nil : 403))
      let origins = ["OMNI_ORIGINS": "\(scheme)://\(host)"]
      if !host.isEmpty { #expect(try access(origins).refusal(of: head) == nil) }
    }
  }

  @Test(
    "a request without Origin and token is served by no name that others could have made ours",
    arguments: [
      ("omni-server:18765", nil), ("localhost", nil), ("a.localhost", nil), ("LOCALHOST.:1", nil),
      ("127.0.0.1:1", nil), ("[::1]", nil), ("100.64.0.7:18765", nil), ("host.docker.internal", nil),
      ("listed.example:99", nil), ("LISTED.example.", nil), ("evil.example", 403), ("evil.example.", 403),
      ("localhost.evil.example", 403), ("127.0.0.1.evil.example", 403), ("1.2.3.256", 403),
      ("listed.example.evil", 403), ("evil%2eexample", 403), ("evil.local", 403), ("internal.evil", 403),
    ] as [(String, Int?)])
  func hosts(host: String, status: Int?) throws {
    func head(_ host: String, _ more: HTTPHeaders = [], target: String = "/metrics") -> HTTPRequestHead {
      var headers: HTTPHeaders = ["Host": host]
      headers.append(contentsOf: more)
      return HTTPRequestHead(method: "GET", target: target, headers: headers)
    }
    let open = try access(["OMNI_ORIGINS": "https://listed.example"])
    #expect(open.refusalOfRequest(head(host))?.status == status)
    #expect(open.refusalOfRequest(head("127.0.0.1", target: "http://\(host)/metrics"))?.status == status)
    #expect(open.refusal(of: head(host)) == nil, "an upgrade always has an Origin where a browser makes it")
    #expect(open.refusalOfRequest(head(host, ["Origin": "https://listed.example"])) == nil)
    let closed = try access(["OMNI_TOKEN": "secret"])
    #expect(closed.refusalOfRequest(head(host, ["Authorization": "Bearer secret"])) == nil)
    #expect(closed.refusalOfRequest(head(host))?.status == 401)
  }

  @Test("an absolute target says whose origin is the same, and every Origin counts (RFC 9112 §3.2.2)")
  func originOfTarget() throws {
    func status(_ target: String, _ origins: [String]) throws -> Int? {
      var headers: HTTPHeaders = ["Host": "127.0.0.1:18765"]
      for origin in origins { headers.append("Origin", origin) }
      let head = HTTPRequestHead(method: "GET", target: target, headers: headers)
      return try access().refusal(of: head)?.status
    }
    #expect(try status("http://127.0.0.1:18765/", ["http://127.0.0.1:18765"]) == nil)
    #expect(try status("http://127.0.0.2:18765/", ["http://127.0.0.2:18765"]) == nil)
    #expect(try status("http://127.0.0.2:18765/", ["http://127.0.0.1:18765"]) == 403)
    #expect(try status("/", ["http://127.0.0.1:18765", "http://evil"]) == 403)
    #expect(try status("/", ["http://evil", "http://127.0.0.1:18765"]) == 403)
  }

  @Test("a token alone among the subprotocols is told what is missing")
  func tokenAlone() throws {
    let access = try access()
    #expect(access.refusalOfSubprotocols(head(["Sec-WebSocket-Protocol": "mcp.auth.x"]))?.status == 400)
    #expect(access.refusalOfSubprotocols(head(["Sec-WebSocket-Protocol": "mcp, mcp.auth.x"])) == nil)
    #expect(access.refusalOfSubprotocols(head([])) == nil)
  }
}

@Suite("The command line")
struct InvocationTests {
  @Test(
    "mistakes are one clear line",
    arguments: [
      (["--confg", "x"], "there is no option --confg; omni-server --help tells which there are"),
      (["--spec"], "--spec needs a value"),
      (["--loops", "many"], "--loops takes a number from 1 to 64, not many"),
    ])
  func mistakes(arguments: [String], expected: String) {
    #expect {
      _ = try Invocation(arguments)
    } throws: { error in
      "\(error)" == expected && (error as? StartError)?.exit == 2
    }
  }

  @Test("--help tells every key of the configuration and its variable")
  func help() throws {
    let spec = try Specification.load()
    let text = Help.text(spec)
    for key in spec.configuration {
      #expect(text.contains(key.key))
      #expect(text.contains(try #require(key.variables.first)))
    }
  }
}
