package import JSON
package import ProtocolSpec

/// Why a task came to a state, where that is no class of `Spec/failures.yaml`.
package enum StepCause {
  /// It waits for something that is lost.
  package static let outage = "outage"
  /// What it waited for is back, or its time has come.
  package static let wake = "wake"
  /// It was interrupted by the end of the process.
  package static let restart = "restart"
  /// Its row could not be written, and is now.
  package static let storage = "storage"
  package static let cancelled = "cancel_task"
}

/// The way of a task, oldest step first.
package struct TaskTimeline: Sendable, Equatable {
  /// A state that a task came to.
  package struct Step: Sendable, Equatable {
    package let state: TaskState
    package let at: Timestamp
    /// Who was to do it from then on; nil where that did not change.
    package var executor: String?
    package var model: String?
    /// Why, in a word; see `get_task_timeline`.
    package var cause: String?
  }

  package let id: String
  package let steps: [Step]
  /// Whether steps in the middle are not kept any more, or never were.
  package let isTruncated: Bool

  /// As `get_task_timeline` gives it.
  package var json: JSONValue {
    let steps = steps.map { step in
      var members = JSONObject([("state", .string(step.state.rawValue)), ("at", .string(step.at.text))])
      members["executor"] = step.executor.map(JSONValue.string)
      members["model"] = step.model.map(JSONValue.string)
      members["cause"] = step.cause.map(JSONValue.string)
      return JSONValue.object(members)
    }
    var members = JSONObject([("task_id", .string(id)), ("steps", .array(steps))])
    if isTruncated { members["truncated"] = true }
    return .object(members)
  }
}

/// How the steps of a task stand in its row: a line each, added by the same write that makes the step.
///
/// A line is the first two letters of the state, milliseconds since the creation, and after a tab each, where
/// there are any, executor, model and cause: `ex12⇥litellm⇥claude-3-5-haiku`. The first step is not
/// written, for every task begins idle when it is created. A line `*…` stands for steps that are missing.
enum StepText {
  /// Characters of all lines, before those in the middle go.
  private static let limit = 4096
  private static let keptFirst = 1024
  private static let keptLast = 2048
  /// Characters of a name or cause.
  private static let fieldLimit = 128

  /// SQL for what a row has before a step is added. A row of version 2 of the schema has its last state only.
  /// The cut is made anywhere: who reads leaves out the lines on both sides of it.
  static let kept = """
    CASE
      WHEN steps = '' AND state <> 'idle'
        THEN '*' || char(10) || substr(state, 1, 2) || (updated_at - created_at) || char(10)
      WHEN length(steps) > \(limit)
        THEN substr(steps, 1, \(keptFirst)) || char(10) || '*' || substr(steps, -\(keptLast))
      ELSE steps
    END
    """

  /// The lines of these steps; what changes with the last one stands there.
  ///
  /// - Parameter time: milliseconds since the creation.
  static func lines(along path: [TaskState], _ change: TaskChange, at time: Int64) -> String {
    var text = ""
    for (number, state) in path.enumerated() {
      text += state.rawValue.prefix(2)
      text += String(time)
      if number == path.count - 1 { text += fields(change.executor, change.model, change.cause) }
      text += "\n"
    }
    return text
  }

  /// What stands behind the time.
  static func fields(_ executor: String?, _ model: String?, _ cause: String?) -> String {
    var text = ""
    var tabs = ""
    for field in [executor, model, cause] {
      tabs += "\t"
      guard let field, !field.isEmpty else { continue }
      text += tabs + plain(field)
      tabs = ""
    }
    return text
  }

  /// Names come from the configuration and may hold anything.
  private static func plain(_ field: String) -> String {
    let utf8 = field.utf8
    guard utf8.count > fieldLimit || utf8.contains(where: { $0 < 0x20 }) else { return field }
    return String(field.prefix(fieldLimit).map { $0.isNewline || $0 == "\t" || $0 == "\0" ? " " : $0 })
  }

  static func timeline(
    id: String, state: TaskState, createdAt: Timestamp, updatedAt: Timestamp, lines text: String
  ) -> TaskTimeline {
    var steps = [TaskTimeline.Step(state: .idle, at: createdAt)]
    guard !text.isEmpty else {
      let isOld = state != .idle
      if isOld { steps.append(TaskTimeline.Step(state: state, at: updatedAt)) }
      return TaskTimeline(id: id, steps: steps, isTruncated: isOld)
    }
    var isTruncated = false
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (number, line) in lines.enumerated() {
      if line.hasPrefix("*") {
        isTruncated = true
      } else if number + 1 == lines.count || !lines[number + 1].hasPrefix("*") {
        if let step = step(line, since: createdAt) { steps.append(step) }
      }
    }
    return TaskTimeline(id: id, steps: steps, isTruncated: isTruncated)
  }

  private static func step(_ line: Substring, since creation: Timestamp) -> TaskTimeline.Step? {
    let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
    guard let first = fields.first, let time = Int64(first.dropFirst(2)),
      let state = TaskState.allCases.first(where: { $0.rawValue.prefix(2) == first.prefix(2) })
    else { return nil }
    func field(_ number: Int) -> String? {
      fields.count > number && !fields[number].isEmpty ? String(fields[number]) : nil
    }
    return TaskTimeline.Step(
      state: state, at: Timestamp(milliseconds: creation.milliseconds + time), executor: field(1),
      model: field(2), cause: field(3))
  }
}
