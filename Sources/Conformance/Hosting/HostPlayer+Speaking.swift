internal import JSON
internal import ProtocolSpec
internal import Transport
internal import Wire
internal import YAML

// What the server says.
extension HostPlayer {
  func value(of matcher: Matcher) throws(HostHalt) -> JSONValue {
    do throws(GenerationError) {
      return try matcher.generate(&bindings) ?? .null
    } catch {
      throw .notTestable(error.description)
    }
  }

  /// A line as it is written; ids of a case that plays both ways are those that the client chose.
  func speak(_ matcher: Matcher, dialect: TranscriptDialect) async throws(HostHalt) {
    let place = try await place(of: step.connection)
    let spoken = dialect.isJSONRPC ? StepReader.versioned(matcher) : matcher
    var value = try value(of: spoken)
    if dialect.isJSONRPC { value = enveloped(value) }
    if transcript.play != .server { value = withChosenIDs(value) }
    if value["method"] == nil { guests[place].rules.answered(value["id"]) }
    say(JSONWriter.bytes(value), on: place)
  }

  /// What JSON-RPC asks of an error (2.0 §5.1), where a line only tells what matters of it.
  private func enveloped(_ value: JSONValue) -> JSONValue {
    if let elements = value.array { return .array(elements.map(enveloped)) }
    guard var members = value.object, var error = members["error"]?.object, error["message"] == nil else {
      return value
    }
    error["message"] = .string(spec.errors.all.first { .int($0.code) == error["code"] }?.text ?? "error")
    members["error"] = .object(error)
    return .object(members)
  }

  private func withChosenIDs(_ value: JSONValue) -> JSONValue {
    if let elements = value.array { return .array(elements.map(withChosenIDs)) }
    guard var members = value.object, let id = members["id"],
      let alias = aliases.last(where: { $0.written == id })
    else { return value }
    members["id"] = alias.chosen
    return .object(members)
  }

  func say(_ text: [UInt8], on place: Int) {
    guests[place].lastSaid = .now
    log.add(.toClient, text.shown, on: name(of: place))
    guests[place].guest.send(.text, text)
  }

  func send(_ message: RawMessage) async throws(HostHalt) {
    guard transcript.play == .server else {
      throw .notApplicable("line \(step.place.line): bytes of a client are for a case that checks a server")
    }
    let place = try await place(of: step.connection)
    let guest = guests[place].guest
    guests[place].lastSaid = .now
    let text: String
    switch message {
    case .text(let parts):
      let bytes = TextPart.joined(parts)
      text = bytes.shown
      guest.send(.text, bytes)
    case .bytes(let bytes):
      text = "(bytes) \(bytes.hexadecimal)"
      guest.sendRaw(bytes)
    case .binary(let bytes):
      text = "(binary) \(bytes.hexadecimal)"
      guest.send(.binary, bytes)
    case .ping(let bytes):
      text = "(ping) \(bytes.shown)"
      guest.send(.ping, bytes)
    case .frame(let fin, let rsv, let opcode, let isMasked, let parts):
      let payload = TextPart.joined(parts)
      text = "(frame fin=\(fin ? 1 : 0) rsv=\(rsv) opcode=\(opcode)) \(payload.shown)"
      let mask = isMasked ? UInt32.random(in: .min ... .max, using: &bindings.random) : nil
      var bytes: [UInt8] = []
      FrameEncoder.append(
        FrameEncoder.RawFrame(opcode: opcode, payload: payload, fin: fin, rsv: rsv, mask: mask), to: &bytes)
      guest.sendRaw(bytes)
    }
    log.add(.toClient, text, on: step.connection)
  }

  func close(_ code: UInt16?, _ reason: String) async throws(HostHalt) {
    let place = try await place(of: step.connection)
    log.add(.toClient, "(close \(code.map(String.init) ?? "without a code"))", on: step.connection)
    guests[place].guest.close(code: code, reason: reason)
  }

  // MARK: Answers

  /// What the specification says to a request that no step waits for.
  func serve(_ wish: Wish, on place: Int) {
    if let value = answer(wish, on: place) { say(JSONWriter.bytes(value), on: place) }
  }

  private func answer(_ wish: Wish, on place: Int) -> JSONValue? {
    switch wish {
    case .nothing: return nil
    case .settled(let answer):
      guests[place].rules.answered(answer.id)
      var text: [UInt8] = []
      answer.write(to: &text)
      return try? JSONParser.parse(text)
    case .batch(let wishes):
      let answers = wishes.compactMap { answer($0, on: place) }
      return answers.isEmpty ? nil : .array(answers)
    case .asked(let asked):
      count(asked)
      guard !asked.envelope.isNotification else { return nil }
      guests[place].rules.answered(asked.envelope.id)
      let outcome = asked.settled ?? server.respond(to: asked.request, &bindings.random)
      if case .failure = outcome { hasRefused = true }
      return asked.answer(outcome)
    }
  }

