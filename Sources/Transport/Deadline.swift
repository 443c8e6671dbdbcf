/// A deadline that is moved far more often than it passes. Belongs to its loop.
///
/// Its timer is only replaced when it would come too late; when it comes too early it goes on to
/// the deadline by itself.
final class Deadline {
  private unowned let loop: EventLoop
  private var due: Int64?
  private var timer: ScheduledTimer?
  private var passed: (() -> Void)?

  init(_ loop: EventLoop) { self.loop = loop }

  /// What is called when the deadline passes; it must not keep this alive.
  func whenPassed(_ passed: @escaping () -> Void) { self.passed = passed }

  func set(_ limit: Duration) {
    let due = loop.now + limit.nanoseconds
    self.due = due
    if let timer, timer.due <= due { return }
    timer?.cancel()
    wait(limit.nanoseconds)
  }

  /// No deadline for now; the timer is left to run out.
  func clear() { due = nil }

  /// No deadline any more.
  func end() {
    due = nil
    timer?.cancel()
    timer = nil
    passed = nil
  }

  private func wait(_ nanoseconds: Int64) {
    timer = loop.scheduleHere(nanoseconds: nanoseconds) { [weak self] in self?.check() }
  }

  private func check() {
    timer = nil
    guard let due else { return }
    let left = due - loop.now
    guard left <= 0 else { return wait(left) }
    self.due = nil
    passed?()
  }
}
