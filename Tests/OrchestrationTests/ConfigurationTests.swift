import ProtocolSpec
import Testing
import YAML

@testable import Orchestration

@Suite("The configuration")
struct ConfigurationTests {
  let keys: [ConfigurationKey]

  init() throws { keys = try Specification.load().configuration }

  func settings(_ text: String? = nil, _ environment: [String: String] = [:]) throws -> Settings {
    let file = try text.map { try YAMLParser.parse($0, file: "config.yaml") }
    return Settings(try Configuration(file: file, environment: environment, keys: keys))
  }

  func failure(_ text: String? = nil, _ environment: [String: String] = [:]) -> String {
    do {
      _ = try settings(text, environment)
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test("without a file and without variables everything has a default")
  func defaults() throws {
    let settings = try settings()
    #expect(settings.host == "127.0.0.1")
    #expect(settings.port == 18765)
    #expect(settings.databasePath.hasSuffix("/data/omni.db"))
    #expect(settings.healthInterval == .seconds(30))
    #expect(settings.token == nil)
    #expect(settings.executors.isEmpty)
  }

  @Test("the template of the deployment is read")
  func template() throws {
    let settings = try settings(
      """
      lite_llm_url: "http://litellm-vibe-router:4000"
      github_key: "${GITHUB_LITELLM_KEY}"
      mcp_servers:
        openclaw:
          url: "ws://127.0.0.1:18789"
          name: "OpenClaw"
        claude_code: {url: stdio, name: "Claude Code"}
      fault_handler:
        consecutive_failures_threshold: 2
        cloud_failure_threshold: 3
        brainstem_model: "qwen:7b-instruct"
        health_check_interval: 45
      router:
        complexity_threshold: 60
        lightweight_model: "claude-3-5-haiku"
        heavyweight_model: "claude-3-5-sonnet"
      """, ["GITHUB_LITELLM_KEY": "sk-backup"])
    #expect(settings.litellmURL == "http://litellm-vibe-router:4000")
    #expect(settings.backupKey == "sk-backup")
    #expect(settings.executors.map(\.name) == ["openclaw"])
    #expect(settings.executors.first?.place == .webSocket(url: "ws://127.0.0.1:18789"))
    #expect(settings.unusableExecutors == ["claude_code"])
    #expect(settings.complexityThreshold == 60)
    #expect(settings.healthInterval == .seconds(45))
  }

  @Test("variables win over the file, the special name over the general one")
  func precedence() throws {
    #expect(try settings("server: {port: 1}", ["OMNI_PORT": "2"]).port == 2)
    #expect(try settings("server: {port: 1}", ["OMNI_SERVER_PORT": "3"]).port == 3)
    #expect(try settings(nil, ["OMNI_PORT": "2", "OMNI_SERVER_PORT": "3"]).port == 2)
    #expect(try settings(nil, ["OMNI_ORIGINS": "http://a, http://b"]).origins == ["http://a", "http://b"])
    #expect(try settings("server: {origins: [http://a, http://b]}").origins == ["http://a", "http://b"])
  }

  @Test(
    "mistakes in the file are shown where they are",
    arguments: [
      (
        "lite_llm_ulr: http://x",
        """
        config.yaml:1:1: unknown key "lite_llm_ulr", did you mean "lite_llm_url"?
           1 | lite_llm_ulr: http://x
             | ^
        """
      ),
      (
        "server:\n  port: 99999",
        """
        config.yaml:2:9: server.port must be a whole number from 0 to 65535, not "99999"
           2 |   port: 99999
             |         ^
        """
      ),
      (
        "github_key: ${NOT_SET}",
        """
        config.yaml:1:13: environment variable NOT_SET is not set
           1 | github_key: ${NOT_SET}
             |             ^
        """
      ),
      (
        "lite_llm_url: localhost",
        """
        config.yaml:1:15: lite_llm_url must be a URL that begins with http:// or https://, not "localhost"
           1 | lite_llm_url: localhost
             |               ^
        """
      ),
      (
        "server: {port: {a: 1}}",
        """
        config.yaml:1:16: a single value is expected, not a mapping
           1 | server: {port: {a: 1}}
             |                ^
        """
      ),
    ])
  func mistakes(text: String, expected: String) { #expect(failure(text) == expected) }

  @Test("URLs may end with a slash, and an empty secret in a file is none")
  func tolerances() throws {
    let settings = try settings(
      "lite_llm_url: http://x:4000/\nserver: {token: \"${EMPTY}\"}\ngithub_key: \"\"", ["EMPTY": ""])
    #expect(settings.litellmURL == "http://x:4000")
    #expect(settings.token == nil)
    #expect(settings.backupKey == nil)
  }

  @Test(
    "values that no server could work with are refused",
    arguments: [
      (
        "OMNI_TASK_RETENTION_DAYS", "9223372036854775807",
        "task_retention_days must be a whole number from 1 to 36500"
      ),
      ("OMNI_HEALTH_INTERVAL", "0s", "fault_handler.health_check_interval must be at least 1ms"),
      ("LITELLM_URL", "http://user:secret@x", "lite_llm_url must not hold a user name or password"),
    ])
  func unusable(variable: String, text: String, expected: String) {
    let failure = failure(nil, [variable: text])
    #expect(failure.hasPrefix("environment variable \(variable): \(expected)"))
    #expect(!failure.contains("secret"))
  }

  @Test("a mistake in a variable names it, and a secret is not repeated")
  func badVariables() {
    #expect(
      failure(nil, ["OMNI_PORT": "abc"])
        == "environment variable OMNI_PORT: server.port must be a whole number from 0 to 65535, not \"abc\"")
    #expect(
      failure(nil, ["OMNI_TOKEN": "a b"])
        == "environment variable OMNI_TOKEN: server.token must be printable ASCII without spaces")
  }
}
