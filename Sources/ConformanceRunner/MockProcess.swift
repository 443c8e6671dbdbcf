import Conformance
import Foundation
import JSON
import Transport

/// A mock-litellm that this program has started.
struct MockProcess {
  let process: ChildProcess
  let backend: MockBackend
  let faces: MockBackend.Faces

  /// Starts it on free ports and reads the line in which it announces them.
  static func start(
    _ path: String, specification: String?, loop: EventLoop, children: Children, environment: [String: String]
  ) async throws(TargetProblem) -> MockProcess {
    var argv = [path]
    for flag in ["--port", "--direct-port", "--local-port", "--admin-port"] { argv += [flag, "0"] }
    if let specification { argv += ["--spec", specification] }
    let process = try ChildProcess(argv, environment: environment, children: children)
    guard let line = await process.firstLine(within: .seconds(20)) else {
      let end = process.ending.map { "it \($0.text)" } ?? "nothing within 20s"
      await process.stop()
      throw TargetProblem("\(process.name) announced no addresses: \(end)", lines: await process.lines())
    }
    let value = (try? JSONParser.parse(line)) ?? .null
    guard let litellm = value["litellm"]?.string, let direct = value["direct"]?.string,
      let local = value["local"]?.string, let admin = value["admin"]?.string
    else {
      await process.stop()
      throw TargetProblem("\(process.name) announced \"\(line.prefix(200))\", not its addresses")
    }
    return MockProcess(
      process: process, backend: MockBackend(admin: admin, loop: loop),
      faces: MockBackend.Faces(litellm: litellm, direct: direct, local: local))
  }
}
