import JSON
import Testing

@testable import ProtocolSpec

@Suite("The fixtures of the official scenarios")
struct FixtureSpecTests {
  let fixtures: FixtureSpec

  init() throws { fixtures = try Specification.load().fixtures }

  @Test("all that the scenarios call is there")
  func names() {
    let tools = Set(fixtures.tools.map(\.name))
    #expect(
      tools.isSuperset(of: [
        "test_simple_text", "test_image_content", "test_audio_content", "test_embedded_resource",
        "test_multiple_content_types", "test_error_handling", "test_tool_with_logging",
        "test_tool_with_progress", "test_sampling", "test_elicitation", "test_elicitation_sep1034_defaults",
        "test_elicitation_sep1330_enums", "json_schema_2020_12_tool", "test_missing_capability",
        "test_trigger_tool_change", "test_trigger_prompt_change", "test_reconnection",
      ]))
    #expect(fixtures.prompts.count == 5)
    #expect(fixtures.resources.count == 3)
    #expect(fixtures.templates.count == 1)
    #expect(tools.allSatisfy { $0.wholeMatch(of: /[A-Za-z0-9_.-]{1,128}/) != nil })
  }

  @Test("an asset stands where it is named")
  func assets() {
    let data = fixtures.tools.first { $0.name == "test_image_content" }?.result["content"]?[0]?["data"]
    #expect(data?.string?.hasPrefix("iVBORw0KGgo") == true)
    #expect(fixtures.resources.first { $0.name == "static-binary" }?.contents["blob"] == data)
  }

  @Test(
    "names in braces are filled where there is a value",
    arguments: [
      ("a {b} c", "a 1 c"), ("{b}{b}", "11"), ("{x}", "{x}"), ("{", "{"), ("{b", "{b"), ("}{b}{", "}1{"),
      (#"{"id":"{b}"}"#, #"{"id":"1"}"#), ("{c.d}", "2"), ("{ b}", "{ b}"), ("{{b}}", "{1}"),
    ])
  func fills(_ template: String, _ filled: String) {
    #expect(fillNames(template, ["b": "1", "c.d": "2"]) == filled)
    let values = ["b": "1", "c.d": "2"]
    #expect(fillTexts([.string(template), ["k": 1]], values) == [.string(filled), ["k": 1]])
  }

  @Test("what is filled in is not filled again")
  func once() {
    #expect(fillNames("{a}", ["a": "{b}", "b": "1"]) == "{b}")
  }
}
