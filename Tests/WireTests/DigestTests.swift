import Testing

@testable import Wire

@Suite("digests")
struct DigestTests {
  @Test("the handshake's example of RFC 6455 §1.3")
  func accept() {
    #expect(
      WebSocketHandshake.accept(for: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
  }

  @Test(
    "base64 of RFC 4648 §10",
    arguments: [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
      ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
  func base64(_ text: String, _ encoded: String) {
    #expect(Base64.encode(Array(text.utf8)) == encoded)
    #expect(Base64.decodedCount(encoded) == text.utf8.count)
  }

  @Test("what is no base64", arguments: ["Zg=", "Zg", "Z===", "Zm9v!A==", "=Zg="])
  func notBase64(_ text: String) {
    #expect(Base64.decodedCount(text) == nil)
  }
}