  func count(_ asked: Asked) { counts[asked.request.method.name, default: 0] += 1 }

  /// The answer to an awaited request, with what is wrong about it.
  func give(_ answer: HostAnswer) async throws(HostHalt) {
    guard let asked = asked[answer.to] else { throw .notTestable("\(answer.to) was never asked") }
    let outcome = try outcome(answer, asked)
    var value = asked.answer(outcome)
    if !answer.hasData, var members = value.object, var error = members["error"]?.object {
      error["data"] = nil
      members["error"] = .object(error)
      value = .object(members)
    }
    value = identified(value, answer.identity)
    if let bytes = answer.bytes { value = padded(value, to: bytes, asked) }
    for _ in 0..<answer.times { put(JSONWriter.bytes(value), answer.shape, on: asked.place) }
    // Told of an answer that is its own, the client may use the id again.
    if case .asked = answer.identity { guests[asked.place].rules.answered(asked.envelope.id) }
  }

  private func outcome(
    _ answer: HostAnswer, _ asked: Asked
  ) throws(HostHalt) -> Result<JSONValue, ProtocolFault> {
    var result: JSONValue
    switch answer.content {
    case .error(let name):
      guard let name = ErrorName(rawValue: name) else { throw .notTestable("there is no error \(name)") }
      return .failure(server.fault(name, for: asked.request))
    case .result(let matcher): result = try value(of: matcher)
    case .valid:
      guard case .failure? = asked.settled else {
        result = (try? asked.settled?.get()) ?? server.success(asked.request, &bindings.random)
        break
      }
      return asked.settled ?? .success(.null)
    }
    if let with = answer.with, var members = result.object {
      for (key, added) in try value(of: with).object ?? JSONObject() { members[key] = added }
      result = .object(members)
    }
    server.note(result)
    return .success(result)
  }

  private func identified(_ value: JSONValue, _ identity: HostAnswer.Identity) -> JSONValue {
    guard var members = value.object, let id = members["id"] else { return value }
    switch identity {
    case .asked: return value
    case .foreign: members["id"] = id.string == nil ? 987_654_321 : "no-such-request"
    case .otherType:
      if let text = id.string {
        members["id"] = Int(text).map(JSONValue.int) ?? .int(0)
      } else {
        members["id"] = .string(JSONWriter.text(id))
      }
    }
    return .object(members)
  }

  /// The answer with a longer text in its result, so that the whole has `bytes` bytes.
  private func padded(_ value: JSONValue, to bytes: Int, _ asked: Asked) -> JSONValue {
    guard var members = value.object, var result = members["result"]?.object else { return value }
    // A text that the client knows, so that reading it cannot be left out.
    let key = ["result", "description", "message"].first { result[$0]?.string != nil } ?? "padding"
    let missing = bytes - JSONWriter.bytes(value).count - (key == "padding" ? 13 : 0)
    guard missing > 0 else { return value }
    result[key] = .string((result[key]?.string ?? "") + String(repeating: "x", count: missing))
    members["result"] = .object(result)
    return .object(members)
  }

  private func put(_ text: [UInt8], _ shape: HostAnswer.Shape, on place: Int) {
    let guest = guests[place].guest
    switch shape {
    case .text: return say(text, on: place)
    case .malformed: return say(text.dropLast(), on: place)
    case .binary:
      log.add(.toClient, "(binary) \(text.shown)", on: name(of: place))
      guest.send(.binary, text)
    case .cut:
      var frame: [UInt8] = []
      FrameEncoder.append(
        FrameEncoder.RawFrame(opcode: 1, payload: text, fin: true, rsv: 0, mask: nil), to: &frame)
      log.add(.toClient, "(the first half of) \(text.shown)", on: name(of: place))
      guest.sendRaw(Array(frame.prefix(frame.count - text.count / 2)))
    case .fragments(let size):
      log.add(.toClient, "(in fragments of \(size) bytes) \(text.shown)", on: name(of: place))
      for start in stride(from: 0, to: text.count, by: size) {
        let end = min(start + size, text.count)
        guest.send(start == 0 ? .text : .continuation, Array(text[start..<end]), fin: end == text.count)
        if start == 0 { guest.send(.ping, Array("between".utf8)) }
      }
    }
    guests[place].lastSaid = .now
  }

  private func say(_ text: ArraySlice<UInt8>, on place: Int) { say(Array(text), on: place) }
}
