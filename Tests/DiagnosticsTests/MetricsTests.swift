import Diagnostics
import Testing

@Suite("the metrics registry")
struct MetricsTests {
  @Test("counters, gauges and histograms in the text format 0.0.4")
  func text() {
    let registry = MetricsRegistry()
    let requests = registry.counters("requests_total", "Requests.", labels: ["path", "status"])
    requests.with("/b", "200").add()
    requests.with("/a", "500").add(2)
    requests.with("/b", "200").add()
    let open = registry.gauges("open", "What is open.")
    open.with().add(3)
    open.with().add(-1)
    let seconds = registry.histograms("wait_seconds", "Waits.", labels: ["face"], bounds: [0.1, 1])
    for value in [0.05, 0.1, 0.5, 7] { seconds.with("x").observe(value) }
    #expect(
      registry.text == """
        # HELP requests_total Requests.
        # TYPE requests_total counter
        requests_total{path="/a",status="500"} 2
        requests_total{path="/b",status="200"} 2
        # HELP open What is open.
        # TYPE open gauge
        open 2
        # HELP wait_seconds Waits.
        # TYPE wait_seconds histogram
        wait_seconds_bucket{face="x",le="0.1"} 2
        wait_seconds_bucket{face="x",le="1"} 3
        wait_seconds_bucket{face="x",le="+Inf"} 4
        wait_seconds_sum{face="x"} 7.65
        wait_seconds_count{face="x"} 4

        """)
  }

  @Test("what stands in labels and help is escaped")
  func escapes() {
    let registry = MetricsRegistry()
    registry.gauges("odd", "a \\ and\na line", labels: ["name"]).with("\"\\\n").set(0.5)
    #expect(
      registry.text == #"""
        # HELP odd a \\ and\na line
        # TYPE odd gauge
        odd{name="\"\\\n"} 0.5

        """#)
  }

  @Test("past the limit of a name, labels are counted together")
  func bound() {
    let registry = MetricsRegistry(seriesLimit: 3)
    let calls = registry.counters("calls_total", "Calls.", labels: ["path"])
    for number in 0..<100 { calls.with("/\(number)").add() }
    calls.with("/1").add()
    #expect(calls.with("/0").value == 1)
    #expect(calls.with("/1").value == 2)
    #expect(calls.with("other").value == 97)
    #expect(registry.text.split(separator: "\n").count == 6)
  }

  @Test("figures from many threads are all counted")
  func threads() async {
    let registry = MetricsRegistry()
    let calls = registry.counters("calls_total", "Calls.", labels: ["who"])
    let waits = registry.histograms("waits", "Waits.", bounds: [1])
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<8 {
        group.addTask {
          for _ in 0..<1000 {
            calls.with("\(number % 2)").add()
            waits.with().observe(2)
          }
        }
      }
    }
    #expect(calls.with("0").value == 4000 && calls.with("1").value == 4000)
    #expect(
      registry.text.contains("waits_bucket{le=\"1\"} 0\nwaits_bucket{le=\"+Inf\"} 8000\nwaits_sum 16000\n"))
  }
}
