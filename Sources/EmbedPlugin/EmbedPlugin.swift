import Foundation
import PackagePlugin

/// Turns a folder at the top of the package into a Swift source of the target, so that each
/// program carries it and runs from any directory: `Spec/` for ProtocolSpec, `Fixtures/` for
/// Conformance.
@main
struct EmbedPlugin: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    let name = target.name == "ProtocolSpec" ? "Spec" : "Fixtures"
    let folder = context.package.directoryURL.appending(path: name)
    let output = context.pluginWorkDirectoryURL.appending(path: "Embedded\(name).swift")
    let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
    let files = paths.filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".json") }.sorted()
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
