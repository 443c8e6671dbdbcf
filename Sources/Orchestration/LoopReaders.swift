package import TaskStore
package import Transport

/// A reader of the store for each loop, so that a row is read without leaving the loop.
package struct LoopReaders: Sendable {
  /// As many as there are cores, so they are looked through.
  private let all: [LoopBound<TaskReader>]

  package init(_ store: TaskStore, loops: [EventLoop]) throws(StoreError) {
    var all: [LoopBound<TaskReader>] = []
    for loop in loops { all.append(LoopBound(try store.makeReader(), on: loop)) }
    self.all = all
  }

  /// The task with this id; to be called on `loop`.
  package func task(_ id: String, on loop: EventLoop) throws(StoreError) -> StoredTask? {
    let reader = try reader(on: loop).value
    // Or it would look at the snapshot.
    reader.release()
    return try reader.task(id)
  }

  /// The way of the task with this id; to be called on `loop`.
  package func timeline(_ id: String, on loop: EventLoop) throws(StoreError) -> TaskTimeline? {
    let reader = try reader(on: loop).value
    reader.release()
    return try reader.timeline(id)
  }

  /// The task as JSON text, valid until the next call; nil if there is none. To be called on `loop`.
  package func text(
    of id: UnsafeRawBufferPointer, on loop: EventLoop
  ) throws(StoreError) -> UnsafeRawBufferPointer? {
    let bound = try reader(on: loop)
    let reader = bound.value
    let wasHolding = reader.isHolding
    let text = try reader.text(of: id)
    // At the end of the loop's turn, after the reads of all requests that have come with this one.
    if !wasHolding { loop.submit { bound.value.release() } }
    return text
  }

  private func reader(on loop: EventLoop) throws(StoreError) -> LoopBound<TaskReader> {
    for bound in all where bound.loop === loop { return bound }
    throw StoreError(description: "the loop \(loop.name) has no reader")
  }
}
