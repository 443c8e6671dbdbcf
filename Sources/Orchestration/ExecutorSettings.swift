import Foundation
import JSON
import ProtocolSpec

/// One entry of `mcp_servers` in the configuration.
package struct ExecutorSettings: Sendable, Equatable {
  package enum Place: Sendable, Equatable {
    /// `ws://…`
    case webSocket(url: String)
    /// `http://…` or `https://…`, MCP Streamable HTTP.
    case http(url: String)
    /// A program that is started, and spoken with over its standard input and output.
    case program([String])
  }

  /// What becomes of its tasks while it cannot be reached.
  package enum Fallback: String, Sendable, CaseIterable {
    case litellm, wait
  }

  package let name: String
  /// Its name for people.
  package let title: String
  package let place: Place
  package let tool: String
  /// Sent as `Authorization: Bearer`.
  package let token: String?
  /// For one whole call of the tool.
  package let timeout: Duration
  /// Calls at one time.
  package let maxRunning: Int
  package let fallback: Fallback

  /// - Returns: nil where it is not enabled, or has no place: `stdio` without a command.
  init?(_ name: String, in configuration: Configuration) {
    /// The value for this name, else the default of the pattern.
    func text(_ key: String) -> String? {
      configuration["mcp_servers.\(name).\(key)"] ?? configuration["mcp_servers.*.\(key)"]
    }
    guard text("enabled") == "true",
      let place = Place(
        url: text("url") ?? "", command: text("command"),
        arguments: ConfigurationKey.words(text("args") ?? ""))
    else { return nil }
    self.name = name
    self.place = place
    title = text("name") ?? name
    tool = text("tool") ?? ""
    token = text("token").flatMap { $0.isEmpty ? nil : $0 }
    timeout = text("timeout").flatMap(ConfigurationKey.duration) ?? .zero
    maxRunning = text("max_running").flatMap { Int($0) } ?? 1
    fallback = text("fallback").flatMap(Fallback.init(rawValue:)) ?? .litellm
  }
}

extension ExecutorSettings.Place {
  static let stdio = "stdio"

  /// The ways of naming an executor, for messages.
  static let forms = "ws://, http://, https://, stdio, or stdio: with a command behind it"

  /// - Returns: nil if `url` names none of the forms, or a program that is not said.
  init?(url: String, command: String?, arguments: [String]) {
    if url.hasPrefix("ws://") {
      self = .webSocket(url: url)
    } else if url.hasPrefix("http://") || url.hasPrefix("https://") {
      self = .http(url: url)
    } else if url == Self.stdio || url.hasPrefix(Self.stdio + ":") || url.isEmpty {
      let inURL = url.dropFirst(Self.stdio.count + 1).split(separator: " ").map(String.init)
      let words = (command.map { [$0] } ?? inURL) + arguments
      guard !words.isEmpty, command != nil || !inURL.isEmpty else { return nil }
      self = .program(words)
    } else {
      return nil
    }
  }

  /// What is wrong with the `url` of an executor; nil if nothing is.
  static func problem(key: String, url: String) -> String? {
    if url.hasPrefix("wss://") {
      return "\(key) must not begin with wss://, since this server speaks no TLS over WebSocket: "
        + "put a proxy that does on this machine, and name it with ws://"
    }
    if url.split(separator: "/").prefix(2).contains(where: { $0.contains("@") }), url.contains("://") {
      return "\(key) must not hold a user name or password"
    }
    let isKnown =
      url == stdio || url.hasPrefix(stdio + ":")
      || ["ws://", "http://", "https://"].contains { url.hasPrefix($0) && url.count > $0.count }
    return isKnown ? nil : "\(key) must be one of \(forms), not \"\(url)\""
  }
}

extension ConfigurationKey {
  /// The words of a list: as JSON where it came from a list of the file, else between spaces.
  static func words(_ text: String) -> [String] {
    if let list = (try? JSONParser.parse(text))?.array { return list.compactMap(\.string) }
    return text.split(separator: " ").map(String.init)
  }
}
