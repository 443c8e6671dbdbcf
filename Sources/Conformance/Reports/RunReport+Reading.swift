package import JSON
internal import JSONSchema
internal import ProtocolSpec
internal import YAML

/// A file of results that cannot be read.
package struct ReportError: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}

extension RunReport {
  /// What a file of results must be.
  package static func schema() throws(ReportError) -> JSONValue {
    do throws(SourceError) {
      return try FormatSchema.results.document()
    } catch {
      throw ReportError(error.description)
    }
  }

  /// - Throws: `ReportError` with the first place that is not as the schema says.
  package init(_ document: JSONValue) throws(ReportError) {
    let source = try Self.schema()
    let schema: JSONSchema
    do throws(SchemaError) { schema = try JSONSchema(source) } catch {
      throw ReportError(error.description)
    }
    if let violation = schema.firstViolation(document) {
      throw ReportError("no results of a run: \(violation)")
    }
    run = Run(document["run"])
    sets = document.list("sets").map(Score.init)
    requirements = document.list("requirements").map(Asked.init)
    cases = document.list("cases").map(Case.init)
  }
}

// The schema has been checked: what is absent here is optional there.
extension JSONValue {
  fileprivate func list(_ key: String) -> [JSONValue] { self[key]?.array ?? [] }
  fileprivate func texts(_ key: String) -> [String] { list(key).compactMap(\.string) }
  fileprivate func text(_ key: String) -> String { self[key]?.string ?? "" }
  fileprivate func int(_ key: String) -> Int { self[key]?.int ?? 0 }
  fileprivate func double(_ key: String) -> Double { self[key]?.double ?? 0 }
  fileprivate func choice<Choice: RawRepresentable<String>>(_ key: String, _ other: Choice) -> Choice {
    Choice(rawValue: text(key)) ?? other
  }
}

extension RunReport.Run {
  fileprivate init(_ value: JSONValue?) {
    let value = value ?? [:]
    version = value.text("version")
    revision = value.text("revision")
    profile = value.text("profile")
    target = value.text("target")
    seed = value["seed"]?.number?.text ?? "0"
    capabilities = value.texts("capabilities")
    milliseconds = value.double("duration_ms")
    exitCode = value.int("exit_code")
    rerun = value["rerun"]?.string ?? "omni-conformance run"
    startedAt = value["started_at"]?.string
    unreachable = value["unreachable"].map { [$0.text("reason")] + $0.texts("lines") }
    unmatched = value.texts("unmatched")
  }
}

extension RunReport.Score {
  fileprivate init(_ value: JSONValue) {
    name = value.text("name")
    level = value.choice("level", .must)
    held = value.int("held")
    broken = value.int("broken")
    total = value.int("total")
  }
}

extension RunReport.Asked {
  fileprivate init(_ value: JSONValue) {
    id = value.text("id")
    level = value.choice("level", .must)
    text = value.text("text")
    file = value.text("file")
    line = value.int("line")
    sets = value.texts("sets")
    status = value.choice("status", .open)
    cases = value.texts("cases")
  }
}

extension RunReport.Case {
  fileprivate init(_ value: JSONValue) {
    id = value.text("id")
    suite = value.text("suite")
    title = value.text("title")
    file = value.text("file")
    line = value.int("line")
    level = value.choice("level", .must)
    covers = value.texts("covers")
    verdict = value.choice("verdict", .notTestable)
    milliseconds = value.double("duration_ms")
    requirement = value["requirement"]?["id"]?.string
    reason = value["reason"]?.string
    failure = value["failure"].map(RunReport.Failure.init)
    remarks = value.list("remarks").map(RunReport.Failure.init)
    steps = value["trace"]?.list("steps").map(RunReport.Step.init) ?? []
    wire = value["trace"]?.list("wire").map(RunReport.Wire.init) ?? []
    repeats = value["repeats"].map {
      CaseResult.Repeats(passed: $0.int("passed"), failed: $0.int("failed"))
    }
    known = value["known"].map { "known to be \($0.text("list")): \($0.text("reason"))" }
  }
}

extension RunReport.Failure {
  fileprivate init(_ value: JSONValue) {
    file = value.text("file")
    line = value.int("line")
    title = value.text("title")
    level = value.choice("level", .must)
    message = value.text("message")
    diff = value.list("diff").map {
      RunReport.Diff(path: $0.text("path"), expected: $0.text("expected"), got: $0.text("got"))
    }
    wire = value.list("wire").map(RunReport.Wire.init)
    targetOutput = value.texts("target_output")
  }
}

extension RunReport.Wire {
  fileprivate init(_ value: JSONValue) {
    milliseconds = value.double("at_ms")
    direction = value.choice("direction", .aside)
    connection = value.text("connection")
    text = value.text("text")
  }
}

extension RunReport.Step {
  fileprivate init(_ value: JSONValue) {
    line = value.int("line")
    what = value.text("what")
    began = value.double("began_ms")
    took = value.double("took_ms")
    within = value["within_ms"]?.double
  }
}
