import Diagnostics
import Testing
import YAML

@testable import mock_litellm

@Suite("command line and scenario files")
struct OptionTests {
  @Test("options in both forms")
  func options() throws {
    guard
      case .run(let options) = try Command.parse([
        "--port", "0", "--models=a,b", "--latency", "20ms", "--seed=7", "--api-key", "k", "--log-level",
        "debug",
      ])
    else {
      Issue.record("expected a run")
      return
    }
    var wanted = Options()
    (wanted.port, wanted.models, wanted.latency, wanted.seed) = (0, ["a", "b"], .milliseconds(20), 7)
    (wanted.apiKey, wanted.logLevel) = ("k", .debug)
    #expect(options == wanted)
  }

  @Test(
    "wrong options in one clear line",
    arguments: [
      (["--prot", "1"], #"unknown option "--prot", did you mean "--port"?"#),
      (["--port"], "--port needs a value"),
      (["--port", "70000"], "--port takes a port from 0 to 65535, not 70000"),
      (["--seed", "-1"], "--seed takes a whole number of at least 0, not -1"),
      (["--latency", "20"], "--latency takes a time such as 20ms, not 20"),
      (["--models", "a,,b"], "--models takes names with commas between, not a,,b"),
      (["--log-level", "loud"], "--log-level takes debug, info, warning, error, not loud"),
      (["scenario.yaml"], "unexpected argument scenario.yaml"),
    ])
  func wrong(arguments: [String], message: String) {
    #expect { try Command.parse(arguments) } throws: { "\($0)" == message }
  }

  @Test("the help names every option")
  func help() {
    for option in ["--host", "--direct-port", "--scenario", "--seed", "--api-key", "--latency", "--spec"] {
      #expect(Options.help.contains(option))
    }
  }

  @Test(
    "a wrong scenario is shown with file, line, column and caret",
    arguments: [
      (
        "format: 1\narm:\n  litellm:\n  - {status: 700}\n",
        """
        s.yaml:4:14: a status from 200 to 599 is expected, not 700
           4 |   - {status: 700}
             |              ^
        """
      ),
      (
        "format: 1\narm:\n  litelm: []\n",
        """
        s.yaml:3:3: unknown face "litelm", did you mean "litellm"?
           3 |   litelm: []
             |   ^
        """
      ),
      (
        "format: 1\nseeds: 3\n",
        """
        s.yaml:2:1: unknown key "seeds", did you mean "seed"?
           2 | seeds: 3
             | ^
        """
      ),
      (
        "format: 1\nseed: -3\n",
        """
        s.yaml:2:7: a seed is a whole number of at least 0, not -3
           2 | seed: -3
             |       ^
        """
      ),
      (
        "format: 2\n",
        """
        s.yaml:1:9: format 2 is not known, this is for 1
           1 | format: 2
             |         ^
        """
      ),
      (
        "format: 1\narm:\n  direct:\n  - {status: 500, hang: true}\n",
        """
        s.yaml:4:25: hang and status exclude each other
           4 |   - {status: 500, hang: true}
             |                         ^
        """
      ),
    ])
  func scenario(text: String, message: String) throws {
    let spec = try specification.get()
    let node = try YAMLParser.parse(text, file: "s.yaml")
    #expect { try Scenario(node, spec: spec) } throws: { "\($0)" == message }
  }
}
