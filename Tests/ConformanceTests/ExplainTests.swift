import Conformance
import ProtocolSpec
import Testing
import YAML

@Suite("What a case checks, in words")
struct ExplainTests {
  private static func cases(_ profile: Profile) throws -> [TranscriptCase] {
    try FixtureSet(.embedded, folders: profile.fixtures, spec: Kit.spec).cases
  }

  @Test("every case of every profile is told with its requirements, steps and command")
  func all() throws {
    for profile in Kit.spec.profiles {
      for transcript in try Self.cases(profile) {
        let text = CaseExplanation(transcript, spec: Kit.spec, flags: "").text
        #expect(text.hasPrefix("\(transcript.id)  (\(transcript.place.file):\(transcript.place.line))\n"))
        for case .requirement(let id) in transcript.covers {
          let requirement = try #require(Kit.spec.requirements[id])
          #expect(text.contains("\(requirement.level.rawValue.uppercased())  \(requirement.text)\n"))
        }
        #expect(text.contains("\n  \(transcript.steps.count). "))
        #expect(text.contains("--run \(transcript.id)\n"))
        // Nothing of how values are kept in here.
        for word in ["Optional(", "HostAction", "Matcher", "JSONValue", "seconds)"] {
          #expect(!text.contains(word), "\(transcript.id)")
        }
      }
    }
  }

  @Test("a case that plays the client")
  func client() throws {
    let text = Kit.file(
      """
      - client: {id: 1, method: create_task, params: {description: hi}}
      - server: {id: 1, result: {status: completed}}
        notBefore: 500ms
        why: the backend says so
      - closed: {by: server, code: [1001, none]}
        conn: b
      """, more: "arm: {litellm: [{fault: http-500, times: 1}]}"
    ).replacing("[method:ping]", with: "[req:failures.retries, fault:http-500]")
    let transcript = try #require(try Kit.cases(text).first)
    let sentence = try #require(Kit.spec.requirements["failures.retries"])
    #expect(
      CaseExplanation(transcript, spec: Kit.spec, flags: " --fixtures mine").text == """
        t/case  (\(transcript.place.file):5)
          it holds

        Why (MUST):
          MUST  \(sentence.text)
                failures.retries, \(sentence.place.file):\(sentence.place.line)
          It also shows fault:http-500.

        Before:
          - the runner plays the client and speaks jsonrpc
          - litellm will do {fault: http-500, times: 1}
          - a target without faults cannot be asked: the case is not applicable

        What happens:
          1. the client sends {id: 1, method: create_task, params: {description: hi}}
          2. the server answers {id: 1, result: {status: completed}}, within 2s, not before 500ms (the backend says so)
          3. On connection b: the server closes the connection, 1001 or without a code, within 2s

        It fails where
          - an answer is missing, late, or differs in what is written above
          - an answer has members beside id, result and error, or another id
          - anything else comes that no step expects
          - the connection is not closed, or with another code
          - the target ends, or does not answer a ping afterwards

        Play it:
          omni-conformance run --target-file target.yaml --mock mock-litellm --fixtures mine --run t/case

        """)
  }

  @Test("the program finds a case in any profile, and says where it finds none")
  func program() async throws {
    let found = try await ProgramTests.run(["explain", "client-faults/duplicate"])
    #expect(found.code == 0)
    #expect(found.output.contains("2. the server answers asked as the specification says, 2 times"))
    #expect(
      found.output.hasSuffix(
        "  omni-conformance client --exec 'COMMAND {url}' --run client-faults/duplicate\n"))
    let none = try await ProgramTests.run(["explain", "ping/empty-objct"])
    #expect(none.code == 4)
    #expect(none.errors.contains("did you mean \"ping/empty-object\"?"))
  }
}
