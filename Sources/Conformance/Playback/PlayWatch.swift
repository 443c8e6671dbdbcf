package import JSON
package import Wire

/// What follows a play from inside, and may bend what lies between the player and what it sees.
package protocol PlayWatch: AnyObject, Sendable {
  /// A step begins, counted from 0; behind the last one comes what holds at the end of the case.
  func begins(_ step: Int)
  /// A connection to the target is about to be opened; it has no name when it is for one request of HTTP.
  func connects(_ name: String?)
  /// Messages have come that belong to the beginning of a connection, and to no step.
  func skips(_ event: ChannelEvent, on name: String)
  /// What stands in the stead of a connection from now on.
  func channel(_ channel: any MessageChannel, _ transport: PlayTransport, on name: String)
    -> any MessageChannel
  /// The current step has taken an event of a connection.
  func heard(_ event: ChannelEvent, on name: String)
  /// An HTTP request beside the messages was answered: what is to be taken for the answer; nil: none came.
  func answer(_ exchange: ProxiedExchange, _ transport: PlayTransport) -> PlayedAnswer?
  /// How long the current step may wait.
  func limit(_ limit: Duration) -> Duration
  /// What the mock tells of the calls that it has received.
  func journal(_ value: JSONValue) -> JSONValue
}

/// The answer to an HTTP request.
package struct PlayedAnswer: Sendable {
  package var status: Int
  package var headers: HTTPHeaders
  package var body: [UInt8]
}
