import Foundation
import ProtocolSpec
import Wire

/// The page at `/`, which shows over the WebSocket what the server does. It holds no data itself.
///
/// Made of the files of `Page/` once: style and scripts stand in the page, and its policy allows these by
/// their hashes and nothing from elsewhere.
struct Dashboard: Sendable {
  static let path = "/"

  let body: [UInt8]
  let headers: HTTPHeaders

  init(_ overview: Overview) {
    let style = Self.joined(".css")
    let script = "(() => {\n'use strict';\n" + Self.joined(".js") + "})();\n"
    let page = Self.joined(".html")
      .replacing("{subprotocol}", with: overview.subprotocol)
      .replacing("{token-prefix}", with: overview.tokenSubprotocolPrefix)
      .replacing("{style}", with: style)
      .replacing("{script}", with: script)
    body = Array(page.utf8)
    let policy = [
      "default-src 'none'", "script-src \(Self.source(script))", "style-src \(Self.source(style))",
      "img-src data:", "connect-src 'self' ws: wss:", "base-uri 'none'", "frame-ancestors 'none'",
      "form-action 'none'",
    ]
    headers = [
      "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store",
      "Content-Security-Policy": policy.joined(separator: "; "), "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
    ]
  }

  /// The files whose names end so, in the order of their names.
  private static func joined(_ ending: String) -> String {
    EmbeddedDashboard.files.filter { $0.path.hasSuffix(ending) }.map(\.text).joined()
  }

  /// How a policy names an inline text (CSP3 §2.3.1, hash-source).
  private static func source(_ text: String) -> String {
    "'sha256-\(Data(SHA256.hash(Array(text.utf8))).base64EncodedString())'"
  }
}
