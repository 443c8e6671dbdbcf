/// A text of bytes that is written piece by piece into memory that stays for the next one.
package final class TextBuffer {
  private var memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1024, alignment: 8)
  package private(set) var count = 0

  /// More than this is given back with the text that needed it.
  private static let kept = 64 * 1024

  package init() {}

  deinit { memory.deallocate() }

  /// What has been written; valid until more is.
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

  package func clear() {
    count = 0
    guard memory.count > Self.kept else { return }
    memory.deallocate()
    memory = .allocate(byteCount: 1024, alignment: 8)
  }

  /// Adds as many bytes as `fill` is given to write.
  @inline(__always)
  package func add(_ size: Int, fill: (UnsafeMutableRawBufferPointer) -> Void) {
    if memory.count - count < size { grow(by: size) }
    fill(UnsafeMutableRawBufferPointer(rebasing: memory[count..<(count + size)]))
    count += size
  }

  @inline(__always)
  package func add(_ bytes: UnsafeRawBufferPointer) { add(bytes.count) { $0.copyMemory(from: bytes) } }

  @inline(__always)
  package func add(_ text: StaticString) {
    add(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private func grow(by size: Int) {
    let larger = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(memory.count * 2, count + size), alignment: 8)
    larger.copyMemory(from: bytes)
    memory.deallocate()
    memory = larger
  }

  /// Adds a JSON string, as `JSONWriter` does.
  package func add(string utf8: UnsafeBufferPointer<UInt8>) {
    let bytes = UnsafeRawBufferPointer(utf8)
    guard Self.isPlain(bytes) else {
      var escaped: [UInt8] = []
      JSONWriter.append(utf8: utf8, to: &escaped)
      return escaped.withUnsafeBytes { add($0) }
    }
    add(bytes.count + 2) { output in
      output[0] = UInt8(ascii: "\"")
      UnsafeMutableRawBufferPointer(rebasing: output[1...]).copyMemory(from: bytes)
      output[output.count - 1] = UInt8(ascii: "\"")
    }
  }

  /// Adds the digits of a number.
  package func add(_ number: Int) {
    if number >= 0, number < 10 { return add(1) { $0[0] = UInt8(ascii: "0") + UInt8(number) } }
    var digits = String(number)
    digits.withUTF8 { add(UnsafeRawBufferPointer($0)) }
  }

  /// Whether nothing has to be escaped (RFC 8259 §7); looks at eight bytes at a time.
  private static func isPlain(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    var place = 0
    var found: UInt64 = 0
    while place + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
      let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
      let slashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
      // The high bit of a byte that is zero, or below 0x20.
      found |= (quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes | (word &- ones &* 0x20) & ~word
      place += 8
    }
    guard found & (ones &* 0x80) == 0 else { return false }
    while place < bytes.count {
      let byte = bytes[place]
      if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return false }
      place += 1
    }
    return true
  }
}
