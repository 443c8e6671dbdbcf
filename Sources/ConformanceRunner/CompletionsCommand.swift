import Conformance
import ProtocolSpec
import YAML

struct CompletionsCommand: Command {
  static let name = "completions"
  static let summary = "a script that completes command lines"
  static let usage = "bash|zsh|fish"
  static let operand: String? = "bash|zsh|fish"
  static let flags: [Flag] = []
  static let about = """
    Print a script for a shell that completes commands, flags, their values and the names of cases.
    """
  static let examples = """
      source <(omni-conformance completions bash)
      omni-conformance completions zsh > "${fpath[1]}/_omni-conformance"
      omni-conformance completions fish > ~/.config/fish/completions/omni-conformance.fish
    """

  private let shell: String

  init(_ arguments: Arguments) throws {
    let known = ["bash", "zsh", "fish"]
    guard let shell = arguments.operands.first, arguments.operands.count == 1 else {
      throw UsageError(description: "one shell is expected: \(known.joined(separator: ", "))")
    }
    guard known.contains(shell) else {
      throw UsageError(description: unknown("shell", shell, known: known))
    }
    self.shell = shell
  }

  func run() -> Int32 {
    switch shell {
    case "zsh": Output.write(Completions.zsh)
    case "fish": Output.write(Completions.fish)
    default: Output.write(Completions.bash)
    }
    return 0
  }
}

/// Scripts made from what the commands say of themselves.
enum Completions {
  /// What the value of a flag can be.
  enum Values {
    case words([String])
    case cases, file, folder, free

    init(_ flag: Flag) {
      switch flag.value {
      case "LEVEL": self = .words(RequirementLevel.allCases.map(\.rawValue))
      case "NAME" where flag.name == "--profile":
        self = .words((try? Specification.load())?.profiles.map(\.name) ?? [])
      case "PATTERN": self = .cases
      case "FILE", "URL|PROGRAM", "PATH": self = .file
      case "DIR": self = .folder
      case "FORMAT": self = .words(Self.listed(flag.summary))
      default: self = .free
      }
    }

    /// `table (default), json, markdown or html` names its values.
    private static func listed(_ summary: String) -> [String] {
      summary.replacing(" (default)", with: "").replacing(" or ", with: ", ").split(separator: ", ")
        .map(String.init).filter { !$0.contains(" ") }
    }
  }

  private static let listing = "omni-conformance list --ids 2>/dev/null"
  private static var names: [String] { Commands.all.map { $0.name } + ["help"] }

  private static func operands(_ type: any Command.Type) -> Values {
    switch type.operand {
    case "CASE": .cases
    case "COMMAND": .words(names)
    case nil: .free
    case let text? where text.contains("|"): .words(text.split(separator: "|").map(String.init))
    default: .file
    }
  }

  // MARK: bash

  static var bash: String {
    func reply(_ values: Values) -> String {
      switch values {
      case .words(let words): #"COMPREPLY=($(compgen -W "\#(words.joined(separator: " "))" -- "$word"))"#
      case .cases: #"COMPREPLY=($(compgen -W "$(\#(listing))" -- "$word"))"#
      case .file: #"COMPREPLY=($(compgen -f -- "$word"))"#
      case .folder: #"COMPREPLY=($(compgen -d -- "$word"))"#
      case .free: "COMPREPLY=()"
      }
    }
    var script = """
      # bash completion of omni-conformance
      _omni_conformance() {
        local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
        if [ "$COMP_CWORD" -eq 1 ]; then
          COMPREPLY=($(compgen -W "\(names.joined(separator: " ")) --help --version" -- "$word"))
          return
        fi
        case "${COMP_WORDS[1]} $before" in

      """
    for type in Commands.all {
      for flag in type.flags where flag.value != nil {
        script += "  '\(type.name) \(flag.name)') \(reply(Values(flag))); return;;\n"
      }
    }
    script += "  esac\n  case \"${COMP_WORDS[1]}\" in\n"
    for type in Commands.all {
      let flags = (type.flags.map(\.name) + ["--help"]).joined(separator: " ")
      script += """
          \(type.name))
            case "$word" in
            -*) COMPREPLY=($(compgen -W "\(flags)" -- "$word"));;
            *) \(reply(operands(type)));;
            esac;;

        """
    }
    return script + """
        help) COMPREPLY=($(compgen -W "\(names.joined(separator: " "))" -- "$word"));;
        esac
      }
      complete -F _omni_conformance omni-conformance

      """
  }

  // MARK: zsh

  static var zsh: String {
    func action(_ values: Values) -> String {
      switch values {
      case .words(let words): "(\(words.joined(separator: " ")))"
      case .cases: "_omni_conformance_cases"
      case .file: "_files"
      case .folder: "_files -/"
      case .free: " "
      }
    }
    func quoted(_ text: String) -> String {
      text.replacing("'", with: "'\\''").replacing("[", with: "(").replacing("]", with: ")")
        .replacing(":", with: "\\:")
    }
    var script = """
      #compdef omni-conformance
      _omni_conformance_cases() { compadd -- ${(f)"$(\(listing))"} }
      _omni_conformance() {
        if (( CURRENT == 2 )); then
          local -a commands=(

      """
    for type in Commands.all { script += "      '\(type.name):\(quoted(type.summary))'\n" }
    script += "    )\n    _describe command commands\n    return\n  fi\n"
    script += "  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in\n"
    for type in Commands.all {
      script += "  \(type.name)) _arguments"
      for flag in type.flags {
        let repeats = flag.isRepeatable ? "\\*" : ""
        let value = flag.value.map { ":\(quoted($0)):\(action(Values(flag)))" } ?? ""
        script += " \\\n    \(repeats)'\(flag.name)[\(quoted(flag.summary))]\(value)'"
      }
      if let operand = type.operand {
        script += " \\\n    '*:\(quoted(operand)):\(action(operands(type)))'"
      }
      script += ";;\n"
    }
    return script + """
        help) compadd -- \(names.joined(separator: " "));;
        esac
      }
      compdef _omni_conformance omni-conformance

      """
  }

  // MARK: fish

  static var fish: String {
    func values(_ values: Values) -> String {
      switch values {
      case .words(let words): " -xa '\(words.joined(separator: " "))'"
      case .cases: " -xa '(\(listing))'"
      case .file: " -rF"
      case .folder: " -xa '(__fish_complete_directories)'"
      case .free: " -x"
      }
    }
    func quoted(_ text: String) -> String { "'\(text.replacing("'", with: "\\'"))'" }
    var script = "# fish completion of omni-conformance\ncomplete -c omni-conformance -f\n"
    for type in Commands.all {
      let first = "complete -c omni-conformance -n '__fish_use_subcommand'"
      script += "\(first) -a \(type.name) -d \(quoted(type.summary))\n"
      let inside = "complete -c omni-conformance -n '__fish_seen_subcommand_from \(type.name)'"
      for flag in type.flags {
        let value = flag.value == nil ? "" : values(Values(flag))
        script += "\(inside) -l \(flag.name.dropFirst(2))\(value) -d \(quoted(flag.summary))\n"
      }
      switch operands(type) {
      case .free: break
      case .file: script += "\(inside) -F\n"
      case let given: script += "\(inside)\(values(given))\n"
      }
    }
    return script
  }
}
