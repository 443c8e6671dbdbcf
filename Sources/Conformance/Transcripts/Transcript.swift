package import JSON
package import ProtocolSpec
package import YAML

/// One case of a transcript: what is said, and what must come back.
package struct TranscriptCase: Sendable {
  /// Who the runner plays.
  package enum Play: String, Sendable, CaseIterable { case client, server, either }

  package let suite: String
  package let name: String
  package let title: String
  package let place: SourcePlace
  package let covers: [CoverTag]
  package let level: RequirementLevel
  package let play: Play
  package let dialect: TranscriptDialect
  /// Whether the target starts anew, with empty data.
  package let isFresh: Bool
  /// Whether nothing else is played meanwhile, beyond what `Schedule` finds out by itself.
  package let isAlone: Bool
  package let needs: [Capability]
  /// What a server of MCP must declare.
  package var mcpNeeds: [MCPNeed] = []
  /// Over what it is played.
  package var transports: [PlayTransport] = [.ws]
  /// Whether a connection agrees on the revision of MCP before its first step, where the dialect has that.
  package var begins = true
  package var client = MCPClientOffer()
  package let environment: [(name: String, value: String)]
  package let arm: [ArmedFace]
  package let steps: [Step]
  package let observe: [ObservedFace]
  /// The environment variables whose values are secrets.
  package let secrets: [String]
  /// Of a case that plays the server: what no step waits for is answered as the specification says.
  package let servesBackground: Bool
  /// Of such a case: behind the last step it serves on until the client ends, and closes otherwise.
  package let servesOn: Bool

  /// `suite/case`
  package var id: String { "\(suite)/\(name)" }

  /// Whether the mock is part of it.
  package var usesMock: Bool { needs.contains(.faults) }

  /// The requirement that a failure names: the first that is covered.
  package var requirement: String? {
    for case .requirement(let id) in covers { return id }
    return nil
  }
}

/// What a case is evidence for.
package enum CoverTag: Sendable, Hashable, CustomStringConvertible {
  case method(String)
  case error(String)
  case task(String)
  case system(String)
  case fault(String)
  /// Of a task or of the system: `idle-dispatching`.
  case transition(String)
  case requirement(String)

  package var description: String {
    switch self {
    case .method(let name): "method:\(name)"
    case .error(let name): "error:\(name)"
    case .task(let name): "state:\(name)"
    case .system(let name): "system:\(name)"
    case .fault(let name): "fault:\(name)"
    case .transition(let name): "transition:\(name)"
    case .requirement(let name): "req:\(name)"
    }
  }
}

/// What a target must offer for a case to make sense.
package enum Capability: String, Sendable, CaseIterable {
  case bare, jsonrpc, http
  /// The mock is the target's upstream.
  case faults
  /// The runner owns the process.
  case restart
  /// The runner sets environment variables of the process.
  case environment
  case idempotency
  /// Notifications of the protocol, and resources of MCP with theirs.
  case subscriptions, resources
}

/// Rules that make one face of the mock misbehave.
package struct ArmedFace: Sendable {
  package let face: MockFace
  package let rules: [JSONValue]
}

/// What one face of the mock must have received.
package struct ObservedFace: Sendable {
  package let face: MockFace
  package let expectations: [Observation]
}

package struct Observation: Sendable {
  package let place: SourcePlace
  package let path: RequestPattern
  /// Nil: at least one.
  package let count: Matcher?
  /// Of every call.
  package let body: Matcher?
  package let headers: [Matcher.Member]
  /// The least time between one call and the next.
  package let spacing: Duration?
}

/// One thing that one side does.
package struct Step: Sendable {
  package let place: SourcePlace
  package let connection: String
  package let within: Duration
  package let notBefore: Duration?
  package let level: RequirementLevel
  package let why: String?
  package let action: StepAction
  /// Of the HTTP answer that brings the message, where it is played over HTTP.
  package var status: Matcher?
  /// Fields of the HTTP request that carries the message; what gives no value is left out.
  package var headers: [(name: String, value: Matcher)] = []
}

package enum StepAction: Sendable {
  case say(Matcher)
  case expect(FrameMatcher)
  case unordered([Expected])
  case raw(RawMessage)
  case pong([UInt8])
  case close(code: UInt16?, reason: String)
  /// Nil among the codes: no Close frame.
  case closed([UInt16?])
  case poll(Poll)
  case quiet(Duration)
  case connect(Connect)
  case http(Exchange)
  case restart(signal: RestartSignal, exit: Int?)
  case arm([ArmedFace])
  case await([ObservedFace])
  case host(HostAction)
}

package enum RestartSignal: String, Sendable, CaseIterable {
  case kill = "KILL"
  case terminate = "TERM"
}

/// A frame of an unordered group, at its place.
package struct Expected: Sendable {
  package let place: SourcePlace
  package let frame: FrameMatcher
}

/// Bytes and frames that no well-behaved client sends.
package enum RawMessage: Sendable {
  case text([TextPart])
  case bytes([UInt8])
  case binary([UInt8])
  case frame(fin: Bool, rsv: UInt8, opcode: UInt8, isMasked: Bool, payload: [TextPart])
  case ping([UInt8])
}

/// A piece of a long text.
package enum TextPart: Sendable {
  case bytes([UInt8])
  case repeated([UInt8], times: Int)

  package static func joined(_ parts: [TextPart]) -> [UInt8] {
    var bytes: [UInt8] = []
    for part in parts {
      switch part {
      case .bytes(let piece): bytes += piece
      case .repeated(let piece, let times): for _ in 0..<times { bytes += piece }
      }
    }
    return bytes
  }
}

/// A request that is repeated until its answer says what is waited for.
package struct Poll: Sendable {
  package let request: Matcher
  package let every: Duration
  package let limit: Duration
  package let pointer: JSONPointer
  package let allow: Matcher?
  package let until: Matcher
  package let last: FrameMatcher?
}

package struct Connect: Sendable {
  package let path: String
  /// The subprotocols that are offered; one may hold a secret.
  package let offers: [Matcher]
  package let headers: [(name: String, value: Matcher)]
  package let outcome: ConnectOutcome

  /// Those that are written as they are.
  package var subprotocols: [String] { offers.compactMap(\.source.string) }
}

package enum ConnectOutcome: Sendable {
  case accepted(subprotocol: Matcher?, headers: [Matcher.Member])
  case refused(Answered)
}

/// An HTTP request and what its answer must be.
package struct Exchange: Sendable {
  package let method: String
  package let path: String
  package let headers: [(name: String, value: Matcher)]
  package let body: String?
  package let answer: Answered
}

package struct Answered: Sendable {
  package let status: Matcher?
  package let headers: [Matcher.Member]
  package let body: Matcher?
}
