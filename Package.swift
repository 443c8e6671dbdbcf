// swift-tools-version: 6.2
import Foundation
import PackageDescription

let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// What a loop or the writer of the store owns, only that thread touches, and tests check exclusive access
/// to it in debug builds; the run-time checks of a release build cost a sixth of the server's throughput.
let fast: [SwiftSetting] =
  strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

/// A module of the house. Each depends only on modules named above it.
func module(
  _ name: String, on dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = strict,
  plugins: [Target.PluginUsage] = []
) -> Target {
  .target(
    name: name, dependencies: dependencies, path: "Sources/\(name)", swiftSettings: settings,
    plugins: plugins)
}

func program(
  _ name: String, on dependencies: [Target.Dependency], in folder: String, exclude: [String] = [],
  plugins: [Target.PluginUsage] = []
) -> Target {
  .executableTarget(
    name: name, dependencies: dependencies, path: "Sources/\(folder)", exclude: exclude,
    swiftSettings: fast, plugins: plugins)
}

func tests(_ name: String, on dependencies: [Target.Dependency]) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: dependencies + ["TestSupport"],
    path: "Tests/\(name)Tests", swiftSettings: strict)
}

let package = Package(
  name: "omni-conformance-kit",
  platforms: [.macOS("26.0")],
  products: [
    .executable(name: "omni-server", targets: ["omni-server"]),
    .executable(name: "mock-litellm", targets: ["mock-litellm"]),
    .executable(name: "omni-conformance", targets: ["omni-conformance"]),
  ],
  targets: [
    // What the system provides.
    .systemLibrary(name: "CLinux", path: "Sources/CLinux"),
    .systemLibrary(
      name: "CSQLite", path: "Sources/CSQLite", pkgConfig: "sqlite3",
      providers: [.apt(["libsqlite3-dev"]), .brew(["sqlite3"])]),
    .systemLibrary(
      name: "CYAML", path: "Sources/CYAML", pkgConfig: "yaml-0.1",
      providers: [.apt(["libyaml-dev"]), .brew(["libyaml"])]),

    // How `Spec/`, `Fixtures/` and the dashboard become part of the binaries.
    .executableTarget(name: "EmbedTool", path: "Sources/EmbedTool", swiftSettings: strict),
    .plugin(
      name: "EmbedPlugin", capability: .buildTool(), dependencies: ["EmbedTool"],
      path: "Sources/EmbedPlugin"),

    // The house, bottom row first.
    module("JSON", settings: fast),
    module("YAML", on: ["JSON", "CYAML"]),
    module("JSONSchema", on: ["JSON"]),
    module("Wire", settings: fast),
    module("Transport", on: ["Wire", "CLinux"], settings: fast),
    module("ProtocolSpec", on: ["JSON", "YAML", "JSONSchema"], settings: fast, plugins: ["EmbedPlugin"]),
    module("Diagnostics", on: ["JSON", "ProtocolSpec"]),
    module("TaskStore", on: ["JSON", "ProtocolSpec", "CSQLite"], settings: fast),
    module("MCP", on: ["JSON", "Wire", "ProtocolSpec"]),
    module(
      "Orchestration",
      on: ["JSON", "YAML", "Wire", "Transport", "ProtocolSpec", "Diagnostics", "TaskStore", "MCP"],
      settings: fast),
    module(
      "Conformance", on: ["JSON", "YAML", "JSONSchema", "Wire", "Transport", "ProtocolSpec", "MCP"],
      plugins: ["EmbedPlugin"]),

    // The three programs. What they import they name here, or an incremental build misses a change.
    program(
      "omni-server",
      on: [
        "JSON", "YAML", "Wire", "Transport", "ProtocolSpec", "Diagnostics", "TaskStore", "MCP",
        "Orchestration", "CLinux",
      ],
      in: "Server", exclude: ["Dashboard/Page"], plugins: ["EmbedPlugin"]),
    program(
      "mock-litellm",
      on: ["JSON", "YAML", "Wire", "Transport", "ProtocolSpec", "Diagnostics", "Conformance"],
      in: "MockLiteLLM"),
    program(
      "omni-conformance",
      on: ["JSON", "YAML", "Transport", "ProtocolSpec", "Diagnostics", "Conformance"],
      in: "ConformanceRunner"),

    // Hostile input without end; for who works on the kit, so it is no product.
    .executableTarget(
      name: "omni-fuzz",
      dependencies: ["JSON", "YAML", "JSONSchema", "Wire", "ProtocolSpec", "Conformance"],
      path: "Tests/Fuzz", exclude: ["Scripts"], swiftSettings: strict),

    // Tests mirror the sources; `Tests/Interop` holds the judges that are not ours.
    .target(
      name: "TestSupport", dependencies: ["JSON"], path: "Tests/TestSupport", swiftSettings: strict),
    tests("JSON", on: ["JSON"]),
    tests("YAML", on: ["JSON", "YAML"]),
    tests("JSONSchema", on: ["JSON", "JSONSchema"]),
    tests("Wire", on: ["Wire"]),
    tests("Transport", on: ["Wire", "Transport"]),
    tests("ProtocolSpec", on: ["JSON", "YAML", "ProtocolSpec"]),
    tests("Diagnostics", on: ["Diagnostics"]),
    tests("TaskStore", on: ["JSON", "ProtocolSpec", "TaskStore"]),
    tests("MCP", on: ["JSON", "JSONSchema", "ProtocolSpec", "MCP"]),
    tests(
      "Orchestration",
      on: [
        "JSON", "YAML", "Wire", "ProtocolSpec", "Diagnostics", "TaskStore", "Transport", "MCP",
        "Orchestration",
      ]),
    tests(
      "Conformance",
      on: [
        "JSON", "YAML", "JSONSchema", "Wire", "Transport", "ProtocolSpec", "Conformance", "omni-conformance",
      ]),
    tests(
      "MockLiteLLM",
      on: [
        "JSON", "YAML", "Wire", "Transport", "ProtocolSpec", "Diagnostics", "Conformance", "mock-litellm",
      ]),
    tests("Server", on: ["JSON", "Wire", "ProtocolSpec", "MCP", "Orchestration", "omni-server"]),
    tests("Fuzz", on: ["omni-fuzz"]),
  ],
  swiftLanguageModes: [.v6]
)

// An image is built without the tests.
if !FileManager.default.fileExists(atPath: "\(Context.packageDirectory)/Tests") {
  package.targets.removeAll { $0.path?.hasPrefix("Tests/") == true }
}
