import JSON
import ProtocolSpec

/// One call of a fixture tool, whose arguments fit.
struct FixtureCall: Sendable {
  let fixtures: Fixtures
  let tool: FixtureSpec.Tool
  let arguments: JSONObject
  let context: any FixtureContext

  /// Does what the tool does, and gives its result.
  func run() async throws(ProtocolFault) -> JSONObject {
    var values = argumentValues
    switch tool.handler {
    case .none: break
    case .log(let entries, let pause):
      for (index, entry) in entries.enumerated() {
        if index > 0 { await Self.rest(pause) }
        await context.log(entry.level, entry.data)
      }
    case .progress(let progress, let pause):
      for (index, step) in progress.steps.enumerated() {
        if index > 0 { await Self.rest(pause) }
        let texts = ["step": String(step), "total": String(progress.total)]
        await context.progress(Double(step), of: Double(progress.total), fillNames(progress.message, texts))
      }
    case .wait(let argument, let unit, let pause): await wait(argument, unit, pause)
    case .ask(let asking):
      switch try await FixtureAsking(fixtures, asking, context).answers(values) {
      case .ended(let result): return result
      case .values(let found): values.merge(found) { _, new in new }
      }
    case .require(let capabilities):
      guard let name = capabilities.keys.first(where: { !context.declares($0) }) else { break }
      guard context.revision.isStateless else { return fixtures.unsupported(name) }
      throw fixtures.missing(capabilities)
    case .change(let list): await context.listChanged(list.rawValue)
    case .reconnect(let pause):
      await context.disconnect()
      await Self.rest(pause)
    case .fault: throw fixtures.spec.errors.fault(.internalError)
    }
    return result(values)
  }

  /// Begins a task that does it, and gives what is told of the task; before that, what is to be asked
  /// before it.
  func startTask() async throws(ProtocolFault) -> JSONObject {
    var values = argumentValues
    if case .ask(let asking) = tool.handler {
      let asker = FixtureAsking(fixtures, asking, context)
      try asker.checkDeclared()
      if asking.isBeforeTask {
        switch try await asker.answers(values) {
        case .ended(let result): return result
        case .values(let found): values.merge(found) { _, new in new }
        }
        let result = result(values)
        return try started { _ in .success(result) }
      }
    }
    return try started { [fixtures, tool, arguments] context in
      do throws(ProtocolFault) {
        return .success(
          try await FixtureCall(fixtures: fixtures, tool: tool, arguments: arguments, context: context).run())
      } catch {
        return .failure(error)
      }
    }
  }

  private func started(
    _ work: @escaping @Sendable (FixtureTaskContext) async -> Result<JSONObject, ProtocolFault>
  ) throws(ProtocolFault) -> JSONObject {
    guard let task = fixtures.tasks.start(for: context, work) else {
      throw fixtures.spec.errors.fault(.queueFull, retryAfter: .seconds(1))
    }
    return task
  }

  /// Lets the time of `argument` pass, or less if the call is cancelled.
  private func wait(_ argument: String, _ unit: Duration, _ pause: Duration) async {
    let clock = ContinuousClock()
    let total = unit * (arguments[argument]?.int ?? 0)
    let start = clock.now
    while !Task.isCancelled {
      let passed = start.duration(to: clock.now)
      await context.progress(min(passed, total) / unit, of: total / unit, nil)
      guard passed < total else { return }
      await Self.rest(min(pause, total - passed))
    }
  }

  private func result(_ values: [String: String]) -> JSONObject {
    fillTexts(.object(tool.result), values).object ?? tool.result
  }

  private var argumentValues: [String: String] {
    Dictionary(arguments.map { ($0.key, $0.value.string ?? JSONWriter.text($0.value)) }) { first, _ in first }
  }

  /// Ends early when the call is cancelled.
  private static func rest(_ time: Duration) async { try? await Task.sleep(for: time) }
}

extension Fixtures {
  /// A result that says what the client cannot do.
  func unsupported(_ capability: String) -> JSONObject {
    Self.failure(fill(spec.fixtures.messages.unsupported, ["capability": capability]))
  }
}
