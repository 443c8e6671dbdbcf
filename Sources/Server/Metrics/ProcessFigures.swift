import Diagnostics
import Foundation
import ProtocolSpec
import Transport

/// What the system says of the process, under the names that all clients of Prometheus use.
enum ProcessFigures {
  private static let start = Date().timeIntervalSince1970

  static func observe(_ registry: MetricsRegistry, _ metrics: MetricTable) {
    let start = start
    registry.observed(metrics[.processStart]) { [ObservedSeries([], start)] }
    registry.observed(metrics[.processCPU]) { [ObservedSeries([], processorSeconds)] }
    // These are read where the system has them as files; elsewhere nothing is told.
    registry.observed(metrics[.processResident]) { residentBytes.map { [ObservedSeries([], $0)] } ?? [] }
    registry.observed(metrics[.processOpenFiles]) { openFiles.map { [ObservedSeries([], $0)] } ?? [] }
    registry.observed(metrics[.processMaxFiles]) { [ObservedSeries([], Double(DescriptorLimit.current))] }
  }

  private static var processorSeconds: Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

  private static var residentBytes: Double? {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Double($0) }
    return pages.map { $0 * Double(sysconf(Int32(_SC_PAGESIZE))) }
  }

  private static var openFiles: Double? {
    let folder = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
    // One of them was open to look.
    return folder.map { Double(max(0, $0.count - 1)) }
  }
}
