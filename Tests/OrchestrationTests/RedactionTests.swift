import Diagnostics
import Testing

@Suite("Secrets")
struct RedactionTests {
  @Test(
    "a secret is masked wherever it stands",
    arguments: [
      ("the key sk-1234 is bad", "the key *** is bad"),
      ("sk-1234sk-1234", "******"),
      ("sk-1234\u{301} with an accent", "***\u{301} with an accent"),
      ("\u{1F3F4}\u{200D}sk-1234\u{FE0F}", "\u{1F3F4}\u{200D}***\u{FE0F}"),
      ("sk-123", "sk-123"),
    ])
  func masked(text: String, expected: String) {
    let shown = Redaction(secrets: ["sk-1234"]).text(text)
    #expect(shown.utf8.elementsEqual(expected.utf8), "\(shown)")
  }
}
