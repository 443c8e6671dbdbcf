import Foundation
import JSON
import Testing

@testable import mock_litellm

/// The built program, as people start it.
struct Binary {
  let process = Process()
  private let output = Pipe()
  private let errors = Pipe()

  /// The executable beside the test bundle.
  static var location: URL? {
    let places =
      [Bundle.main.bundleURL, URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()]
      + Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
    return places.flatMap { [$0, $0.deletingLastPathComponent()] }.map { $0.appending(path: "mock-litellm") }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
  }

  init(_ arguments: [String]) throws {
    let location: URL = try #require(Self.location, "mock-litellm was not built beside the tests")
    process.executableURL = location
    process.arguments = arguments
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // No test waits for ever: what does not end by itself is ended.
    let running = process
    DispatchQueue.global().asyncAfter(deadline: .now() + 30) {
      if running.isRunning { kill(running.processIdentifier, SIGKILL) }
    }
  }

  /// The first line of standard output; nil if it ends before.
  func announce() -> JSONValue? {
    var bytes: [UInt8] = []
    while !bytes.contains(0x0A) {
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { return nil }
      bytes += more
    }
    return try? JSONParser.parse(bytes)
  }

  /// Waits for the end.
  func finish() -> (code: Int32, output: String, errors: String) {
    let said = output.fileHandleForReading.readDataToEndOfFile()
    let complained = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (
      process.terminationStatus, String(decoding: said, as: UTF8.self),
      String(decoding: complained, as: UTF8.self)
    )
  }
}

@Suite("the program", .serialized)
struct BinaryTests {
  private static let free = ["--port", "0", "--direct-port", "0", "--local-port", "0", "--admin-port", "0"]

  @Test(
    "announces its addresses in one line, serves, and ends with 0 on a signal", arguments: [SIGTERM, SIGINT])
  func lifeCycle(signal: Int32) throws {
    let binary = try Binary(Self.free)
    let addresses = try #require(binary.announce()?.object)
    #expect(addresses.keys == ["litellm", "direct", "local", "admin"])
    let port = try #require(addresses["litellm"]?.string.flatMap { URL(string: $0)?.port })
    // A request that hangs must not keep the program.
    let client = try #require(RawClient(port: port))
    let rules = #"{"litellm":[{"hang":true}]}"#
    client.write(RunningMock.text("POST /_mock/arm", body: rules, keepAlive: true))
    #expect(client.readOne()?.text == #"{"armed":1}"#)
    client.write(RunningMock.text("GET /health/liveliness", keepAlive: true))
    kill(binary.process.processIdentifier, signal)
    let (code, output, errors) = binary.finish()
    #expect(code == 0)
    #expect(output.isEmpty)
    #expect(errors.split(separator: "\n").allSatisfy { (try? JSONParser.parse(String($0))) != nil })
    #expect(RawClient(port: port) == nil)
  }

  @Test("a port in use is one clear line and exit code 1")
  func portInUse() async throws {
    try await RunningMock.run { (mock: RunningMock) async throws in
      let port = mock.port("local")
      let binary = try Binary(Array(Self.free.dropFirst(2)) + ["--port", "\(port)"])
      let (code, output, errors) = binary.finish()
      #expect(code == 1)
      #expect(output.isEmpty)
      #expect(errors == "mock-litellm: port \(port) on 127.0.0.1 is in use by another program\n")
    }
  }

  @Test("healthcheck tells by its exit code whether a mock is there, and leaves no trace in the journal")
  func healthcheck() async throws {
    var port = 0
    try await RunningMock.run { (mock: RunningMock) async throws in
      port = mock.port("admin")
      let (code, output, errors) = try Binary(["healthcheck", "--admin-port", "\(port)"]).finish()
      #expect((code, output, errors) == (0, "healthy\n", ""))
      #expect(try mock.journal()["calls"]?.array?.isEmpty == true)
    }
    let (code, output, errors) = try Binary(["healthcheck", "--admin-port", "\(port)"]).finish()
    #expect((code, output) == (1, ""))
    #expect(errors.hasPrefix("mock-litellm: not healthy: http://127.0.0.1:\(port)/"))
  }

  @Test("usage errors are one clear line and exit code 2; help and version say what they are")
  func usage() throws {
    let wrong = try Binary(["--prot", "1"]).finish()
    #expect(wrong.code == 2)
    #expect(wrong.errors == "mock-litellm: unknown option \"--prot\", did you mean \"--port\"?, see --help\n")
    let help = try Binary(["--help"]).finish()
    #expect(help.code == 0 && help.output == Options.help)
    let version = try Binary(["--version"]).finish()
    #expect(version.code == 0 && version.output == Options.version + "\n")
    let missing = try Binary(["--scenario", "/nowhere/s.yaml"]).finish()
    #expect(missing.code == 2)
    #expect(missing.errors.hasPrefix("mock-litellm: /nowhere/s.yaml:1:1: cannot be read"))
  }
}
