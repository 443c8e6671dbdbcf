import Foundation
import PackagePlugin

/// Turns a folder of the package into a Swift source of the target, so that each program carries it
/// and runs from any directory: `Spec/` for ProtocolSpec, `Fixtures/` for Conformance, the files of the
/// dashboard for omni-server.
@main
struct EmbedPlugin: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    let (name, path) =
      switch target.name {
      case "ProtocolSpec": ("Spec", "Spec")
      case "omni-server": ("Dashboard", "Sources/Server/Dashboard/Page")
      default: ("Fixtures", "Fixtures")
      }
    let endings = name == "Dashboard" ? [".html", ".css", ".js"] : [".yaml", ".json"]
    let folder = context.package.directoryURL.appending(path: path)
    let output = context.pluginWorkDirectoryURL.appending(path: "Embedded\(name).swift")
    let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
    let files = paths.filter { path in endings.contains { path.hasSuffix($0) } }.sorted()
    return [
      .buildCommand(
        displayName: "Embed \(name)/",
        executable: try context.tool(named: "EmbedTool").url,
        arguments: [name, folder.path, output.path] + files,
        inputFiles: files.map { folder.appending(path: $0) },
        outputFiles: [output])
    ]
  }
}
