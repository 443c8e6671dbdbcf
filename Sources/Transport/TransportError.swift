#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Why a socket could not be had, in one sentence.
package struct TransportError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Kind: Sendable { case portInUse, permission, badHost, system }

  package let kind: Kind
  package let description: String

  static func system(_ action: String, _ code: Int) -> TransportError {
    TransportError(kind: .system, description: "cannot \(action): \(Sys.describe(code))")
  }

  static func binding(_ host: String, _ port: UInt16, _ code: Int) -> TransportError {
    let place = "\(host):\(port)"
    switch Int32(code) {
    case EADDRINUSE:
      return TransportError(
        kind: .portInUse, description: "port \(port) on \(host) is in use by another program")
    case EACCES, EPERM:
      return TransportError(
        kind: .permission, description: "no permission to listen on \(place): ports below 1024 need it")
    case EADDRNOTAVAIL:
      return TransportError(
        kind: .badHost, description: "cannot listen on \(place): \(host) is no address of this machine")
    default:
      return .system("listen on \(place)", code)
    }
  }
}
