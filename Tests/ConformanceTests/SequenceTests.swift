import Conformance
import Foundation
import JSON
import ProtocolSpec
import Testing
import Transport

@Suite("Random sequences")
struct SequenceTests {
  private static func campaign(
    _ mistake: SmallOrchestrator.Mistake, _ count: Int, seed: UInt64 = 1
  ) async throws -> SequenceCampaign.Result {
    let server = SmallOrchestrator(mistake)
    let peer = try Peer(behaviour: { server.behaviour($0, $1) })
    let target = Target(
      TargetDescription(url: peer.url), faces: nil, loop: peer.loop, children: Children(), inherited: [:])
    let campaign = SequenceCampaign(
      spec: Kit.spec, stands: [Stand(target: target, mock: nil)], loop: peer.loop,
      settings: PlaySettings(seed: seed))
    return try await campaign.run(1..<(count + 1), length: 14, restarts: false)
  }

  @Test("a server without a mistake passes")
  func passes() async throws {
    let result = try await Self.campaign(.none, 60)
    #expect(result.found == nil, "\(String(describing: result.found?.failure.failure))")
    #expect(result.played == 60)
  }

  @Test("the same seed gives the same plans")
  func seeds() {
    let plans = (1...20).map { SequencePlan(seed: 5, number: $0, length: 14, restarts: true) }
    #expect(plans == (1...20).map { SequencePlan(seed: 5, number: $0, length: 14, restarts: true) })
    #expect(Set(plans.map(\.description)).count == 20)
  }

  @Test(
    "a mistake is found and made as small as it gets",
    arguments: [
      (SmallOrchestrator.Mistake.cancelsWhatHasEnded, 2), (.keyIgnoresType, 2), (.oldestFirst, 2),
      (.pageOverlaps, 4), (.forgetsThirdTask, 4),
    ])
  func finds(mistake: SmallOrchestrator.Mistake, most: Int) async throws {
    let found = try #require(try await Self.campaign(mistake, 400).found)
    #expect(found.reproduced == 3)
    #expect(found.smallest.steps.count <= most, "\(found.smallest)")
    #expect(!found.smallest.isBare)
  }

  @Test("what was found is a transcript that fails where the server is wrong and passes where it is right")
  func transcript() async throws {
    let found = try #require(try await Self.campaign(.cancelsWhatHasEnded, 400).found)
    #expect(
      found.suite.text.hasSuffix(
        """
          steps:
          - client: {id: 1, method: create_task, params: {description: text 0, type: general}}
          - server: {id: 1, result: {task_id: {$type: uuid, $as: task1}, status: completed, result: {$type: string}}}
          - client: {id: 2, method: cancel_task, params: {task_id: {$ref: task1}}}
          - server: {id: 2, error: {code: {$spec: task_not_cancellable}, message: {$regex: "^Task .* is already completed$"}, data: {$type: object}}}


        """), "\(found.suite.text)")
    let transcript = try #require(try found.suite.transcripts(Kit.spec).first)
    for (mistake, isWrong) in [(SmallOrchestrator.Mistake.none, false), (.cancelsWhatHasEnded, true)] {
      let server = SmallOrchestrator(mistake)
      let peer = try Peer(behaviour: { server.behaviour($0, $1) })
      let target = Target(
        TargetDescription(url: peer.url), faces: nil, loop: peer.loop, children: Children(), inherited: [:])
      let player = Player(
        transcript, target: target, mock: nil, loop: peer.loop, settings: PlaySettings(seed: 1))
      let outcome = await player.play()
      if case .failed = outcome { #expect(isWrong) } else { #expect(!isWrong, "\(outcome)") }
    }
  }
}
