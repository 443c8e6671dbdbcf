import ProtocolSpec
import Synchronization
import Transport

/// Where what a request was and became is counted: a number for each method, dialect and outcome, and
/// for how long each method took.
///
/// Methods that a server does not know share one place, so that a client who makes names up costs nothing.
struct RequestPlaces: Sendable {
  /// Of what was no readable request.
  static let noMethod = "none"

  /// Labels, in the order of their numbers.
  let methods: [String]
  let outcomes: [String]
  /// Upper bounds of the buckets, in nanoseconds.
  let bounds: [Int]
  private let methodNumbers: [String: Int]
  private let outcomeNumbers: [ErrorName: Int]

  init(_ spec: Specification) {
    methods = [Self.noMethod] + spec.methods.map(\.name) + MCPMethod.allCases.map(\.rawValue)
    outcomes = ["ok", "none"] + ErrorName.allCases.map(\.rawValue)
    bounds = spec.metrics[.requestSeconds].buckets.map { Int($0 * 1e9) }
    methodNumbers = Dictionary(methods.enumerated().map { ($1, $0) }) { first, _ in first }
    outcomeNumbers = Dictionary(
      ErrorName.allCases.enumerated().map { ($1, $0 + 2) }
    ) { first, _ in first }
  }

  func method(_ name: String?) -> Int { name.flatMap { methodNumbers[$0] } ?? 0 }

  /// - Parameter answer: nil if the request is not answered.
  func outcome(_ answer: Answer?) -> Int {
    switch answer?.outcome {
    case .success: 0
    case nil: 1
    case .failure(let fault): outcomeNumbers[fault.name] ?? 1
    }
  }

  var requestCount: Int { methods.count * Dialect.allCases.count * outcomes.count }
  var bucketCount: Int { bounds.count + 1 }

  func request(method: Int, _ dialect: Dialect, outcome: Int) -> Int {
    (method * 2 + (dialect == .bare ? 0 : 1)) * outcomes.count + outcome
  }
}

/// The requests that one loop has served.
///
/// Only the loop counts, so that no two cores ever write to the same line of memory; anybody may read.
final class RequestTally: @unchecked Sendable {
  // Invariant: the addresses never change, and what they point at is atomic; only `loop` stores.
  let loop: EventLoop
  private let places: RequestPlaces
  /// Requests by their place, buckets by method, and nanoseconds by method.
  private let figures: UnsafeMutablePointer<Atomic<Int>>
  private let count: Int
  let barePing: Int
  let jsonrpcPing: Int
  let bareStatus: Int
  let jsonrpcStatus: Int

  init(_ places: RequestPlaces, on loop: EventLoop) {
    self.loop = loop
    self.places = places
    count = places.requestCount + places.methods.count * (places.bucketCount + 1)
    figures = .allocate(capacity: count)
    for place in 0..<count { (figures + place).initialize(to: Atomic(0)) }
    func place(_ method: String, _ dialect: Dialect) -> Int {
      places.request(method: places.method(method), dialect, outcome: 0)
    }
    barePing = place("ping", .bare)
    jsonrpcPing = place("ping", .jsonrpc)
    bareStatus = place("get_task_status", .bare)
    jsonrpcStatus = place("get_task_status", .jsonrpc)
  }

  deinit {
    figures.deinitialize(count: count)
    figures.deallocate()
  }

  /// A request that was answered at once.
  @inline(__always)
  func add(_ place: Int) { add(1, at: place) }

  /// A request that was answered, or will never be.
  ///
  /// - Parameter time: how long it took; nil if it was answered at once.
  func add(method name: String?, _ dialect: Dialect, _ answer: Answer?, time: Duration? = nil) {
    let method = places.method(name)
    add(1, at: places.request(method: method, dialect, outcome: places.outcome(answer)))
    guard let time else { return }
    let nanoseconds = Int(time / .nanoseconds(1))
    let bucket = places.bounds.firstIndex { nanoseconds <= $0 } ?? places.bounds.count
    let first = places.requestCount + method * (places.bucketCount + 1)
    add(1, at: first + bucket)
    add(nanoseconds, at: first + places.bucketCount)
  }

  @inline(__always)
  private func add(_ amount: Int, at place: Int) {
    let figure = figures + place
    figure.pointee.store(figure.pointee.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
  }

  /// The figures of all tallies together.
  static func sum(_ tallies: [RequestTally]) -> [Int] {
    guard let first = tallies.first else { return [] }
    return (0..<first.count).map { place in
      tallies.reduce(0) { $0 + ($1.figures + place).pointee.load(ordering: .relaxed) }
    }
  }
}
