package import Transport

/// A port of this machine behind which TLS is spoken with one host: the bytes of each connection go
/// through an `openssl s_client` of its own, which verifies the certificate. So `wss://` endpoints
/// can be judged without a TLS library inside this program.
///
/// `-nocommands` is why it has to be OpenSSL 3 or newer: before, a message that begins with Q ended
/// the client.
package final class TLSTunnel: Sendable {
  /// What stands in Host (RFC 9110 §7.2): the name of the real endpoint.
  package let host: String
  /// The endpoint by way of the tunnel.
  package let url: String
  private let listener: Listener

  private static let patience = Duration.seconds(15)

  /// Whether an address is one for a tunnel.
  package static func isNeeded(for url: HTTPURL) -> Bool { url.scheme == "wss" || url.scheme == "https" }

  /// Connects once, to tell what is wrong with the endpoint's TLS, and listens.
  ///
  /// - Parameter roots: a PEM file of certificates to trust instead of the system's.
  package static func open(
    to url: HTTPURL, roots: String?, loop: EventLoop, children: Children, environment: [String: String]
  ) async throws(TargetProblem) -> TLSTunnel {
    let options = OpenSSL.options(url, roots: roots)
    try await check(url, options, children, environment)
    do throws(TransportError) {
      let listener = try Listener(loop: loop, host: "127.0.0.1", port: 0)
      return TLSTunnel(url, listener, options, children, environment)
    } catch {
      throw TargetProblem(error.description)
    }
  }

  private init(
    _ url: HTTPURL, _ listener: Listener, _ options: [String], _ children: Children,
    _ environment: [String: String]
  ) {
    host = url.hostField
    self.url = "ws://127.0.0.1:\(listener.port)\(url.target == "/" ? "" : url.target)"
    self.listener = listener
    let argv = [OpenSSL.program, "s_client", "-quiet", "-no_ign_eof", "-nocommands"] + options
    listener.handOver { fd in
      // Where it cannot be started the descriptor is closed: the client sees the end of its
      // connection, which is what has happened.
      _ = try? ChildProcess(argv, environment: environment, children: children, socket: fd)
    }
  }

  deinit { listener.close() }

  /// The same handshake as later, with a moment's connection and nothing sent.
  private static func check(
    _ url: HTTPURL, _ options: [String], _ children: Children, _ environment: [String: String]
  ) async throws(TargetProblem) {
    let process: ChildProcess
    do throws(TargetProblem) {
      process = try ChildProcess(
        [OpenSSL.program, "s_client", "-brief", "-nocommands"] + options, environment: environment,
        children: children)
    } catch {
      throw TargetProblem(
        "TLS needs the program openssl, version 3 or newer (Debian: apt-get install openssl): \(error)")
    }
    guard let status = await process.wait(within: patience) else {
      await process.stop()
      throw TargetProblem("\(url.host):\(url.port) spoke no TLS within \(patience.short)")
    }
    guard status != .exited(0) else { return }
    throw TargetProblem(OpenSSL.reason(await process.lines(), url))
  }
}

/// The command line of openssl, and what it says when something is wrong.
enum OpenSSL {
  static let program = "openssl"

  static func options(_ url: HTTPURL, roots: String?) -> [String] {
    let isAddress = url.host.contains(":") || url.host.allSatisfy { $0.isNumber || $0 == "." }
    let place = url.host.contains(":") ? "[\(url.host)]:\(url.port)" : "\(url.host):\(url.port)"
    var options = ["-verify_return_error", "-verify_quiet", "-connect", place, "-alpn", "http/1.1"]
    // An address is no server name (RFC 6066 §3).
    options += isAddress ? ["-verify_ip", url.host, "-noservername"] : ["-verify_hostname", url.host]
    if !isAddress { options += ["-servername", url.host] }
    if let roots { options += ["-CAfile", roots] }
    return options
  }

  /// One sentence for what the client wrote, whose `verify error:num=` counts as X509_V_ERR_….
  static func reason(_ lines: [String], _ url: HTTPURL) -> String {
    let place = "\(url.host):\(url.port)"
    if let line = lines.first(where: { $0.contains("verify error:num=") }),
      let mark = line.firstRange(of: "num=")
    {
      let parts = line[mark.upperBound...].split(separator: ":", maxSplits: 1).map(String.init)
      let detail = parts.last ?? line
      switch Int(parts.first ?? "") {
      case 9: return "the certificate of \(place) is not valid yet (\(detail))"
      case 10: return "the certificate of \(place) has expired (\(detail))"
      case 62, 64: return "the certificate of \(place) is for another name than \(url.host) (\(detail))"
      default:
        return
          "the certificate of \(place) is not trusted (\(detail)); --ca-file FILE names a root of your own"
      }
    }
    if lines.contains(where: { $0.contains("nknown option") }) {
      return "TLS needs openssl version 3 or newer; the one in PATH is older, or another program"
    }
    if let line = lines.first(where: { $0.contains("connect:errno=") || $0.contains("BIO_lookup") }) {
      return "\(place) cannot be connected to (\(line))"
    }
    if lines.contains(where: {
      $0.contains("CAfile") || $0.contains("load_verify") || $0.contains("verify locations")
    }) {
      return "the file of --ca-file cannot be read as certificates in PEM"
    }
    return "\(place) spoke no TLS that can be used: \(lines.last ?? "openssl said nothing")"
  }
}
