// The yardstick: the least an epoll server can do for a WebSocket ping. It completes the handshake
// without checking it, finds the frames in what has arrived, and answers each with the same bytes,
// one send for each readable event. `cc -O2 -o constant_server constant_server.c`, `./constant_server PORT`.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

// The accept value of the key that the load generators send is not checked by them.
static const char handshake[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: %s\r\n\r\n";
static const char answer[] = "\x81\x24{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";

struct connection {
  int fd, upgraded, held;
  unsigned char bytes[4096];  // what is left of the last event: less than a frame
};

// SHA-1 and base64 of the key, so that clients which check the handshake can be used too.
static void accept_value(const char *key, char out[29]) {
  unsigned int h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  unsigned char m[128] = {0};
  int n = snprintf((char *)m, sizeof m, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
  m[n] = 0x80;
  m[126] = n * 8 >> 8;
  m[127] = n * 8;
  for (int block = 0; block < 2; block++) {
    unsigned int w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++) {
      unsigned char *p = m + block * 64 + i * 4;
      w[i] = p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
    }
    for (int i = 16; i < 80; i++) {
      unsigned int x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
      w[i] = x << 1 | x >> 31;
    }
    for (int i = 0; i < 80; i++) {
      unsigned int f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
      unsigned int k = i < 20 ? 0x5A827999 : i < 40 ? 0x6ED9EBA1 : i < 60 ? 0x8F1BBCDC : 0xCA62C1D6;
      unsigned int t = (a << 5 | a >> 27) + f + e + k + w[i];
      e = d, d = c, c = b << 30 | b >> 2, b = a, a = t;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
  }
  unsigned char digest[21] = {0};
  for (int i = 0; i < 20; i++) digest[i] = h[i / 4] >> (24 - i % 4 * 8);
  const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int i = 0; i < 7; i++) {
    unsigned int v = digest[i * 3] << 16 | digest[i * 3 + 1] << 8 | digest[i * 3 + 2];
    for (int j = 0; j < 4; j++) out[i * 4 + j] = letters[v >> (18 - j * 6) & 63];
  }
  out[27] = '=';
  out[28] = 0;
}

int main(int argc, char **argv) {
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 9000)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1024)) return perror("listen"), 1;
  struct epoll_event event = {.events = EPOLLIN}, events[256];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  static unsigned char in[1 << 16], out[1 << 16];
  for (;;) {
    int count = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c) {
        int fd;
        while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          c = calloc(1, sizeof *c);
          c->fd = fd;
          event.data.ptr = c;
          epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        }
        event.data.ptr = 0;
        continue;
      }
      memcpy(in, c->bytes, c->held);
      long got = recv(c->fd, in + c->held, sizeof in - c->held, 0);
      if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        close(c->fd);
        free(c);
        continue;
      }
      long end = c->held + got, at = 0, filled = 0;
      if (!c->upgraded) {
        unsigned char *stop = memmem(in, end, "\r\n\r\n", 4);
        char *key = memmem(in, end, "Sec-WebSocket-Key: ", 19), value[29];
        if (stop && key) {
          accept_value(key + 19, value);
          filled = sprintf((char *)out, handshake, value);
          at = stop + 4 - in;
          c->upgraded = 1;
        }
      }
      while (c->upgraded && end - at >= 6 && end - at >= 6 + (in[at + 1] & 127)) {
        at += 6 + (in[at + 1] & 127);  // frames of up to 125 bytes
        memcpy(out + filled, answer, sizeof answer - 1);
        filled += sizeof answer - 1;
      }
      c->held = end - at;
      memcpy(c->bytes, in + at, c->held);
      if (filled && send(c->fd, out, filled, MSG_NOSIGNAL) != filled) close(c->fd), free(c);
    }
  }
}
