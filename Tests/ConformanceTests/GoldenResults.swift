extension ResultTests {
  /// `--output` of the sample run; its form is a promise to programs that read it.
  static let golden = #"""
    {
      "format": 1,
      "run": {
        "version": "1.0.0",
        "revision": "1.0",
        "profile": "reference",
        "target": "ws://127.0.0.1:18765",
        "seed": 4021,
        "slack": 1,
        "capabilities": [
          "bare",
          "jsonrpc"
        ],
        "rerun": "omni-conformance run --target ws://127.0.0.1:18765",
        "duration_ms": 4200,
        "exit_code": 1
      },
      "counts": {
        "pass": 0,
        "fail": 1,
        "setup-error": 0,
        "not-applicable": 1,
        "not-testable": 0,
        "flaky": 0,
        "expected-failure": 0,
        "unexpected-pass": 0,
        "remarks": 0
      },
      "sets": [],
      "requirements": [],
      "cases": [
        {
          "id": "t/case",
          "suite": "t",
          "title": "it holds",
          "file": "Fixtures/server/t.yaml",
          "line": 5,
          "level": "must",
          "covers": [
            "method:ping",
            "req:ping.object"
          ],
          "verdict": "fail",
          "duration_ms": 4.25,
          "requirement": {
            "id": "ping.object",
            "level": "must",
            "file": "Spec/methods/ping.yaml"
          },
          "failure": {
            "file": "Fixtures/server/t.yaml",
            "line": 11,
            "title": "ping answers an object",
            "level": "must",
            "message": "the frame differs",
            "diff": [
              {
                "path": "/result",
                "expected": "result: {$type: string}",
                "got": "(absent)"
              }
            ],
            "wire": [
              {
                "at_ms": 0,
                "direction": "client",
                "connection": "a",
                "text": "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"
              },
              {
                "at_ms": 4,
                "direction": "server",
                "connection": "a",
                "text": "{\"jsonrpc\":\"2.0\",\"id\":1}"
              }
            ]
          }
        },
        {
          "id": "t/other",
          "suite": "t",
          "title": "another holds",
          "file": "Fixtures/server/t.yaml",
          "line": 13,
          "level": "must",
          "covers": [
            "error:parse_error"
          ],
          "verdict": "not-applicable",
          "duration_ms": 0,
          "reason": "needs restart, which the target does not offer"
        }
      ]
    }
    """#
}
