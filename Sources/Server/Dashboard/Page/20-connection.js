// One WebSocket with JSON-RPC, which comes back by itself.

const { subprotocol, tokenPrefix } = document.documentElement.dataset;
const CALL_TIME = 10_000;
const MAX_PENDING = 64;
const REST_AFTER = 60_000;
const UNSENDABLE =
  'A browser cannot send that token: only letters, digits and !#$%&\'*+-.^_`|~ may be in it.';
// A name in DNS might be anybody's, so the server takes pages of the names that it was told.
const NOT_TAKEN =
  `The server is there, but takes no connection from this page: is ${location.origin} in OMNI_ORIGINS?`;

const connection = {
  // connecting, live, lost, resting, or gate: a token is needed.
  phase: 'connecting',
  roundTrip: undefined,
  lostAt: undefined,
  retryAt: undefined,
  tries: 0,
  socket: undefined,
  lastID: 0,
  pending: new Map(),
  // What the parts do when it is live, and with a notification.
  onLive: [],
  onNotification: new Map(),

  // The answer of a method; fails with `code` if the server refuses, with `isLost` if no answer comes.
  call(method, params = {}) {
    return new Promise((resolve, reject) => {
      const lost = text => reject(Object.assign(new Error(text), { isLost: true }));
      if (this.socket?.readyState !== WebSocket.OPEN) return lost('There is no connection to the server.');
      if (this.pending.size >= MAX_PENDING) return lost('The server is slow to answer.');
      const id = ++this.lastID;
      const timer = setTimeout(() => {
        this.pending.delete(id);
        lost('The server has not answered in time.');
      }, CALL_TIME);
      this.pending.set(id, { resolve, reject, lost, timer });
      this.socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
  },

  become(phase) {
    if (this.phase !== phase && (phase === 'lost' || (phase === 'live' && this.tries > 1))) {
      say(phase === 'lost' ? 'The connection is lost, reconnecting.' : 'Live again.', false);
    }
    this.phase = phase;
    draw('link');
  },

  // Asks over HTTP first: a WebSocket does not tell the page why it was refused.
  async open() {
    this.drop();
    this.retryAt = undefined;
    this.tries += 1;
    draw('link');
    const turn = this.turn = {};
    const token = tab.get('token');
    let status = 0;
    try {
      const headers = token ? { Authorization: `Bearer ${token}` } : {};
      const signal = AbortSignal.timeout(CALL_TIME);
      const answer = await fetch('/', { method: 'HEAD', headers, cache: 'no-store', signal });
      status = answer.status;
      const ahead = Date.parse(answer.headers.get('date')) - Date.now();
      clockAhead = Math.abs(ahead) > 2000 ? ahead : 0;
    } catch { /* not there: the same as a connection that fails */ }
    if (turn !== this.turn) return;
    if (status === 401) return this.ask(token ? 'That token is not the one of this server.' : '');
    if (status === 403) return this.lose(NOT_TAKEN);
    if (status !== 200) return this.lose(status ? `The server answers with status ${status}.` : '');
    this.connect(token);
  },

  connect(token) {
    const names = token ? [subprotocol, tokenPrefix + token] : [subprotocol];
    const address = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/`;
    let socket;
    try {
      socket = new WebSocket(address, names);
    } catch {
      return this.ask(UNSENDABLE);
    }
    this.socket = socket;
    const timer = setTimeout(() => socket.close(), CALL_TIME);
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      clearTimeout(timer);
      this.begin(socket);
    };
    socket.onmessage = event => this.take(event.data);
    socket.onclose = () => {
      clearTimeout(timer);
      // A server that starts or ends refuses a connection as well, but not again and again.
      if (this.socket === socket) this.lose(wasOpen || this.tries < 2 ? '' : NOT_TAKEN);
    };
  },

  async begin(socket) {
    try {
      // First, so that nothing happens unseen between what is asked for and what is told.
      await this.call('subscribe', { topics: ['tasks', 'system'] });
      await Promise.all(this.onLive.map(each => each()));
    } catch (error) {
      if (this.socket === socket) socket.close();
      return;
    }
    if (this.socket !== socket) return;
    this.become('live');
    this.tries = 0;
    this.lostAt = undefined;
  },

  take(text) {
    let message;
    try { message = JSON.parse(text); } catch { return; }
    if (message.method) return this.onNotification.get(message.method)?.(message.params ?? {});
    const call = this.pending.get(message.id);
    if (!call) return;
    this.pending.delete(message.id);
    clearTimeout(call.timer);
    if (!message.error) return call.resolve(message.result);
    call.reject(Object.assign(new Error(message.error.message), { code: message.error.code }));
  },

  drop() {
    const socket = this.socket;
    this.socket = undefined;
    this.turn = undefined;
    clearTimeout(this.timer);
    socket?.close();
    for (const call of this.pending.values()) {
      clearTimeout(call.timer);
      call.lost('The connection was lost before the answer came.');
    }
    this.pending.clear();
  },

  // 0.5, 1, 2, 4, 8, then every 15 seconds, a little spread so that many pages do not come at once.
  lose(why) {
    this.drop();
    this.why = why;
    this.lostAt ??= Date.now();
    this.become('lost');
    const pause = Math.min(15_000, 500 * 2 ** Math.max(0, this.tries - 1)) * (0.8 + 0.4 * Math.random());
    this.retryAt = Date.now() + pause;
    this.timer = setTimeout(() => this.open(), pause);
  },

  ask(why) {
    this.drop();
    tab.set('token', undefined);
    this.tries = 0;
    $('token-error').textContent = why;
    this.become('gate');
  },
};

// A page that nobody sees lets the server rest.
let restTimer;
document.addEventListener('visibilitychange', () => {
  clearTimeout(restTimer);
  if (!document.hidden) {
    if (connection.phase === 'resting') connection.open();
    return;
  }
  restTimer = setTimeout(() => {
    if (connection.phase === 'gate') return;
    connection.drop();
    connection.become('resting');
  }, REST_AFTER);
});
window.addEventListener('online', () => { if (connection.phase === 'lost') connection.open(); });
$('retry').addEventListener('click', () => { if (connection.phase === 'lost') connection.open(); });

drawers.set('link', () => {
  const { phase, lostAt, retryAt, roundTrip, why } = connection;
  const isGate = phase === 'gate';
  const wasGate = !$('gate').hidden;
  document.body.dataset.phase = phase;
  $('gate').hidden = !isGate;
  $('board').hidden = isGate;
  $('skip').hidden = $('new-task').hidden = isGate;
  $('sign-out').hidden = isGate || !tab.get('token');
  $('new-task').disabled = phase !== 'live';
  if (isGate && !wasGate) $('token').focus();
  const words = { lost: 'reconnecting', gate: 'signed out' }[phase] ?? phase;
  setText($('link-text'), phase === 'live' && roundTrip !== undefined ? `live · ${lasting(roundTrip)}` : words);
  $('banner').hidden = phase !== 'lost';
  if (phase !== 'lost') return;
  const rest = retryAt === undefined ? 0 : Math.ceil((retryAt - Date.now()) / 1000);
  const when = rest > 0 ? `Trying again in ${rest} s.` : 'Trying now…';
  const seen = statusSeen ? `What you see is as of ${clock.format(lostAt)}.` : 'Nothing is known yet.';
  setText($('banner-text'), `${why || 'The server cannot be reached.'} ${seen} ${when}`);
});

$('token-form').addEventListener('submit', event => {
  event.preventDefault();
  const token = $('token').value.trim();
  if (!token) return;
  if (!/^[\w!#$%&'*+\-.^`|~]+$/.test(token)) {
    $('token-error').textContent = UNSENDABLE;
    return;
  }
  $('token').value = '';
  $('token-error').textContent = '';
  tab.set('token', token);
  connection.become('connecting');
  connection.open();
});
// A fresh page knows nothing any more of what this one has seen.
$('sign-out').addEventListener('click', () => {
  connection.drop();
  tab.set('token', undefined);
  history.replaceState(null, '', location.pathname);
  location.reload();
});
