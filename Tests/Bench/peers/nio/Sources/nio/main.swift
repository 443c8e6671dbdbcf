// ping on swift-nio's NIOWebSocket, on one event loop.   nio-ping constant|real PORT
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

struct Request: Decodable {
  let id: Int
  let method: String
}

struct Answer: Encodable {
  struct Nothing: Encodable {}
  struct Failure: Encodable {
    let code: Int
    let message: String
  }
  let jsonrpc = "2.0"
  let id: Int
  var result: Nothing?
  var error: Failure?
}

final class Ping: ChannelInboundHandler {
  typealias InboundIn = WebSocketFrame
  typealias OutboundOut = WebSocketFrame

  private let isConstant: Bool
  private let constant = ByteBuffer(string: #"{"jsonrpc":"2.0","id":1,"result":{}}"#)
  private let decoder = JSONDecoder()
  private let encoder = JSONEncoder()

  init(isConstant: Bool) { self.isConstant = isConstant }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    switch frame.opcode {
    case .text:
      guard let answer = isConstant ? constant : real(frame.unmaskedData) else {
        return context.close(promise: nil)
      }
      context.write(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .text, data: answer)), promise: nil)
    case .connectionClose: context.close(promise: nil)
    default: break
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

  private func real(_ text: ByteBuffer) -> ByteBuffer? {
    guard let request = try? decoder.decode(Request.self, from: Data(text.readableBytesView)) else {
      return nil
    }
    var answer = Answer(id: request.id)
    if request.method == "ping" {
      answer.result = Answer.Nothing()
    } else {
      answer.error = Answer.Failure(code: -32601, message: "Unknown method: \(request.method)")
    }
    guard let json = try? encoder.encode(answer) else { return nil }
    return ByteBuffer(bytes: json)
  }
}

let arguments = CommandLine.arguments
guard arguments.count == 3, let port = Int(arguments[2]) else {
  fatalError("usage: nio-ping constant|real PORT")
}
let isConstant = arguments[1] == "constant"

let server = try ServerBootstrap(group: MultiThreadedEventLoopGroup(numberOfThreads: 1))
  .serverChannelOption(.backlog, value: 1024)
  .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
  .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
  .childChannelInitializer { channel in
    let upgrader = NIOWebSocketServerUpgrader(
      shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
      upgradePipelineHandler: { channel, _ in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Ping(isConstant: isConstant))
        }
      })
    return channel.pipeline.configureHTTPServerPipeline(
      withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
  }
  .bind(host: "127.0.0.1", port: port).wait()
try server.closeFuture.wait()
