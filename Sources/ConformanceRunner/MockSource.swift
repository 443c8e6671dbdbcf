import Conformance
import Transport

/// Where the backend of a target comes from.
enum MockSource {
  case none
  /// One that runs already.
  case running(MockBackend)
  /// The program; each stand gets one of its own.
  case program(String)

  var exists: Bool { if case .none = self { false } else { true } }
}

/// The stands of a run, and the mocks that were started for them.
struct Stands {
  private(set) var all: [Stand] = []
  private var mocks: [ChildProcess] = []

  /// As many stands as can be: more than one only of a target that the runner starts at ports and
  /// with data of its own choice, and whose mock it starts too.
  static func count(_ description: TargetDescription, _ mock: MockSource, wanted: Int) -> Int {
    let isOwn = description.url.contains("${port}") || description.transport == .stdio
    guard description.start != nil, isOwn else { return 1 }
    if case .running = mock { return 1 }
    return wanted
  }

  mutating func add(
    _ description: TargetDescription, _ source: MockSource, specification: String?, loop: EventLoop,
    children: Children, environment: [String: String], tunnel: TLSTunnel?
  ) async throws(TargetProblem) {
    var backend: MockBackend?
    var faces: MockBackend.Faces?
    switch source {
    case .none: break
    case .running(let mock): backend = mock
    case .program(let path):
      let mock = try await MockProcess.start(
        path, specification: specification, loop: loop, children: children, environment: environment)
      mocks.append(mock.process)
      (backend, faces) = (mock.backend, mock.faces)
    }
    let target = Target(
      description, faces: faces, loop: loop, children: children, inherited: environment, tunnel: tunnel)
    all.append(Stand(target: target, mock: backend))
  }

  /// Stops what was started.
  func end() async {
    for stand in all { await stand.target.end() }
    for mock in mocks { await mock.stop() }
  }
}
