// The tasks this page knows, and the table of those that are looked for.

const MAX_TASKS = 2000;
const PAGE_SIZE = 500;
const ROWS_STEP = 50;

const tasks = new Map();
// Where the list goes on, by the state that was asked for ('' is all): a cursor, or null at its end.
const cursors = new Map();
const view = { task: '', state: '', q: '', rows: ROWS_STEP, isHeld: false };
let isLoading = false;
let areTasksKnown = false;
let arrivals = 0;

// Keeps what the table needs of a task; text of any length is cut.
const note = task => {
  const known = tasks.get(task.task_id);
  const updated = new Date(task.updated_at).getTime();
  const hasEnded = ENDED.has(task.state);
  if (known && (known.updated > updated || (known.hasEnded && !hasEnded))) return;
  const created = new Date(task.created_at).getTime();
  const entry = known ?? { id: task.task_id, order: ++arrivals };
  if (hasEnded && !entry.hasEnded) countEnd(task.state, updated, updated - created);
  Object.assign(entry, {
    description: shortened(asText(task.description), 400), type: asText(task.type), state: asText(task.state),
    executor: asText(task.executor), model: asText(task.model), attempts: Number(task.attempts) || 0,
    error: shortened(asText(task.error), 200), createdAt: asText(task.created_at), created, updated, hasEnded,
  });
  entry.found = [entry.id, entry.description, entry.type, entry.executor, entry.model, entry.error]
    .join('\n').toLowerCase();
  tasks.set(entry.id, entry);
  if (tasks.size > MAX_TASKS * 1.1) dropOldest();
};

// Newest first, as list_tasks has them.
const byAge = (a, b) => b.created - a.created || b.order - a.order;
const dropOldest = () => {
  const droppable = Array.from(tasks.values()).filter(entry => entry.id !== view.task)
    .sort((a, b) => Number(b.hasEnded) - Number(a.hasEnded) || a.created - b.created);
  for (const entry of droppable.slice(0, tasks.size - MAX_TASKS)) tasks.delete(entry.id);
};

const load = async state => {
  const cursor = cursors.get(state);
  if (cursor === null) return [];
  const params = { limit: PAGE_SIZE };
  if (state) params.state = state;
  if (cursor) params.cursor = cursor;
  const answer = await connection.call('list_tasks', params);
  // The oldest arrive last and have to stand last.
  for (const task of answer.tasks.slice().reverse()) note(task);
  cursors.set(state, answer.next_cursor ?? null);
  draw('rows');
  return answer.tasks;
};

// What was unfinished when the connection was lost may be anything by now, unless the list tells it.
connection.onLive.push(async () => {
  cursors.clear();
  const told = new Set((await load('')).map(task => task.task_id));
  if (view.state) for (const task of await load(view.state)) told.add(task.task_id);
  for (const entry of tasks.values()) if (!entry.hasEnded && !told.has(entry.id)) tasks.delete(entry.id);
  areTasksKnown = true;
  draw('rows');
  draw('plots');
});
connection.onNotification.set('task_changed', ({ task }) => {
  if (!task) return;
  note(task);
  draw('rows');
  if (task.task_id === view.task) refreshDetail();
  askStatus().catch(() => {});
});

// MARK: what is looked for, kept in the address

const hashOf = wanted => {
  const parts = new URLSearchParams();
  for (const name of ['task', 'state', 'q']) if (wanted[name]) parts.set(name, wanted[name]);
  return `#${parts}`;
};
const look = (change, isStep = false) => {
  const hash = hashOf({ ...view, ...change });
  if (isStep) location.hash = hash;
  else {
    history.replaceState(null, '', hash);
    readHash();
  }
};
const readHash = () => {
  const parts = new URLSearchParams(location.hash.slice(1));
  const state = STATES.includes(parts.get('state')) ? parts.get('state') : '';
  const q = (parts.get('q') ?? '').slice(0, 200);
  const task = (parts.get('task') ?? '').slice(0, 100);
  if (state !== view.state || q !== view.q) view.rows = ROWS_STEP;
  const isOther = state !== view.state;
  Object.assign(view, { state, q });
  if ($('search').value !== q) $('search').value = q;
  if (isOther && state && !cursors.has(state) && connection.phase === 'live') loadMore();
  if (task !== view.task) showTask(task);
  draw('rows');
};
const loadMore = async () => {
  if (isLoading) return;
  isLoading = true;
  draw('rows');
  try {
    await load(view.state);
  } catch (error) {
    say(`Older tasks cannot be had: ${error.message}`);
  } finally {
    isLoading = false;
    draw('rows');
  }
};

window.addEventListener('hashchange', readHash);
$('search').addEventListener('input', () => look({ q: $('search').value }));
$('pause').addEventListener('click', () => {
  view.isHeld = !view.isHeld;
  setAttribute($('pause'), 'aria-pressed', String(view.isHeld));
  setText($('pause'), view.isHeld ? 'Go on' : 'Hold still');
  draw('rows');
});
$('more').addEventListener('click', () => {
  view.rows += ROWS_STEP;
  if (found().length < view.rows && cursors.get(view.state)) loadMore();
  draw('rows');
});
$('skip').addEventListener('click', event => {
  event.preventDefault();
  $('tasks-title').focus();
});

