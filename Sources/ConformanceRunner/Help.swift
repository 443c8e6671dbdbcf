/// What each command does, for people.
enum Help {
  static let selection = [
    Flag(name: "--profile", value: "NAME", summary: "which contract: reference (default) or deployed"),
    Flag(
      name: "--run", value: "PATTERN", summary: "only cases like suite/case, * and ? allowed",
      isRepeatable: true),
    Flag(name: "--skip", value: "PATTERN", summary: "not these cases", isRepeatable: true),
    Flag(
      name: "--fixtures", value: "DIR", summary: "transcripts of this folder, not those inside the program"),
    Flag(name: "--spec", value: "DIR", summary: "specification of this folder, not that inside the program"),
    Flag(name: "--help", value: nil, summary: "this text"),
  ]

  static let playing = [
    Flag(name: "--level", value: "LEVEL", summary: "what counts: must, should (default) or may"),
    Flag(name: "--seed", value: "N", summary: "seed of generated values; the default is random and printed"),
    Flag(name: "--slack", value: "X", summary: "multiply every time limit by X on a slow machine"),
    Flag(name: "--output", value: "FILE", summary: "write the results as JSON"),
    Flag(name: "--verbose", value: nil, summary: "a line for every case, and remarks"),
  ]

  static let run =
    [
      Flag(name: "--target", value: "URL", summary: "an endpoint that runs already: ws://host:port"),
      Flag(
        name: "--target-file", value: "FILE",
        summary: "an endpoint that the runner starts, and what it offers"),
      Flag(
        name: "--mock", value: "URL|PROGRAM",
        summary: "admin address of mock-litellm, or the program to start"),
    ] + playing + selection

  static let demo =
    [
      Flag(name: "--server", value: "PATH", summary: "the server; default: omni-server beside this program"),
      Flag(name: "--mock", value: "PATH", summary: "the mock; default: mock-litellm beside this program"),
    ] + playing + selection

  static let echo = [
    Flag(name: "--url", value: "URL", summary: "where the suite listens: ws://host:port"),
    Flag(name: "--agent", value: "NAME", summary: "the name in its report; the default is omni"),
    Flag(name: "--help", value: nil, summary: "this text"),
  ]

  static let bench = [
    Flag(name: "--target", value: "URL", summary: "the endpoint: ws://host:port"),
    Flag(name: "--connections", value: "N", summary: "connections at one time (64)"),
    Flag(
      name: "--pipeline", value: "N",
      summary: "requests that each connection keeps in flight (1); with --rate the most it may have (256)"),
    Flag(
      name: "--mix", value: "MIX",
      summary: "methods and their weights (ping=1): ping, create_task, get_task_status"),
    Flag(name: "--dialect", value: "NAME", summary: "jsonrpc (default) or bare"),
    Flag(name: "--duration", value: "TIME", summary: "how long to measure (10s)"),
    Flag(name: "--warmup", value: "TIME", summary: "how long to ask before that (1s)"),
    Flag(name: "--rate", value: "N", summary: "send N requests a second in all, whatever the answers do"),
    Flag(name: "--loops", value: "N", summary: "event loops of the generator, each on a thread (1)"),
    Flag(name: "--output", value: "FILE", summary: "write the result as JSON"),
    Flag(name: "--help", value: nil, summary: "this text"),
  ]

  static let top = """
    omni-conformance checks whether an endpoint keeps the Omni-Orchestrator contract.

    usage: omni-conformance COMMAND [flags]

      demo   check the server of this kit, with a mock backend; nothing to set up
      run    check an endpoint of yours
      list   the cases, their level and what they cover
      echo   let a WebSocket test suite check the client that this program connects with
      bench  how many requests an endpoint answers, and how fast

      omni-conformance demo
      omni-conformance run --target ws://127.0.0.1:18765
      omni-conformance COMMAND --help

    exit codes: 0 all as expected, 1 failures, 2 usage or broken fixture or specification (nothing
    was run), 3 the target could not be reached, 4 nothing was selected or applicable

    """

  static let runText = """
    Play the transcripts against an endpoint.

    usage: omni-conformance run (--target URL | --target-file FILE) [flags]

    \(table(run))
    An endpoint that runs already; cases that need more than its address are not applicable:
      omni-conformance run --target ws://127.0.0.1:18765
    The same, with mock-litellm as its LiteLLM, so that faults can be played:
      omni-conformance run --target ws://127.0.0.1:18765 --mock http://127.0.0.1:4009
    One case again, as the last failure told:
      omni-conformance run --target ws://127.0.0.1:18765 --run tasks/create-poll-complete --seed 4021
    An endpoint that the runner starts, stops and restarts:
      omni-conformance run --target-file target.yaml --mock .build/debug/mock-litellm

    target.yaml:
      url: ws://127.0.0.1:${port}
      start: {argv: [my-orchestrator, --port, "${port}"], ready: "http://127.0.0.1:${port}/readyz", within: 20s}
      restart: {signal: KILL}              # or TERM, or {argv: [docker, restart, orchestrator]}
      environment: {LITELLM_URL: "${mock.litellm}", DIRECT_API_URL: "${mock.direct}", OMNI_DATA: "${data}"}
      capabilities: [bare, jsonrpc, http, faults, restart, environment, idempotency]

    """

  static let demoText = """
    Start mock-litellm and omni-server on free ports with a temporary folder, play every transcript
    of the profile, stop both.

    usage: omni-conformance demo [flags]

    \(table(demo))
      omni-conformance demo
      omni-conformance demo --run 'tasks/*' --verbose
      omni-conformance demo --server ./my-build/omni-server --output results.json

    """

  static let listText = """
    List the cases with their level and what they cover.

    usage: omni-conformance list [flags]

    \(table(selection))
      omni-conformance list
      omni-conformance list --run '*500*'
      omni-conformance list --fixtures Fixtures --profile deployed

    """

  static let echoText = """
    Answer every message of every case of an Autobahn fuzzing server with itself, so that it judges
    the WebSocket client of this program.

    usage: omni-conformance echo --url URL [flags]

    \(table(echo))
      wstest -m fuzzingserver -s fuzzingserver.json
      omni-conformance echo --url ws://127.0.0.1:9001

    """

  static let benchText = """
    Load an endpoint, check every answer, and tell throughput and latencies.

    usage: omni-conformance bench --target URL [flags]

    \(table(bench))
    How much it can do: a closed loop, in which each answer is followed by the next request:
      omni-conformance bench --target ws://127.0.0.1:18765 --connections 64 --pipeline 16
    How fast it answers under a load that does not wait for it; a latency counts from when the request
    was due, so a stall is seen in all requests that it held up:
      omni-conformance bench --target ws://127.0.0.1:18765 --rate 20000 --duration 30s
    Tasks too, with wait: false, and their states; the endpoint does have them done by its models:
      omni-conformance bench --target ws://127.0.0.1:18765 --mix ping=8,create_task=1,get_task_status=1
    For a machine to compare:
      omni-conformance bench --target ws://127.0.0.1:18765 --output bench.json

    With OMNI_TOKEN set, it is sent as bearer token. Exit codes: 0 every answer was right, 1 some were
    not or a connection was lost, 2 usage, 3 the target could not be reached. Read docs/bench.md.

    """

  private static func table(_ flags: [Flag]) -> String {
    let names = flags.map { $0.name + ($0.value.map { " \($0)" } ?? "") }
    let width = (names.map(\.count).max() ?? 0) + 2
    return zip(names, flags).map { name, flag in
      "  \(name)\(String(repeating: " ", count: width - name.count))\(flag.summary)\n"
    }.joined()
  }
}
