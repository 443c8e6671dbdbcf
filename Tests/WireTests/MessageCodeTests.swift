import Testing

@testable import Wire

@Suite("SHA-256 and codes of messages")
struct MessageCodeTests {
  private static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  @Test(
    "the examples of FIPS 180-4, and lengths around a block",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (
        String(repeating: "a", count: 64),
        "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"
      ),
      (
        String(repeating: "a", count: 1000),
        "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"
      ),
    ])
  func hash(_ message: String, _ expected: String) {
    #expect(Self.hex(SHA256.hash(Array(message.utf8))) == expected)
  }

  private struct Vector {
    let name: String
    let key: [UInt8]
    let message: [UInt8]
    let code: String
  }

  /// RFC 4231 §4, without case 5, which is about codes cut short.
  private static let vectors = [
    Vector(
      name: "1", key: [UInt8](repeating: 0x0B, count: 20), message: Array("Hi There".utf8),
      code: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    Vector(
      name: "2", key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8),
      code: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    Vector(
      name: "3", key: [UInt8](repeating: 0xAA, count: 20), message: [UInt8](repeating: 0xDD, count: 50),
      code: "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    Vector(
      name: "4", key: Array(1...25), message: [UInt8](repeating: 0xCD, count: 50),
      code: "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    Vector(
      name: "6", key: [UInt8](repeating: 0xAA, count: 131),
      message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
      code: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
    Vector(
      name: "7", key: [UInt8](repeating: 0xAA, count: 131),
      message: Array(
        ("This is a test using a larger than block-size key and a larger than block-size data. "
          + "The key needs to be hashed before being used by the HMAC algorithm.").utf8),
      code: "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
  ]

  @Test("the vectors of RFC 4231")
  func codes() {
    for vector in Self.vectors {
      let code = MessageCode(key: vector.key).code(of: vector.message)
      #expect(Self.hex(code) == vector.code, "\(vector.name)")
    }
  }

  @Test("a code is accepted for its message and key only")
  func accepts() {
    let code = MessageCode(key: [1, 2, 3])
    let right = code.code(of: [4])
    #expect(code.accepts(right, of: [4]))
    #expect(!code.accepts(right, of: [5]))
    #expect(!code.accepts(Array(right.dropLast()), of: [4]))
    #expect(!code.accepts(right + [0], of: [4]))
    #expect(!MessageCode(key: [1, 2, 4]).accepts(right, of: [4]))
    var changed = right
    changed[31] ^= 1
    #expect(!code.accepts(changed, of: [4]))
  }
}
