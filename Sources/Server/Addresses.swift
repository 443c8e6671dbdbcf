import Orchestration

extension Settings {
  /// Where the server listens on `port`, as it was configured.
  func listeningURL(port: UInt16) -> String { "ws://\(Self.field(host)):\(port)" }

  /// The host by which this machine reaches the server, with brackets where an address needs them.
  var reachableHost: String {
    let everywhere = ["0.0.0.0": "127.0.0.1", "::": "::1"]
    return Self.field(everywhere[host] ?? host)
  }

  private static func field(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }
}
