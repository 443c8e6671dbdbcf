// The state of the system, its history, and what it depends on.

const ABOUT = {
  normal: 'LiteLLM answers: tasks go through it.',
  degraded: 'LiteLLM does not answer: tasks go to the direct API.',
  brainstem: 'Neither LiteLLM nor the cloud answers: tasks wait until one of them is back.',
};
const STATUS_EVERY = 2000;
const PING_EVERY = 5000;

let status;
let statusSeen = false;
let statusAt = 0;
let isStatusAsked = false;
let isStatusDue = false;

// One question at a time; what changes meanwhile is asked for again behind it, twice a second at most.
const askStatus = async () => {
  if (isStatusAsked) {
    isStatusDue = true;
    return;
  }
  isStatusAsked = true;
  try {
    takeStatus(await connection.call('system_status'));
  } finally {
    setTimeout(() => {
      isStatusAsked = false;
      if (!isStatusDue) return;
      isStatusDue = false;
      askStatus().catch(() => {});
    }, 400);
  }
};

const takeStatus = answer => {
  const before = status?.system_state;
  status = answer;
  statusSeen = true;
  statusAt = Date.now();
  tellState(before, status.system_state);
  draw('status');
  draw('rows');
};
const tellState = (before, now) => {
  if (before && before !== now) say(`The system is ${now}.`);
};

connection.onLive.push(askStatus);
connection.onNotification.set('system_changed', change => {
  if (status) {
    tellState(status.system_state, change.system_state);
    status.system_state = change.system_state;
    status.since = change.since;
    draw('status');
  }
  askStatus().catch(() => {});
});

const measure = async () => {
  const begun = performance.now();
  try {
    await connection.call('ping');
    connection.roundTrip = performance.now() - begun;
    draw('link');
    draw('status');
  } catch (error) {
    if (connection.phase === 'live' && error.isLost) connection.lose('The server has stopped answering.');
  }
};
connection.onLive.push(measure);

let lastPing = 0;
setInterval(() => {
  if (document.hidden) return;
  if (connection.phase === 'lost') draw('link');
  if (connection.phase !== 'live') return;
  const now = Date.now();
  if (now - statusAt >= STATUS_EVERY) askStatus().catch(() => {});
  if (now - lastPing >= PING_EVERY) {
    lastPing = now;
    measure();
  }
  draw('rows');
  draw('plots');
  drawTook();
}, 1000);

drawers.set('status', () => {
  if (!status) return;
  const state = status.system_state;
  setText($('state'), capital(state));
  setAttribute($('state'), 'data-state', state);
  const since = serverNow() - new Date(status.since).getTime();
  setText($('state-about'), `${ABOUT[state] ?? ''} Since ${atTime(status.since)}, ${roughly(since)} ago.`);
  document.title = `${state === 'normal' ? '' : `${capital(state)} · `}Omni-Orchestrator`;
  setText($('uptime'), roughly(status.uptime_s * 1000 + Date.now() - statusAt));
  setText($('version'), asText(status.version));
  setText($('round-trip'), lasting(connection.roundTrip));
  drawUpstreams();
  drawHistory();
});

const upstreamLine = (name, isWell, words, more) => {
  const line = make('li', isWell ? 'well' : 'ill');
  const dot = make('span', 'dot');
  dot.setAttribute('aria-hidden', 'true');
  line.append(dot, make('span', 'name', name), make('span', 'words', words));
  if (more) line.append(make('span', 'checked', more));
  return line;
};
const times = count => count === 1 ? '1 failure in a row' : `${number(count)} failures in a row`;

const drawUpstreams = () => {
  const lines = [['LiteLLM', status.litellm], ['Cloud', status.cloud]].filter(([, upstream]) => upstream)
    .map(([name, { healthy, consecutive_failures: failures, checked_at: checked }]) => upstreamLine(
      name, healthy, healthy ? 'answers' : 'does not answer',
      [failures ? times(failures) : '', checked ? `checked ${atTime(checked)}` : ''].filter(Boolean).join(' · ')));
  for (const [name, executor] of Object.entries(status.executors ?? {}).slice(0, 50)) {
    const words = executor.connected ? 'connected' : 'not connected';
    const parts = [`${number(executor.running)} running`, executor.failures ? times(executor.failures) : ''];
    lines.push(upstreamLine(name, executor.connected, words, parts.filter(Boolean).join(' · ')));
  }
  const text = lines.map(line => line.textContent).join('\n');
  if ($('upstreams').dataset.text === text) return;
  $('upstreams').dataset.text = text;
  $('upstreams').replaceChildren(...lines);
};

// The strip shows how long, the list when and why; newest first, as somebody asks for it.
const drawHistory = () => {
  const entries = Array.isArray(status.history) ? status.history.slice(-50) : [];
  $('history-part').hidden = entries.length === 0;
  if (entries.length === 0) return;
  const now = serverNow();
  const lengths = entries.map((entry, index) => {
    const end = index + 1 < entries.length ? new Date(entries[index + 1].at).getTime() : now;
    return Math.max(0, end - new Date(entry.at).getTime());
  });
  const parts = entries.map((entry, index) => {
    const part = make('span');
    part.dataset.state = entry.state;
    part.style.flexGrow = String(Math.max(1, lengths[index] / 1000));
    part.title = `${entry.state}, ${atTime(entry.at)}, for ${roughly(lengths[index])}`;
    return part;
  });
  $('strip').replaceChildren(...parts);
  const sum = values => values.reduce((all, each) => all + each, 0);
  const away = sum(lengths.filter((_, index) => entries[index].state !== 'normal'));
  setAttribute($('strip'), 'aria-label',
    `Since ${atTime(entries[0].at)}: ${roughly(away)} of ${roughly(sum(lengths))} not normal`);
  setText($('strip-from'), atTime(entries[0].at));
  const lines = entries.map((entry, index) => {
    const line = make('li');
    const dot = make('span', 'dot');
    dot.dataset.state = entry.state;
    dot.setAttribute('aria-hidden', 'true');
    const time = make('time', 'num', atTime(entry.at));
    time.dateTime = entry.at;
    line.append(time, dot, make('span', 'name', entry.state), make('span', 'cause', asText(entry.cause)),
      make('span', 'num long', index + 1 < entries.length ? roughly(lengths[index]) : 'now'));
    return line;
  }).reverse();
  const text = lines.map(line => line.textContent).join('\n');
  if ($('history').dataset.text === text) return;
  $('history').dataset.text = text;
  $('history').replaceChildren(...lines);
  // What is longer than its frame can be scrolled by keyboard.
  if (lines.length > 5) $('history').tabIndex = 0; else $('history').removeAttribute('tabindex');
};
