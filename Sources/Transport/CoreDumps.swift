#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// What is left of a process that crashes.
package enum CoreDumps {
  /// From now on a crash leaves no memory of this process behind, in which its keys would stand. Programs
  /// that it starts inherit that.
  package static func forbid() {
    #if canImport(Glibc)
      let resource = __rlimit_resource_t(RLIMIT_CORE.rawValue)
      // Linux gives a core to a program that collects them whatever the limit, except for 1 (core(5)).
      let least: rlim_t = 1
    #else
      let resource = RLIMIT_CORE
      let least: rlim_t = 0
    #endif
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return }
    limit.rlim_cur = min(least, limit.rlim_max)
    _ = setrlimit(resource, &limit)
  }
}
