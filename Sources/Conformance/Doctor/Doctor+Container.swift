internal import JSON

// What the container engine says of the container: the part of the checklist that no client sees.
extension Doctor {
  private static let engine = "docker"
  private static let dataFolder = "/app/data"

  mutating func container() async {
    guard let name = plan.container else {
      return add(
        "container", "container", .open, "not asked",
        advice:
          "--container omni-orchestrator asks docker for it; without a container there is nothing to ask")
    }
    let value: JSONValue
    do throws(TargetProblem) {
      let line = try await output(of: [Self.engine, "inspect", "--format", "{{json .}}", name])
      guard let read = try? JSONParser.parse(line) else {
        throw TargetProblem("\(Self.engine) inspect \(name) does not answer with JSON")
      }
      value = read
    } catch {
      return add(
        "container", "container", .bad,
        ([error.description] + error.lines.suffix(2)).joined(separator: " · "),
        advice: "is docker there, does its context name the right machine (docker context show), and is it up"
          + " (docker compose up -d)?")
    }
    runs(value, name)
    user(value)
    data(value)
    restarts(value)
    port(value)
  }

  private mutating func restarts(_ value: JSONValue) {
    let policy = value["HostConfig"]?["RestartPolicy"]?["Name"]?.string ?? "no"
    guard ["always", "unless-stopped", "on-failure"].contains(policy) else {
      return add(
        "restart", "started again", .bad, "the restart policy is \(policy.isEmpty ? "no" : policy)",
        advice: "restart: unless-stopped in the compose file, or it stays down after a crash and a reboot")
    }
    add("restart", "started again", .good, "the restart policy is \(policy)")
  }

  /// Where the container's own port is published, or that it shares the network of the machine.
  private mutating func port(_ value: JSONValue) {
    let title = "published"
    if value["HostConfig"]?["NetworkMode"]?.string == "host" {
      return add("port", title, .good, "the container shares the network of its machine")
    }
    let bindings = value["NetworkSettings"]?["Ports"]?.object?.flatMap { $0.value.array ?? [] } ?? []
    let addresses = bindings.map { "\($0["HostIp"]?.string ?? ""):\($0["HostPort"]?.string ?? "")" }
    guard !addresses.isEmpty else {
      return add(
        "port", title, .bad, "no port of it is published",
        advice: "ports: \"127.0.0.1:18765:18765\" in the compose file")
    }
    let isOpen = bindings.contains { ["", "0.0.0.0", "::"].contains($0["HostIp"]?.string ?? "") }
    guard !isOpen || plan.token != nil else {
      return add(
        "port", title, .bad, "\(addresses.joined(separator: ", ")) is open to the network, without a token",
        advice: "set OMNI_TOKEN, or publish it on 127.0.0.1 only (OMNI_PUBLISH)")
    }
    add("port", title, .good, addresses.joined(separator: ", "))
  }

  private mutating func runs(_ value: JSONValue, _ name: String) {
    let state = value["State"]
    let (status, health) = (state?["Status"]?.string ?? "unknown", state?["Health"]?["Status"]?.string)
    guard status == "running" else {
      let code = state?["ExitCode"]?.int.map { ", exit code \($0)" } ?? ""
      return add(
        "container", "container", .bad, "\(name) is \(status)\(code)",
        advice: "docker compose up -d starts it, docker compose logs says why it ended")
    }
    switch health {
    case "healthy": add("container", "container", .good, "\(name) runs and is healthy")
    case "starting"?:
      add("container", "container", .bad, "\(name) is starting", advice: "wait for its first health check")
    case let health?:
      add(
        "container", "container", .bad, "\(name) is \(health)",
        advice: "docker inspect tells what the health check said; see docker compose logs")
    case nil:
      add(
        "container", "container", .bad, "\(name) runs without a health check",
        advice: "the image has one of its own: is it switched off, or is this another image?")
    }
  }

  private mutating func user(_ value: JSONValue) {
    let title = "confined"
    let user = value["Config"]?["User"]?.string ?? ""
    let isRoot = user.isEmpty || ["0", "root"].contains(user.split(separator: ":").first.map(String.init))
    if isRoot {
      return add(
        "confined", title, .bad, "it runs as root",
        advice: "take the user out of the compose file: the image has one")
    }
    guard value["HostConfig"]?["ReadonlyRootfs"] == true else {
      return add(
        "confined", title, .bad, "its root file system can be written",
        advice: "read_only: true in the compose file; the data folder is a volume")
    }
    add("confined", title, .good, "user \(user), the root file system is read-only")
  }

  private mutating func data(_ value: JSONValue) {
    let title = "data on a volume"
    let mounts = value["Mounts"]?.array ?? []
    let folder =
      value["Config"]?["Env"]?.array?.compactMap(\.string)
      .last { $0.hasPrefix("OMNI_DATA=") }.map { String($0.dropFirst("OMNI_DATA=".count)) } ?? Self.dataFolder
    guard let mount = mounts.first(where: { $0["Destination"]?.string == folder }) else {
      return add(
        "volume", title, .bad, "\(folder) goes with the container",
        advice: "a volume belongs there (docker-compose.yml: omni-data:\(folder))")
    }
    guard mount["RW"] != false else {
      return add("volume", title, .bad, "\(folder) is mounted read-only", advice: "take :ro away from it")
    }
    let name = mount["Name"]?.string ?? mount["Source"]?.string ?? "somewhere"
    add("volume", title, .good, "\(folder) is on \(mount["Type"]?.string ?? "mount") \(name)")
  }

  /// The first line that a program writes.
  func output(of command: [String]) async throws(TargetProblem) -> String {
    let child = try ChildProcess(command, environment: plan.environment, children: children)
    let line = await child.firstLine(within: LiveEndpoint.patience)
    guard let line else {
      guard let ending = child.ending else {
        await child.stop()
        throw TargetProblem("\(command[0]) does not answer within \(LiveEndpoint.patience.short)")
      }
      throw TargetProblem("\(command[0]) \(ending.text)", lines: await child.lines())
    }
    return line
  }
}
