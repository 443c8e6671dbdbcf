import Diagnostics
import JSON
import ProtocolSpec
import TaskStore

/// How an executing task is done by an upstream: calls, and what follows when they fail.
extension Orchestrator {
  /// Tries one upstream until it answers, gives up, or the system turns to another.
  func call(_ task: StoredTask, _ upstream: SystemMonitor.Upstream) async -> DispatchOutcome {
    while true {
      progress[task.id, default: Progress()].note(upstream)
      let begun = now()
      let result = await attempt(task, upstream)
      guard case .failure(let failure) = result else {
        return await succeeded(result, task, upstream)
      }
      if Task.isCancelled { return abandoned() }
      await note(failure, of: task, upstream, begun: begun)
      if let outcome = giveUp(task, upstream, failure) { return outcome }
      let tries = progress[task.id]?.triesByUpstream[upstream] ?? 0
      let pause = retryPolicy.pause(afterFailures: tries, retryAfter: failure.retryAfter)
      try? await clock.sleep(for: pause)
      if Task.isCancelled { return abandoned() }
      if currentUpstream != upstream { return elsewhere(failure) }
    }
  }

  /// Counts a failed attempt, which may change the state of the system.
  private func note(
    _ failure: CallFailure, of task: StoredTask, _ upstream: SystemMonitor.Upstream, begun: Timestamp
  ) async {
    let row = spec.failures[failure.name]
    let members = JSONObject([
      ("task_id", .string(task.id)), ("upstream", .string(upstream.rawValue)),
      ("class", .string(failure.name.rawValue)), ("detail", .string(shown(failure.detail))),
    ])
    // A refused key does not get better by itself: somebody has to see it.
    if failure.name == .auth {
      log.error("attempt failed", members)
    } else {
      log.warning("attempt failed", members)
    }
    await entered(monitor.failed(upstream, failure.name, counts: row.counts, begun: begun, at: now()))
  }

  /// How the dispatch ends after a failure; nil if the same upstream is tried again.
  private func giveUp(
    _ task: StoredTask, _ upstream: SystemMonitor.Upstream, _ failure: CallFailure
  ) -> DispatchOutcome? {
    let row = spec.failures[failure.name]
    let policy = spec.failures.policy
    let isTriedElsewhere = turnToOtherModel(task, upstream, failure)
    guard row.isRetried || isTriedElsewhere else { return .failed(failure) }
    if currentUpstream != upstream { return elsewhere(failure) }
    if let wait = failure.retryAfter, wait > policy.suspendAbove {
      return .suspended(message: rateLimitMessage(wait), wakeAt: now().adding(wait))
    }
    let tries = progress[task.id]?.triesByUpstream[upstream] ?? 0
    if tries >= row.tries ?? policy.triesPerUpstream { return .failed(failure) }
    if !retryPolicy.mayRetry(at: now()) {
      // Not all of them at one time.
      let wait = policy.backoffCap + retryPolicy.pause(afterFailures: tries, retryAfter: nil)
      return .suspended(message: rateLimitMessage(wait), wakeAt: now().adding(wait))
    }
    return nil
  }

  /// Where another model may do what this one did not: a larger one a request that was too long, once,
  /// the heavyweight one a request to which there was no usable answer. The direct API has one model.
  private func turnToOtherModel(
    _ task: StoredTask, _ upstream: SystemMonitor.Upstream, _ failure: CallFailure
  ) -> Bool {
    guard upstream == .litellm else { return false }
    let current = model(of: task, upstream)
    let other: String
    switch failure.name {
    case .invalidRequest where failure.isTooLong: other = settings.longContextModel
    // The larger one stays: to any other the request would be too long again.
    case .invalidOutput where current != settings.longContextModel: other = settings.heavyweightModel
    default: return false
    }
    guard other != current else { return false }
    progress[task.id]?.model = other
    log.info("other model", JSONObject([("task_id", .string(task.id)), ("model", .string(other))]))
    return true
  }

  private func elsewhere(_ failure: CallFailure) -> DispatchOutcome {
    currentUpstream == nil ? .suspended(message: monitorMessage, wakeAt: nil) : .elsewhere(failure)
  }

  /// A cancelled dispatch: by the drain, because the cloud was lost, even if it is back already, or
  /// by a client, whose row the store does not suspend.
  func abandoned() -> DispatchOutcome {
    isDraining ? .abandoned : .suspended(message: monitorMessage, wakeAt: nil)
  }

  private func succeeded(
    _ result: Result<Completion, CallFailure>, _ task: StoredTask, _ upstream: SystemMonitor.Upstream
  ) async -> DispatchOutcome {
    guard case .success(let completion) = result else { return .abandoned }
    let asked = model(of: task, upstream)
    if !completion.isFrom(asked) {
      log.warning(
        "another model answered",
        JSONObject([
          ("task_id", .string(task.id)), ("asked", .string(asked)),
          ("model", .string(shown(completion.model ?? ""))),
        ]))
    }
    retryPolicy.noteSuccess(at: now())
    await entered(monitor.succeeded(upstream, by: .call, at: now()))
    return .completed(completion)
  }

  /// The model that the next call asks for.
  private func model(of task: StoredTask, _ upstream: SystemMonitor.Upstream) -> String {
    (upstream == .litellm ? progress[task.id]?.model : nil) ?? task.model
  }

  private func attempt(
    _ task: StoredTask, _ upstream: SystemMonitor.Upstream
  ) async -> Result<Completion, CallFailure> {
    var messages = (task.history?.array ?? []).map {
      ChatMessage(role: $0["role"]?.string ?? "", content: $0["content"]?.string ?? "")
    }
    messages.append(ChatMessage(role: "user", content: task.description))
    do throws(CallFailure) {
      switch upstream {
      case .litellm:
        return .success(
          try await upstreams.litellm.complete(messages, model: model(of: task, upstream), maxTokens: nil))
      case .cloud:
        guard let direct = upstreams.direct else {
          return .failure(CallFailure(name: .auth, detail: "there is no backup key"))
        }
        return .success(
          try await direct.complete(messages, model: model(of: task, upstream), maxTokens: nil))
      }
    } catch {
      return .failure(error)
    }
  }
}
