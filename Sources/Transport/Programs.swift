#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Finding and starting other programs.
package enum Programs {
  /// The path of an executable file.
  ///
  /// - Parameters:
  ///   - program: a name that is looked for, or a path if it holds a slash.
  ///   - path: folders divided by colons, as in PATH.
  package static func find(_ program: String, path: String) -> String? {
    if program.contains("/") { return isExecutable(program) ? program : nil }
    return path.split(separator: ":").map { "\($0)/\(program)" }.first(where: isExecutable)
  }

  private static func isExecutable(_ path: String) -> Bool {
    var information = stat()
    guard stat(path, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return false }
    return access(path, X_OK) == 0
  }

  /// Runs `start` with no signal blocked. A child inherits what its parent's thread blocks, and
  /// Dispatch blocks all signals on the threads of its pool: a program that does not unblock SIGTERM
  /// itself would never hear it.
  package static func withoutBlockedSignals(_ start: () throws -> Void) rethrows {
    var none = sigset_t()
    var before = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try start()
  }

  /// Starts the program at `path` in a process group of its own, with signals as they are by default.
  ///
  /// - Returns: the number of the process, or minus errno.
  static func spawn(
    _ path: String, arguments: [String], environment: [String: String], wire: Int32, errors: Int32
  ) -> Int {
    #if canImport(Glibc)
      var actions = posix_spawn_file_actions_t()
      var attributes = posix_spawnattr_t()
    #else
      var actions: posix_spawn_file_actions_t?
      var attributes: posix_spawnattr_t?
    #endif
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_adddup2(&actions, wire, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, wire, STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
    var changed = sigset_t()
    sigemptyset(&changed)
    for signal in [SIGPIPE, SIGTERM, SIGINT, SIGHUP] { sigaddset(&changed, signal) }
    posix_spawnattr_setsigdefault(&attributes, &changed)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGDEF))
    var process = pid_t()
    var code: Int32 = 0
    withTexts([path] + arguments) { argv in
      withTexts(environment.map { "\($0)=\($1)" }) { envp in
        withoutBlockedSignals {
          code = posix_spawn(&process, path, &actions, &attributes, argv, envp)
        }
      }
    }
    return code == 0 ? Int(process) : -Int(code)
  }

  /// Lends `texts` as C has them: pointers with a null behind the last.
  private static func withTexts(
    _ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Void
  ) {
    let copies = texts.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    var pointers = copies
    pointers.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      body(base)
    }
  }
}
