/// Collects a recording from the lines of one server over stdio.
package final class LineTap: Sendable {
  private let log: RecordingLog
  private let connection: Int

  init(_ log: RecordingLog) {
    self.log = log
    connection = log.newConnection()
  }

  /// A line of the client; an empty one says nothing.
  package func said(_ line: [UInt8]) { add(line, .toServer) }
  /// A line of the server.
  package func answered(_ line: [UInt8]) { add(line, .toClient) }

  private func add(_ line: [UInt8], _ direction: ProxyDirection) {
    guard !line.isEmpty else { return }
    log.add(.message(.text(line), direction), on: connection)
  }
}

extension RecordingLog {
  /// What watches the lines of a server.
  package func lineTap() -> LineTap { LineTap(self) }
}
