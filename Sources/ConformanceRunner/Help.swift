/// What `--help` prints beside the text of a command.
enum Help {
  static var top: String {
    """
    omni-conformance checks whether an endpoint keeps the Omni-Orchestrator contract.

    usage: omni-conformance COMMAND [flags]

    \(table(Commands.all.map { Flag(name: $0.name, value: nil, summary: $0.summary) }))
      omni-conformance demo
      omni-conformance run --target ws://127.0.0.1:18765
      omni-conformance help COMMAND

    exit codes: 0 all as expected, 1 failures, 2 usage or broken fixture or specification (nothing
    was run), 3 the target could not be reached, 4 nothing was selected or applicable

    """
  }

  static func table(_ flags: [Flag]) -> String {
    let names = flags.map { $0.name + ($0.value.map { " \($0)" } ?? "") }
    let width = (names.map(\.count).max() ?? 0) + 2
    return zip(names, flags).map { name, flag in
      "  \(name)\(String(repeating: " ", count: width - name.count))\(flag.summary)\n"
    }.joined()
  }
}
