import Foundation
import Orchestration
import TaskStore

/// `omni-server backup FILE`: a copy of the store of this configuration, whether a server works on it or not.
struct BackupCommand {
  let settings: Settings
  let file: String
  let replaces: Bool

  func run() throws(StartError) {
    let start = ContinuousClock.now
    let progress = StoreProgress("backup")
    do throws(StoreError) {
      let report = try Backup.write(of: settings.databasePath, to: file, replaces: replaces) { done in
        progress.show(done)
      }
      progress.end()
      print(
        "backed up \(report.tasks) \(report.tasks == 1 ? "task" : "tasks") to \(file):"
          + " \(report.bytes) bytes in \(StoreProgress.seconds(since: start)) s, checked")
    } catch {
      progress.end()
      throw StartError("no backup: \(error.description)\(StoreProgress.advice(error))", exit: 1)
    }
  }
}

/// How far work on a store is, for somebody at a terminal; elsewhere nothing is shown.
final class StoreProgress {
  private let what: String
  private let isShown = isatty(STDERR_FILENO) == 1
  private var last = -1

  init(_ what: String) { self.what = what }

  /// - Parameter done: from 0 to 1.
  func show(_ done: Double) {
    let percent = Int(done * 100)
    guard isShown, percent != last else { return }
    last = percent
    let text = percent == 100 ? "\(what): checking " : "\(what): \(percent) %"
    FileHandle.standardError.write(Data("\r\(text)\u{1B}[K".utf8))
  }

  func end() {
    guard isShown, last >= 0 else { return }
    FileHandle.standardError.write(Data("\r\u{1B}[K".utf8))
  }

  static func seconds(since start: ContinuousClock.Instant) -> String {
    String(format: "%.1f", start.duration(to: .now) / .seconds(1))
  }

  /// What to do where the system is in the way.
  static func advice(_ error: StoreError) -> String {
    switch error.trouble {
    case .full: "; free space there, or name a file on another disk"
    case .readOnly: "; run it as the user of the server, and name a file that this user may write"
    default: ""
    }
  }
}
