public import Foundation

/// Data that tests use where it is at hand: `OMNI_CORPORA` names the folder, else it is looked
/// for beside the checkout.
public enum Corpora {
  public static let root: URL? = {
    let package = URL(filePath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let named = ProcessInfo.processInfo.environment["OMNI_CORPORA"].map { URL(filePath: $0) }
    let folder = named ?? package.appending(path: "../shared/corpora").standardizedFileURL
    return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
  }()

  /// The folder of one corpus, or nil with a line that says what is skipped.
  public static func folder(_ name: String) -> URL? {
    guard let folder = root?.appending(path: name),
      FileManager.default.fileExists(atPath: folder.path)
    else {
      print("skipped: corpus \(name) is not here (set OMNI_CORPORA to the folder that holds it)")
      return nil
    }
    return folder
  }

  /// The line `.ci/run` counts: which corpus ran, with how many cases.
  public static func report(_ name: String, ran: Int, failed: Int = 0) {
    print("corpus \(name): \(ran) cases ran, \(failed) failed")
  }

  /// The same for messages that were held against the schemas of a corpus.
  public static func report(_ name: String, checked: Int, failed: Int) {
    print("corpus \(name): \(checked) messages checked, \(failed) failed")
  }
}
