#if canImport(Glibc)
  internal import CLinux
  internal import Glibc
#else
  internal import Darwin
#endif

/// The calls by which a loop, its listeners and its connections meet the kernel. Each is made once
/// and gives minus errno for an error, EINTR among them.
///
/// Tests put a subclass in its place, to have calls come out as no kernel would on demand. Without
/// one, which is how a release is built, the compiler takes the class for final and calls directly.
class Kernel: @unchecked Sendable {
  // Invariant: no state here; a subclass guards its own.
  init() {}

  func send(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    #if canImport(Glibc)
      Sys.once(Glibc.send(fd, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)))
    #else
      Sys.once(Darwin.send(fd, bytes.baseAddress, bytes.count, 0))
    #endif
  }

  func receive(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    Sys.once(recv(fd, buffer.baseAddress, buffer.count, 0))
  }

  func read(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    #if canImport(Glibc)
      Sys.once(Glibc.read(fd, buffer.baseAddress, buffer.count))
    #else
      Sys.once(Darwin.read(fd, buffer.baseAddress, buffer.count))
    #endif
  }

  func write(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    #if canImport(Glibc)
      Sys.once(Glibc.write(fd, bytes.baseAddress, bytes.count))
    #else
      Sys.once(Darwin.write(fd, bytes.baseAddress, bytes.count))
    #endif
  }

  /// A connection, non-blocking and closed on exec; fills in where it comes from.
  func accept(_ fd: Int32, _ remote: inout SocketAddress) -> Int {
    let result = remote.withMutablePointer { address, length in
      #if canImport(Glibc)
        Sys.once(Int(linux_accept(fd, address, length)))
      #else
        Sys.once(Int(Darwin.accept(fd, address, length)))
      #endif
    }
    #if !canImport(Glibc)
      if result >= 0 { Sys.prepare(Int32(result)) }
    #endif
    return result
  }

  func connect(_ fd: Int32, _ address: SocketAddress) -> Int {
    address.withPointer { pointer, length in
      #if canImport(Glibc)
        Sys.once(Int(Glibc.connect(fd, pointer, length)))
      #else
        Sys.once(Int(Darwin.connect(fd, pointer, length)))
      #endif
    }
  }

  /// The error pending on a socket, as a positive errno, 0 for none.
  func pendingError(_ fd: Int32) -> Int {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &size)
    return Int(value)
  }

  #if canImport(Glibc)
    func epollWait(
      _ epoll: Int32, _ events: UnsafeMutableBufferPointer<epoll_event>, milliseconds: Int32
    ) -> Int {
      Sys.once(Int(epoll_wait(epoll, events.baseAddress, Int32(events.count), milliseconds)))
    }
  #endif

  func poll(_ entries: UnsafeMutableBufferPointer<pollfd>, milliseconds: Int32) -> Int {
    #if canImport(Glibc)
      Sys.once(Int(Glibc.poll(entries.baseAddress, nfds_t(entries.count), milliseconds)))
    #else
      Sys.once(Int(Darwin.poll(entries.baseAddress, nfds_t(entries.count), milliseconds)))
    #endif
  }
}
