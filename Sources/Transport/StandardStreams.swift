#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Standard input and output of this program for one owner: nothing else reads the one or can put a word
/// of its own into the other.
package struct StandardStreams: Sendable {
  package let input: Int32
  package let output: Int32

  /// Takes them over. Whoever reads standard input from now on finds it at its end, and what is printed
  /// goes to standard error. To be called before anything is opened: a program may be started without
  /// one of them, and the next thing opened would get its number.
  package static func take() throws(TransportError) -> StandardStreams {
    let input = try duplicate(STDIN_FILENO, "read standard input")
    let output = try duplicate(STDOUT_FILENO, "write standard output")
    let nothing = open("/dev/null", O_RDWR | O_CLOEXEC)
    guard nothing >= 0 else { throw .system("open /dev/null", Int(errno)) }
    dup2(nothing, STDIN_FILENO)
    if dup2(STDERR_FILENO, STDOUT_FILENO) < 0 { dup2(nothing, STDOUT_FILENO) }
    Sys.close(nothing)
    return StandardStreams(input: input, output: output)
  }

  /// A descriptor beyond the three standard ones, closed on exec.
  private static func duplicate(_ fd: Int32, _ purpose: String) throws(TransportError) -> Int32 {
    let result = Sys.once(Int(fcntl(fd, F_DUPFD_CLOEXEC, 3)))
    guard result >= 0 else { throw .system(purpose, -result) }
    return Int32(result)
  }
}
