/// Bytes that stay where they are until the next append, so that an event may point at them. It
/// grows with what really came, never with what a header announced.
struct AssemblyBuffer: ~Copyable {
  private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private(set) var count = 0

  /// What is kept between messages; more is given back.
  private static let keptBytes = 16 * 1024

  var isEmpty: Bool { count == 0 }
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

  mutating func append(_ more: UnsafeRawBufferPointer) {
    guard !more.isEmpty else { return }
    if count + more.count > memory.count {
      let size = max(count + more.count, memory.count * 2, 512)
      let grown = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
      grown.copyMemory(from: bytes)
      memory.deallocate()
      memory = grown
    }
    UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: more)
    count += more.count
  }

  mutating func removeAll() {
    count = 0
    guard memory.count > Self.keptBytes else { return }
    memory.deallocate()
    memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  }

  deinit { memory.deallocate() }
}
