internal import JSON
internal import ProtocolSpec

// The backend behind the target, and the target's process.
extension Player {
  func arm(_ faces: [ArmedFace]) async throws(Halt) {
    guard let mock else { throw .notTestable("no mock is given") }
    do throws(MockBackend.Problem) {
      try await mock.arm(faces)
    } catch {
      throw .setup(error.description)
    }
    for face in faces {
      log.add(.aside, "armed \(face.face.rawValue): \(FlowText.text(.array(face.rules)))", on: "")
    }
  }

  private func journal() async throws(Halt) -> Journal {
    guard let mock else { throw .notTestable("no mock is given") }
    do throws(MockBackend.Problem) {
      return try await mock.journal { [watch] value in watch?.journal(value) ?? value }
    } catch {
      throw .setup(error.description)
    }
  }

  /// Calls may still be under way, so what is not there yet gets until `within`.
  func observe(
    _ faces: [ObservedFace], within limit: Duration, every pause: Duration = .milliseconds(10)
  ) async throws(Halt) {
    let deadline = ContinuousClock.now + limit
    while true {
      let calls = try await journal().calls
      var wrong: (Observation, [Difference])?
      for face in faces {
        for expectation in face.expectations {
          let differences = expectation.differences(calls, face: face.face, &bindings)
          if !differences.isEmpty && wrong == nil { wrong = (expectation, differences) }
        }
      }
      guard let (expectation, differences) = wrong else { return }
      guard ContinuousClock.now < deadline else {
        for call in calls.suffix(20) {
          log.add(.aside, "\(call.face) received \(call.method) \(call.path)", on: "")
        }
        throw failure("the backend did not observe what was expected", differences, at: expectation.place)
      }
      try? await Task.sleep(for: pause)
    }
  }

  func checkRulesAreUsedUp() async throws(Halt) {
    guard let (face, rule, left) = try await journal().unused.first else { return }
    throw failure(
      "an armed fault never happened",
      [Difference(JSONPointer(tokens: [face]), expected: FlowText.text(rule), gotText: "\(left) times left")])
  }

  func restart(_ signal: RestartSignal, _ exit: Int?) async throws(Halt) {
    log.add(.aside, "restart by SIG\(signal.rawValue)", on: "")
    let status: Int?
    do throws(TargetProblem) {
      status = try await target.restart(signal)
    } catch {
      var halt = failure(error.description)
      if case .failed(var failure) = halt {
        failure.targetLines = error.lines.map(settings.masking.masked)
        halt = .failed(failure)
      }
      throw halt
    }
    for place in connections.indices { connections[place].isFromBeforeRestart = true }
    guard let exit, status != exit else { return }
    throw failure(
      "the target ended with another exit code",
      [
        Difference(
          JSONPointer(tokens: ["exit"]), expected: String(exit),
          gotText: status.map(String.init) ?? "ended by the signal")
      ])
  }
}
