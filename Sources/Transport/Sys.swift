#if canImport(Glibc)
  internal import CLinux
  internal import Glibc
#else
  internal import Darwin
#endif

/// The system calls, each with its error taken at once: a negative result is minus errno. Those
/// whose outcomes a connection must cope with are in `Kernel`.
enum Sys {
  /// The result of a call, or minus errno.
  @inline(__always)
  static func once(_ result: Int) -> Int { result >= 0 ? result : -Int(errno) }

  /// Repeats a call that a signal interrupted.
  @inline(__always)
  static func retry(_ call: () -> Int) -> Int {
    while true {
      let result = call()
      if result != -Int(EINTR) { return result }
    }
  }

  static func describe(_ code: Int) -> String {
    var text = [CChar](repeating: 0, count: 128)
    return text.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return "error \(code)" }
      return strerror_r(Int32(code), base, buffer.count) == 0 ? String(cString: base) : "error \(code)"
    }
  }

  static func isAgain(_ result: Int) -> Bool {
    result == -Int(EAGAIN) || result == -Int(EWOULDBLOCK)
  }

  /// Monotonic nanoseconds.
  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  static func close(_ fd: Int32) {
    // Not repeated on EINTR: the descriptor is gone either way.
    #if canImport(Glibc)
      _ = Glibc.close(fd)
    #else
      _ = Darwin.close(fd)
    #endif
  }

  static func read(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    #if canImport(Glibc)
      retry { once(Glibc.read(fd, buffer.baseAddress, buffer.count)) }
    #else
      retry { once(Darwin.read(fd, buffer.baseAddress, buffer.count)) }
    #endif
  }

  static func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    #if canImport(Glibc)
      retry { once(Glibc.write(fd, bytes.baseAddress, bytes.count)) }
    #else
      retry { once(Darwin.write(fd, bytes.baseAddress, bytes.count)) }
    #endif
  }

  /// Waits without end until `fd` is ready for `events` or has failed; for a thread that may block.
  static func wait(_ fd: Int32, for events: Int16) {
    var entry = pollfd(fd: fd, events: events, revents: 0)
    _ = retry { once(Int(poll(&entry, 1, -1))) }
  }

  static func shutdownWrite(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_WR)) }

  /// A non-blocking stream socket that is closed on exec and never raises SIGPIPE.
  static func streamSocket(_ family: Int32) -> Int {
    #if canImport(Glibc)
      let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
      return retry { once(Int(socket(family, kind, 0))) }
    #else
      let fd = retry { once(Int(socket(family, SOCK_STREAM, 0))) }
      if fd >= 0 { prepare(Int32(fd)) }
      return fd
    #endif
  }

  static func prepare(_ fd: Int32) {
    #if !canImport(Glibc)
      _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)
      _ = fcntl(fd, F_SETFD, FD_CLOEXEC)
      set(fd, SOL_SOCKET, SO_NOSIGPIPE, 1)
    #endif
  }

  /// Lets reads and writes wait, for a program that expects that of its standard input and output.
  static func setBlocking(_ fd: Int32) { _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) }

  static func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  static func setNoDelay(_ fd: Int32) { set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }

  /// Makes the next close send RST.
  static func setAbort(_ fd: Int32) {
    var value = linger(l_onoff: 1, l_linger: 0)
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
  }

  static func bind(_ fd: Int32, _ address: SocketAddress) -> Int {
    address.withPointer { pointer, length in
      #if canImport(Glibc)
        retry { once(Int(Glibc.bind(fd, pointer, length))) }
      #else
        retry { once(Int(Darwin.bind(fd, pointer, length))) }
      #endif
    }
  }

  static func listen(_ fd: Int32, backlog: Int32) -> Int {
    #if canImport(Glibc)
      retry { once(Int(Glibc.listen(fd, backlog))) }
    #else
      retry { once(Int(Darwin.listen(fd, backlog))) }
    #endif
  }

  /// A descriptor of no use but to be given up, -1 when there is none.
  static func spareDescriptor() -> Int32 { open("/dev/null", O_RDONLY | O_CLOEXEC) }

  static func localAddress(_ fd: Int32) -> SocketAddress {
    var address = SocketAddress()
    _ = address.withMutablePointer { Int(getsockname(fd, $0, $1)) }
    return address
  }
}
