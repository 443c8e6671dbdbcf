#if LIBFUZZER
  import Foundation

  @_silgen_name("LLVMFuzzerRunDriver")
  private func runDriver(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
  ) -> Int32

  /// Clang's libFuzzer over the same targets: it sees which branches an input reaches.
  enum LibFuzzer {
    // Set once, before the first input, by the thread that also runs the inputs.
    nonisolated(unsafe) private static var target = FuzzTarget.json

    /// `arguments` are libFuzzer's own.
    static func run(_ target: FuzzTarget, _ arguments: [String]) -> Int32 {
      self.target = target
      let words = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: arguments.count + 2)
      for (place, word) in (["omni-fuzz"] + arguments).enumerated() { words[place] = strdup(word) }
      words[arguments.count + 1] = nil
      var count = Int32(arguments.count + 1)
      var pointer: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = words
      return runDriver(&count, &pointer) { bytes, count in
        do {
          _ = try LibFuzzer.target.check(Array(UnsafeBufferPointer(start: bytes, count: count)))
        } catch {
          fatalError("\(error)")
        }
        return 0
      }
    }
  }
#endif
