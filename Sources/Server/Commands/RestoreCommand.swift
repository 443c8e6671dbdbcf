import Foundation
import Orchestration
import TaskStore

/// `omni-server restore FILE`: a backup takes the place of the store of this configuration.
struct RestoreCommand {
  let settings: Settings
  let file: String
  let replaces: Bool

  func run() throws(StartError) {
    let start = ContinuousClock.now
    let progress = StoreProgress("restore")
    do throws(StoreError) {
      let report = try Restore.perform(from: file, to: settings.databasePath, replaces: replaces) { done in
        progress.show(done)
      }
      progress.end()
      print(
        "restored \(report.tasks) \(report.tasks == 1 ? "task" : "tasks") from \(file)"
          + " in \(StoreProgress.seconds(since: start)) s, checked")
      if let kept = report.kept { print("the store that was there is kept: \(kept)") }
    } catch {
      progress.end()
      throw StartError("not restored: \(error.description)\(StoreProgress.advice(error))", exit: 1)
    }
  }
}
