import Foundation
import JSON
import ProtocolSpec
import Testing

@Suite("Documents of the protocol")
struct DocumentTests {
  private static let spec = Result { try Specification.load() }

  private static func references(_ value: JSONValue) -> [String] {
    switch value {
    case .array(let elements): elements.flatMap(references)
    case .object(let object):
      object.flatMap { key, member in
        if key == "$ref", let reference = member.string { return [reference] }
        return references(member)
      }
    default: []
    }
  }

  @Test("every reference of the OpenRPC and the AsyncAPI document leads somewhere")
  func referencesResolve() throws {
    let spec = try Self.spec.get()
    for document in [spec.openRPC, spec.asyncAPI] {
      let all = Self.references(document)
      #expect(all.contains("#/components/schemas/task"))
      for reference in all {
        let pointer = try #require(JSONPointer(String(reference.dropFirst())))
        #expect(document[pointer] != nil, "\(reference)")
      }
    }
  }

  @Test("the OpenRPC document has every method with its params, result, errors and an example")
  func openRPC() throws {
    let spec = try Self.spec.get()
    let methods = try #require(spec.openRPC["methods"]?.array)
    #expect(methods.map { $0["name"] } == spec.methods.map { .string($0.name) })
    let create = try #require(methods.first { $0["name"] == "create_task" })
    #expect(create["params"]?[0]?["name"] == "description")
    #expect(create["params"]?[0]?["required"] == true)
    #expect(create["params"]?[1]?["schema"]?["default"] == "general")
    #expect(create["errors"]?[0]?["code"] == -32602)
    #expect(methods.allSatisfy { $0["examples"]?.array?.isEmpty == false })
  }

  /// `make docs` writes it.
  @Test("docs/protocol.md is what the specification says now")
  func page() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let written = try String(contentsOf: root.appending(path: "docs/protocol.md"), encoding: .utf8)
    let made = try ProtocolPage(Self.spec.get(), .embedded).markdown
    #expect(made == written, "docs/protocol.md is not current: make docs")
    for method in try Self.spec.get().methods { #expect(made.contains("### \(method.name)\n")) }
  }

  @Test("an example that does not fit its schema is refused at its place")
  func badExample() throws {
    var texts: [String: String] = [:]
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Spec")
    for path in SpecFiles.embedded.paths {
      texts[path] = try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }
    texts["methods/ping.yaml"]?.replace("params: {}, result: {}}", with: "params: {}, result: {a: 1}}")
    let error = try #require(throws: (any Error).self) {
      try Specification(files: SpecFiles(texts: texts, prefix: "Spec/"))
    }
    #expect(String(describing: error).hasPrefix("Spec/methods/ping.yaml:9:48:"))
  }
}
