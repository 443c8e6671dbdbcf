#if canImport(Glibc)
  import CLinux
  import Glibc
#else
  import Darwin
#endif

/// Gives memory back to the system when a busy time is over. The allocator keeps what was freed between
/// blocks that are still used: after an hour of connections that come and go, a tenth of what the server
/// has would be memory that it does not use.
struct MemoryReturn {
  /// How often it is looked whether a busy time is over.
  private static let interval = Duration.seconds(10)
  /// Of processor time within an interval: from here on the time is busy, and nothing is given back.
  static let busy = Duration.milliseconds(500)

  private var used = Duration.zero
  private var wasBusy = false

  /// Looks until it is cancelled.
  static func watch() async {
    var times = MemoryReturn()
    while (try? await Task.sleep(for: interval)) != nil {
      if times.isOver(used: processorTime()) { giveBack() }
    }
  }

  /// Whether a busy time has ended since the last call.
  ///
  /// - Parameter used: processor time since the process began.
  mutating func isOver(used now: Duration) -> Bool {
    let isBusy = now - used >= Self.busy
    defer { (used, wasBusy) = (now, isBusy) }
    return wasBusy && !isBusy
  }

  /// By all threads.
  private static func processorTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  private static func giveBack() {
    #if canImport(Glibc)
      malloc_trim(0)
    #else
      malloc_zone_pressure_relief(nil, 0)
    #endif
  }
}
