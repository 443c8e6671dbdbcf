package import JSON

/// What a message turned out to be.
package enum Incoming: Sendable {
  case request(Request)
  /// Elements in order; their answers go out together.
  case batch([Incoming])
  /// It is refused with this answer.
  case refused(Answer)
  /// An answer to what the client was asked; it is never answered.
  case response(ClientResponse)
  /// A notification in error: nothing is answered.
  case ignored
}

/// What a client answers.
package struct ClientResponse: Sendable {
  package let id: JSONValue
  /// A result, or the error object as it came.
  package let outcome: Result<JSONValue, ClientError>

  package struct ClientError: Error {
    package let error: JSONValue
  }

  init?(_ object: JSONObject) {
    guard let id = object["id"], object.contains("result") != object.contains("error") else { return nil }
    self.id = id
    outcome =
      object["result"].map { .success($0) } ?? .failure(ClientError(error: object["error"] ?? .null))
  }
}
