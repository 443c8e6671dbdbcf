import Foundation

/// The input that is being run, in memory shared through a file: it outlives the process that traps
/// or is killed, and shows whether that process goes on.
struct LastInput: ~Copyable {
  private static let headerBytes = 16
  private static let capacity = 1 << 20

  private let memory: UnsafeMutableRawBufferPointer

  /// Opens or makes the file at `path`.
  init(path: String) throws {
    let descriptor = open(path, O_RDWR | O_CREAT, 0o644)
    guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    defer { close(descriptor) }
    let size = Self.headerBytes + Self.capacity
    guard ftruncate(descriptor, off_t(size)) == 0,
      let start = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), start != MAP_FAILED
    else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    memory = UnsafeMutableRawBufferPointer(start: start, count: size)
  }

  deinit { munmap(memory.baseAddress, memory.count) }

  /// How many inputs were begun.
  var count: UInt64 { memory.loadUnaligned(fromByteOffset: 0, as: UInt64.self) }

  var bytes: [UInt8] {
    let length = min(Int(memory.loadUnaligned(fromByteOffset: 8, as: UInt64.self)), Self.capacity)
    return Array(memory[Self.headerBytes..<(Self.headerBytes + length)])
  }

  func begin(_ input: [UInt8]) {
    let input = input.prefix(Self.capacity)
    memory.storeBytes(of: UInt64(input.count), toByteOffset: 8, as: UInt64.self)
    input.withUnsafeBytes {
      UnsafeMutableRawBufferPointer(rebasing: memory[Self.headerBytes...]).copyMemory(from: $0)
    }
    memory.storeBytes(of: count &+ 1, toByteOffset: 0, as: UInt64.self)
  }
}
