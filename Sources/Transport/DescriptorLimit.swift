#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// How many descriptors the process may have open at one time.
package enum DescriptorLimit {
  package static var current: Int { raise(to: 0) }

  /// Raises the soft limit to `wanted` if the hard limit allows it, and gives what it is then.
  ///
  /// Shells and service managers give a process 1024 and let it raise that, since programs that use
  /// `select` break with more.
  package static func raise(to wanted: Int) -> Int {
    #if canImport(Glibc)
      let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
      let resource = RLIMIT_NOFILE
    #endif
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return 0 }
    let before = limit.rlim_cur
    limit.rlim_cur = min(limit.rlim_max, max(before, rlim_t(max(wanted, 0))))
    let now = setrlimit(resource, &limit) == 0 ? limit.rlim_cur : before
    return Int(clamping: now)
  }
}
