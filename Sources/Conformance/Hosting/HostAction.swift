/// What only happens in a case that plays the server.
package enum HostAction: Sendable {
  /// A request that the client may make at any time; what it asks before is answered as the
  /// specification says.
  case await(AwaitedRequest)
  /// The answer to an awaited request, in its dialect, right or wrong.
  case answer(HostAnswer)
  case connect(HostConnect)
  /// Every handshake is refused for a time, and no more of them come than this.
  case connects(atMost: Int, for: Duration)
  case quiet(HostSilence)
  /// Nil for codes: any.
  case closed(codes: [UInt16?]?, needsFrame: Bool)
  /// The server takes its time and goes on serving everything else.
  case delay(Duration)
  /// Nothing is answered for a time; what is asked meanwhile is answered at its end.
  case holds(Duration)
  /// The client waits for its answers: it asks nothing for so long, and what it asks before is served.
  /// Where it never rests, because it works on several things at one time, the case says nothing.
  case rests(Duration)
  /// The connection ends without a Close frame.
  case drop(reset: Bool)
  /// The client asks something more, or ends in order; where it may fail, also with an error.
  case goesOn(mayFail: Bool)
}

/// A time in which nothing is asked.
package struct HostSilence: Sendable {
  package let time: Duration
  /// Only these count; none: all.
  package let methods: [String]
  /// Only the awaited request of this name counts, when it comes again unchanged.
  package let again: String?
  package let mayEnd: Bool
}

package struct AwaitedRequest: Sendable {
  /// Nil: any.
  package let method: String?
  package let params: Matcher?
  /// The name by which `answer` refers to it.
  package let name: String
  /// Nil: any. A tool of MCP is called in JSON-RPC.
  package let dialect: TranscriptDialect?
}

/// An answer and what is wrong about it.
package struct HostAnswer: Sendable {
  package enum Content: Sendable {
    /// What the specification asks for.
    case valid
    case result(Matcher)
    case error(String)
  }

  package enum Identity: Sendable {
    case asked
    /// Text for a number and the other way round.
    case otherType
    /// One that no request has.
    case foreign
  }

  /// How the text goes over the wire.
  package enum Shape: Sendable {
    case text, binary
    /// The last byte of the text is missing.
    case malformed
    /// The frame ends in the middle.
    case cut
    /// Frames with so many bytes each, with a ping between the first two.
    case fragments(Int)
  }

  package let to: String
  package let content: Content
  /// Members added to the result.
  package let with: Matcher?
  /// Whether an error carries its data.
  package let hasData: Bool
  package let identity: Identity
  package let shape: Shape
  /// Of the whole message, reached by a longer text; nil: as it comes.
  package let bytes: Int?
  package let times: Int
}

/// A handshake that is expected, and how it is answered.
package struct HostConnect: Sendable {
  package enum Outcome: Sendable {
    case accepted(subprotocol: String?, headers: [(name: String, value: Matcher)])
    case refused(HostRefusal)
  }

  package let path: Matcher?
  package let headers: [Matcher.Member]
  package let outcome: Outcome
}

package struct HostRefusal: Sendable {
  package let status: Int
  package let headers: [(name: String, value: Matcher)]
  package let body: String
}
