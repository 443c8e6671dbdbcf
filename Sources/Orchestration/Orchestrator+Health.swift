import Diagnostics
import Foundation
import JSON
import ProtocolSpec
import TaskStore

/// Probes, and what follows when the system changes its state.
extension Orchestrator {
  /// The note under which the state of the system is stored.
  static let systemNote = "system"
  static let historyNote = "system_history"

  private static let probeMessage = [ChatMessage(role: "user", content: "ping")]

  /// Probes at once and then at every interval.
  func watchHealth() async {
    var isProbed = false
    if awaitsProbe {
      isProbed = monitor.state == .normal
      await probeBeforeTasks()
      awaitsProbe = false
      await pump()
    }
    while !Task.isCancelled {
      if !isProbed { await probe() }
      isProbed = false
      if owesState { await rememberState() }
      if owesWaking { await wakeWaiting() }
      try? await clock.sleep(for: settings.healthInterval)
    }
  }

  /// After a start in doubt one probe goes before all tasks, to whom they would go.
  private func probeBeforeTasks() async {
    switch currentUpstream {
    case .litellm: await probeLiteLLM(by: .cheapProbe)
    case .cloud: await probeCloud()
    case nil: break
    }
  }

  private func probe() async {
    switch monitor.state {
    case .normal: await probeLiteLLM(by: .cheapProbe)
    case .degraded: await probeLiteLLM(by: .completionProbe)
    case .brainstem:
      await probeLiteLLM(by: .completionProbe)
      await probeCloud()
    }
  }

  private func probeLiteLLM(by evidence: SystemMonitor.Evidence) async {
    do throws(CallFailure) {
      if evidence == .cheapProbe {
        try await upstreams.probeLiteLLM()
      } else {
        _ = try await upstreams.litellmProbe.complete(
          Self.probeMessage, model: settings.lightweightModel, maxTokens: 1)
      }
      await entered(monitor.succeeded(.litellm, by: evidence, at: now()))
    } catch {
      if Task.isCancelled { return }
      let counts = spec.failures[error.name].counts
      await entered(monitor.failed(.litellm, error.name, counts: counts, at: now()))
    }
  }

  private func probeCloud() async {
    do throws(CallFailure) {
      try await upstreams.probeCloud()
      await entered(monitor.succeeded(.cloud, by: .cheapProbe, at: now()))
    } catch {
      if Task.isCancelled { return }
      await entered(monitor.failed(.cloud, error.name, counts: .always, at: now()))
    }
  }

  /// Does what entering `state` asks for; nothing more than storing what was counted if the state did
  /// not change.
  func entered(_ state: SystemState?) async {
    guard let state else { return noteCounts() }
    log.warning(
      "system state",
      JSONObject([("system_state", .string(state.rawValue)), ("since", .string(monitor.since.text))]))
    await rememberState()
    if state == .degraded { await queueRepair() }
    switch state {
    case .brainstem: await enterBrainstem()
    case .normal, .degraded:
      guard currentUpstream != nil else { return await pump() }
      places.startSlowly()
      await wakeWaiting()
    }
  }

  /// Stores what was counted, if that is something else than what is stored; nobody waits for it.
  private func noteCounts() {
    guard monitor.note != remembered, !isRemembering else { return }
    Task { await self.rememberState() }
  }

  /// Stores the state for the next start; what the store does not take now, it gets after a probe.
  private func rememberState() async {
    owesState = true
    // Whoever is at it looks again at the end.
    guard !isRemembering else { return }
    isRemembering = true
    defer { isRemembering = false }
    do throws(StoreError) {
      while monitor.note != remembered {
        let note = monitor.note
        let history = monitor.history
        if history != rememberedHistory {
          try await store.remember(monitor.historyNote, as: Self.historyNote)
          rememberedHistory = history
        }
        try await store.remember(note, as: Self.systemNote)
        remembered = note
      }
      owesState = false
    } catch {
      log.error("system state", JSONObject([("cause", .string(error.description))]))
    }
  }

  /// Everything waits; the local model is woken once to see that it is there.
  private func enterBrainstem() async {
    Task { await self.wakeLocalModel() }
    for task in running.values { task.cancel() }
    await suspendQueue()
  }

  private func wakeLocalModel() async {
    let answer: String
    do throws(CallFailure) {
      _ = try await upstreams.local.complete(
        Self.probeMessage, model: settings.brainstemModel, maxTokens: 1)
      answer = "answers"
    } catch {
      answer = error.name.rawValue
    }
    log.info(
      "local model", JSONObject([("model", .string(settings.brainstemModel)), ("answer", .string(answer))]))
  }

  // MARK: - Waking

  /// Waiting tasks whose time has come are queued again, oldest first, and take turns with those of clients.
  func wakeWaiting() async {
    owesWaking = true
    do throws(StoreError) {
      let woken = try await store.transitionAll(
        from: .waiting, to: .idle, dueOnly: true, cause: StepCause.wake)
      owesWaking = false
      for row in woken { queue.append(resumed(row)) }
    } catch {
      log.error("wake", JSONObject([("cause", .string(error.description))]))
    }
    await scheduleWakeUp()
    await pump()
  }

  /// Sees to it that the waiting tasks with stored times are taken up then.
  func scheduleWakeUp() async {
    let cap = spec.failures.policy.backoffCap
    var next: Timestamp?
    do throws(StoreError) {
      next = try await store.nextWake()
    } catch {
      log.error("wake", JSONObject([("cause", .string(error.description))]))
      next = now().adding(cap)
    }
    // No await from here on: there is one wake-up, whoever asked for it.
    wakeUp?.cancel()
    (wakeUp, wakesAt) = (nil, nil)
    // In brainstem the end of the outage wakes them.
    guard let next, monitor.state != .brainstem, !isDraining else { return }
    let pause = Duration.milliseconds(next.milliseconds - now().milliseconds + 1)
    // Times close together are one wake-up, and a store that cannot be written is not hurried.
    let bounded = min(max(pause, owesWaking ? cap : Self.shortestPause), .seconds(3600))
    wakesAt = now().adding(bounded)
    wakeUp = Task {
      guard (try? await self.clock.sleep(for: bounded)) != nil else { return }
      await self.wakeWaiting()
    }
  }

  private static let shortestPause = Duration.milliseconds(20)

  // MARK: - Retention

  /// Removes ended tasks past their time, now and once an hour.
  func removeOldTasks() async {
    while !Task.isCancelled {
      let limit = now().adding(.zero - settings.taskRetention)
      if let removed = try? await store.removeEnded(before: limit), removed > 0 {
        log.info("old tasks removed", JSONObject([("count", .int(removed))]))
      }
      try? await clock.sleep(for: .seconds(3600))
    }
  }
}
