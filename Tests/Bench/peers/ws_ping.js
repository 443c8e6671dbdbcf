// ping on Node and ws.   ws_ping.js constant|real PORT
"use strict";
const { WebSocketServer } = require("ws");

const [variant, port] = process.argv.slice(2);
const constant = '{"jsonrpc":"2.0","id":1,"result":{}}';

function real(text) {
  const request = JSON.parse(text);
  const answer = { jsonrpc: "2.0", id: request.id };
  if (request.method === "ping") answer.result = {};
  else answer.error = { code: -32601, message: `Unknown method: ${request.method}` };
  return JSON.stringify(answer);
}

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(variant === "constant" ? constant : real(data.toString())));
});
