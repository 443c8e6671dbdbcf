// swift-tools-version: 6.0
import PackageDescription

// A peer to measure against, no part of the kit: the kit itself depends on no package.
let package = Package(
  name: "nio-ping",
  platforms: [.macOS(.v14)],
  dependencies: [.package(url: "https://github.com/apple/swift-nio.git", from: "2.65.0")],
  targets: [
    .executableTarget(
      name: "nio-ping",
      dependencies: [
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOWebSocket", package: "swift-nio"),
      ],
      path: "Sources/nio")
  ]
)
