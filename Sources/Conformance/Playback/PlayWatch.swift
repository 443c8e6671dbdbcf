package import JSON
package import Transport

/// What follows a play from inside, and may bend what lies between the player and what it sees.
package protocol PlayWatch: AnyObject, Sendable {
  /// A step begins, counted from 0; behind the last one comes what holds at the end of the case.
  func begins(_ step: Int)
  /// A connection to the target is about to be opened; it has no name when it is for one request of HTTP.
  func connects(_ name: String?)
  /// The current step has taken an event of a connection.
  func heard(_ event: WebSocketClient.Event, on name: String)
  /// How long the current step may wait.
  func limit(_ limit: Duration) -> Duration
  /// What the mock tells of the calls that it has received.
  func journal(_ value: JSONValue) -> JSONValue
}
