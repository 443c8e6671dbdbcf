/* The 100 % mark: a WebSocket server in plain C, one thread, one recv and one send for each readable
   event. It reads no payload; every text frame gets the same answer.   answerer PORT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"
enum { FRAME = 2 + sizeof ANSWER - 1, INPUT = 65536, MOST = INPUT / 6, FDS = 65536 };

struct conn {
  int upgraded, used; /* bytes in `head`: a handshake, then a frame header */
  uint64_t left;      /* payload bytes of the frame that is being read */
  unsigned char opcode, head[2048];
};

static struct conn *conns[FDS];
static unsigned char input[INPUT], answers[MOST * FRAME];

static void die(const char *what) { perror(what); exit(1); }

static uint32_t rol(uint32_t x, int n) { return x << n | x >> (32 - n); }

/* SHA-1 (FIPS 180-4) of a text of at most 119 bytes. */
static void sha1(const char *text, unsigned char out[20]) {
  unsigned char m[128] = {0};
  uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, w[80];
  size_t n = strlen(text), blocks = n < 56 ? 1 : 2;
  memcpy(m, text, n);
  m[n] = 0x80;
  m[blocks * 64 - 2] = (unsigned char)(n >> 5);
  m[blocks * 64 - 1] = (unsigned char)(n << 3);
  for (size_t at = 0; at < blocks * 64; at += 64) {
    for (int i = 0; i < 16; i++) {
      const unsigned char *p = m + at + 4 * i;
      w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (int i = 16; i < 80; i++) w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
      uint32_t f = i < 20 ? ((b & c) | (~b & d)) + 0x5a827999 : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
        : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc : (b ^ c ^ d) + 0xca62c1d6;
      uint32_t t = rol(a, 5) + f + e + w[i];
      e = d, d = c, c = rol(b, 30), b = a, a = t;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
  }
  for (int i = 0; i < 20; i++) out[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

/* Answers the handshake in `head`, if it is there as a whole: the number of its bytes, 0, or -1. */
static int upgrade(int fd, struct conn *c) {
  static const char *set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  c->head[c->used] = 0;
  char *end = strstr((char *)c->head, "\r\n\r\n"), *key = strcasestr((char *)c->head, "sec-websocket-key:");
  if (!end) return c->used < (int)sizeof c->head - 1 ? 0 : -1;
  if (!key || key > end) return -1;
  char text[128], accept[29] = {0}, reply[256];
  unsigned char d[21] = {0};
  key += 18, key += strspn(key, " ");
  snprintf(text, sizeof text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 24, key);
  sha1(text, d);
  for (int i = 0; i < 28; i++) {
    int bit = i * 6, two = d[bit / 8] << 8 | d[bit / 8 + 1];
    accept[i] = i == 27 ? '=' : set[two >> (10 - bit % 8) & 63];
  }
  int n = snprintf(reply, sizeof reply, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
  if (send(fd, reply, n, MSG_NOSIGNAL) != n) return -1;
  return (int)(end + 4 - (char *)c->head);
}

/* The size of the header that begins in `head`; its first two bytes have to be there. */
static int header_size(const unsigned char *head) {
  int length = head[1] & 127;
  return 6 + (length == 126 ? 2 : length == 127 ? 8 : 0);
}

/* Counts the text frames that end in these bytes; -1 at a close frame or an unmasked one. */
static int frames(struct conn *c, const unsigned char *p, size_t n) {
  int count = 0;
  while (n > 0) {
    if (c->left == 0) {
      int wanted = c->used < 2 ? 2 : header_size(c->head);
      if (c->used < wanted) {
        c->head[c->used++] = *p++, n--;
        if (c->used < 2 || c->used < header_size(c->head)) continue;
      }
      c->opcode = c->head[0] & 15, c->left = c->head[1] & 127;
      if (!(c->head[1] & 128) || c->opcode == 8) return -1;
      if (c->left >= 126) {
        int bytes = c->left == 126 ? 2 : 8;
        c->left = 0;
        for (int i = 0; i < bytes; i++) c->left = c->left << 8 | c->head[2 + i];
      }
    }
    size_t part = c->left < n ? c->left : n;
    c->left -= part, p += part, n -= part;
    if (c->left == 0) count += c->opcode == 1, c->used = 0;
  }
  return count;
}

static int readable(int fd, struct conn *c) {
  ssize_t n = recv(fd, input, sizeof input, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (n <= 0) return -1;
  const unsigned char *p = input;
  if (!c->upgraded) {
    int before = c->used, part = (int)sizeof c->head - 1 - before;
    if (part > n) part = (int)n;
    memcpy(c->head + before, input, part);
    c->used += part;
    int size = upgrade(fd, c);
    if (size <= 0) return size;
    c->upgraded = 1, c->used = 0, p += size - before, n -= size - before;
  }
  int count = frames(c, p, n);
  if (count < 0) return -1;
  /* A closed loop never fills the socket; a short write would be a fault of the measurement. */
  return count == 0 || send(fd, answers, count * FRAME, MSG_NOSIGNAL) == count * FRAME ? 0 : -1;
}

static void drop(int fd) { close(fd), free(conns[fd]), conns[fd] = NULL; }

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: answerer PORT\n"), 2;
  for (int i = 0; i < MOST; i++) {
    answers[i * FRAME] = 0x81, answers[i * FRAME + 1] = sizeof ANSWER - 1;
    memcpy(answers + i * FRAME + 2, ANSWER, sizeof ANSWER - 1);
  }
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024)) die("listen");
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int n = epoll_wait(poll, events, 256, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd != listener) {
        if (readable(fd, conns[fd]) < 0) drop(fd);
        continue;
      }
      if ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0) continue;
      if (fd >= FDS || !(conns[fd] = calloc(1, sizeof(struct conn)))) die("too many connections");
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      event.data.fd = fd;
      epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    }
  }
}
