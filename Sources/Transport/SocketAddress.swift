#if canImport(Glibc)
  internal import CLinux
  internal import Glibc
#else
  internal import Darwin
#endif

/// An IPv4 or IPv6 address with its port.
struct SocketAddress: Sendable {
  private var storage = sockaddr_storage()
  private var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

  init() {}

  private init(_ address: UnsafePointer<sockaddr>, _ length: socklen_t) {
    self.length = min(length, self.length)
    withUnsafeMutableBytes(of: &storage) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(self.length)))
    }
  }

  var family: Int32 { Int32(storage.ss_family) }

  func withPointer<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }

  mutating func withMutablePointer<R>(
    _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> R
  ) -> R {
    withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        withUnsafeMutablePointer(to: &length) { body(address, $0) }
      }
    }
  }

  var port: UInt16 {
    get {
      // The port is at the same place in both families.
      withUnsafeBytes(of: storage) { UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self)) }
    }
    set {
      withUnsafeMutableBytes(of: &storage) {
        $0.storeBytes(of: newValue.bigEndian, toByteOffset: 2, as: UInt16.self)
      }
    }
  }

  /// The address without its port.
  var host: String {
    var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let result = withPointer { pointer, length in
      getnameinfo(pointer, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
    }
    guard result == 0 else { return "unknown" }
    return text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "unknown" }
  }

  /// `127.0.0.1:80` or `[::1]:80`.
  var description: String {
    family == AF_INET6 ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  /// Looks `host` up; only a numeric one when `numeric`, which never blocks. Empty or the reason
  /// when nothing was found.
  static func lookUp(
    _ host: String, port: UInt16, numeric: Bool
  ) -> (addresses: [SocketAddress], reason: String) {
    var hints = addrinfo()
    #if canImport(Glibc)
      hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    #else
      hints.ai_socktype = SOCK_STREAM
    #endif
    hints.ai_family = AF_UNSPEC
    hints.ai_flags = numeric ? AI_NUMERICHOST : 0
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0 else { return ([], String(cString: gai_strerror(code))) }
    defer { freeaddrinfo(list) }
    var found: [SocketAddress] = []
    var next = list
    while let info = next {
      if let address = info.pointee.ai_addr, [AF_INET, AF_INET6].contains(info.pointee.ai_family) {
        found.append(SocketAddress(address, info.pointee.ai_addrlen))
      }
      next = info.pointee.ai_next
    }
    return (found, found.isEmpty ? "no address" : "")
  }

  /// `localhost` is the loopback without asking anybody (RFC 6761 §6.3).
  static func immediate(_ host: String, port: UInt16) -> [SocketAddress] {
    if host.lowercased() == "localhost" {
      return lookUp("127.0.0.1", port: port, numeric: true).addresses
        + lookUp("::1", port: port, numeric: true).addresses
    }
    return lookUp(host, port: port, numeric: true).addresses
  }
}
