extension Listener {
  /// Hands each new connection to `handler` as a descriptor that blocks. It is the handler's from
  /// then on, to be given to a child process as its standard input and output.
  package func handOver(_ handler: @escaping @Sendable (Int32) -> Void) {
    accept { fd, _ in
      Sys.setBlocking(fd)
      handler(fd)
    }
  }
}
