internal import JSON

/// Why a recording cannot be written.
package struct RecordingProblem: Error, Sendable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }

  static func secret(at path: JSONPointer, in what: String) -> RecordingProblem {
    let place = path.tokens.isEmpty ? "" : " at \(path)"
    return RecordingProblem(
      "\(what)\(place) holds what looks like a secret, and no variable of the environment names it: "
        + "export it and give --secret NAME, or it could not be kept out of the transcript")
  }
}