const found = () => {
  const words = view.q.toLowerCase().split(/\s+/).filter(Boolean);
  return Array.from(tasks.values())
    .filter(entry => (!view.state || entry.state === view.state) && words.every(word => entry.found.includes(word)))
    .sort(byAge);
};

// MARK: the table

const rows = new Map();
const newRow = entry => {
  const row = make('tr');
  const cells = ['state', 'task', 'mid', 'mid', 'num mid', 'num', 'num'].map(name => make('td', name));
  const dot = make('span', 'dot');
  dot.setAttribute('aria-hidden', 'true');
  const word = make('span');
  cells[0].append(dot, word);
  const link = make('a');
  const error = make('span', 'reason');
  cells[1].append(link, error);
  row.append(...cells);
  row.addEventListener('click', event => {
    if (!event.target.closest('a') && String(getSelection()) === '') link.click();
  });
  return { row, cells, dot, word, link, error, entry };
};
const fill = ({ row, cells, dot, word, link, error, entry }) => {
  setAttribute(dot, 'data-state', entry.state);
  setText(word, entry.state);
  setText(link, entry.description || '(no description)');
  setAttribute(link, 'href', hashOf({ ...view, task: entry.id }));
  const isChosen = entry.id === view.task;
  row.classList.toggle('chosen', isChosen);
  if (isChosen) link.setAttribute('aria-current', 'true'); else link.removeAttribute('aria-current');
  setText(error, entry.error);
  setText(cells[2], entry.type);
  setText(cells[3], entry.model || entry.executor || '–');
  setText(cells[4], String(entry.attempts));
  setText(cells[5], atTime(entry.createdAt));
  const took = entry.hasEnded ? lasting(entry.updated - entry.created) : roughly(serverNow() - entry.created);
  setText(cells[6], took);
  cells[6].classList.toggle('running', !entry.hasEnded);
};

drawers.set('rows', () => {
  drawStates();
  if (view.isHeld) {
    // What is there goes on, in its place; what is new waits.
    for (const each of rows.values()) fill(each);
    return;
  }
  const all = found();
  const shown = all.slice(0, view.rows);
  const wanted = new Set(shown.map(entry => entry.id));
  for (const [id, each] of rows) {
    if (wanted.has(id)) continue;
    each.row.remove();
    rows.delete(id);
  }
  const body = $('rows');
  shown.forEach((entry, index) => {
    let each = rows.get(entry.id);
    if (!each) rows.set(entry.id, each = newRow(entry));
    each.entry = entry;
    fill(each);
    if (body.children[index] !== each.row) body.insertBefore(each.row, body.children[index] ?? null);
  });
  drawCount(all.length, shown.length);
});

const total = () => Object.values(status?.tasks ?? {}).reduce((sum, count) => sum + count, 0);
const drawCount = (matching, shown) => {
  const parts = view.q || view.state
    ? [`${number(matching)} of ${number(tasks.size)} loaded`] : [`${number(tasks.size)} loaded`];
  if (status) parts.push(`${number(total())} in all`);
  setText($('count'), areTasksKnown ? parts.join(' · ') : '');
  const hasOlder = Boolean(cursors.get(view.state));
  $('more').hidden = shown === matching && !hasOlder;
  $('more').disabled = isLoading || (shown === matching && connection.phase !== 'live');
  setText($('more'), isLoading ? 'Loading…' : shown < matching ? 'Show more' : 'Load older tasks');
  $('empty').hidden = matching > 0;
  if (matching > 0) return;
  const isID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(view.q.trim());
  setEmpty(!areTasksKnown ? 'Waiting for the tasks…'
    : isLoading ? 'Loading…'
    : isID ? 'No task that is loaded has this id.'
    : view.q ? `Nothing that is loaded matches “${view.q}”.`
    : view.state ? `No task is ${view.state}.`
    : 'No tasks yet. What is created here or by any client appears at once.', isID);
};
const setEmpty = (text, isID) => {
  const key = text + view.q + view.state;
  if ($('empty').dataset.key === key) return;
  $('empty').dataset.key = key;
  $('empty').replaceChildren(make('span', '', text));
  const add = (words, action) => {
    const button = make('button', '', words);
    button.type = 'button';
    button.addEventListener('click', action);
    $('empty').append(button);
  };
  if (isID) add('Open it', () => look({ task: view.q.trim().toLowerCase(), q: '' }, true));
  if (areTasksKnown && (view.q || view.state)) add('Show all', () => look({ q: '', state: '' }));
};

const stateButtons = ['', ...STATES].map(state => {
  const button = make('button');
  button.type = 'button';
  const dot = make('span', 'dot');
  dot.setAttribute('aria-hidden', 'true');
  if (state) dot.dataset.state = state;
  button.append(dot, make('span', 'name', state || 'all'), make('span', 'num', '–'));
  button.addEventListener('click', () => look({ state: view.state === state ? '' : state }));
  $('states').append(button);
  return { state, button };
});
const drawStates = () => {
  for (const { state, button } of stateButtons) {
    setAttribute(button, 'aria-pressed', String(view.state === state));
    const count = status ? state ? status.tasks?.[state] ?? 0 : total() : undefined;
    setText(button.lastChild, count === undefined ? '–' : number(count));
    button.classList.toggle('zero', count === 0);
  }
};
