// One task: what it is, how it ended, and how it came there.

const NO_SUCH_METHOD = -32601;
const detail = { task: undefined, steps: undefined, note: '', isAsked: false, isDue: false };
let cameFrom;

const showTask = id => {
  const hadFocus = $('detail').contains(document.activeElement);
  view.task = id;
  Object.assign(detail, { task: undefined, steps: undefined, note: id ? 'Loading…' : '' });
  draw('detail');
  if (id) {
    refreshDetail();
    return requestAnimationFrame(() => {
      $('detail').scrollTop = 0;
      if (areTasksKnown) $('detail-title').focus();
    });
  }
  const link = rows.get(cameFrom)?.link;
  if (hadFocus) requestAnimationFrame(() => (link ?? $('tasks-title')).focus());
};

// One question at a time, and what changes meanwhile is asked for again behind it.
const refreshDetail = async () => {
  const id = view.task;
  if (!id || connection.phase === 'gate') return;
  if (detail.isAsked) {
    detail.isDue = true;
    return;
  }
  detail.isAsked = true;
  cameFrom = id;
  const [task, timeline] = await Promise.allSettled([
    connection.call('get_task_status', { task_id: id }), connection.call('get_task_timeline', { task_id: id }),
  ]);
  detail.isAsked = false;
  if (view.task === id) takeDetail(task, timeline);
  if (detail.isDue || view.task !== id) {
    detail.isDue = false;
    setTimeout(refreshDetail, 100);
  }
};
const takeDetail = (task, timeline) => {
  if (task.status === 'fulfilled') {
    detail.task = task.value;
    detail.note = '';
    note(task.value);
  } else if (!task.reason.isLost || !detail.task) {
    detail.task = undefined;
    detail.note = task.reason.isLost ? 'Waiting for the connection…' : `${task.reason.message}.`;
  }
  if (timeline.status === 'fulfilled') detail.steps = timeline.value;
  else if (timeline.reason.code === NO_SUCH_METHOD) detail.steps = null;
  draw('detail');
  draw('rows');
};
connection.onLive.push(async () => { refreshDetail(); });

const fact = (name, value) => {
  const line = make('div');
  line.append(make('dt', '', name), make('dd', '', value));
  return line;
};
// Where it covers the rest, the rest cannot be reached behind it.
const covers = matchMedia('(max-width: 1080px)');
const coverRest = () => {
  const isCovered = Boolean(view.task) && covers.matches;
  for (const part of document.querySelectorAll('.top, .board > section, .skip')) part.inert = isCovered;
};
covers.addEventListener('change', coverRest);

drawers.set('detail', () => {
  coverRest();
  $('detail').hidden = !view.task;
  document.body.classList.toggle('has-detail', Boolean(view.task));
  setText($('detail-note'), detail.note);
  $('detail-note').hidden = !detail.note;
  const { task } = detail;
  $('detail-body').hidden = !task;
  if (!task) return;
  const hasEnded = ENDED.has(task.state);
  setAttribute($('detail-state'), 'data-state', task.state);
  setText($('detail-state'), task.state);
  drawTook();
  $('cancel').hidden = hasEnded;
  $('cancel').disabled = connection.phase !== 'live';
  setText($('detail-id'), task.task_id);
  setText($('detail-description'), asText(task.description));
  const outcome = task.error ?? task.result;
  $('outcome').hidden = outcome === undefined;
  setText($('outcome-title'), task.error === undefined ? 'Result' : 'Error');
  $('outcome').className = task.error === undefined ? '' : 'bad';
  setText($('outcome-text'), asText(outcome) + (task.truncated ? '\n… (cut)' : ''));
  const info = Object.entries(task.error_info ?? {}).map(([name, value]) => fact(capital(name), asText(value)));
  $('detail-facts').replaceChildren(
    fact('Type', task.type), fact('Executor', task.executor || '–'), fact('Model', task.model || '–'),
    fact('Complexity', String(task.complexity)), fact('Tries', String(task.attempts)),
    fact('Created', atTime(task.created_at)), fact('Changed', atTime(task.updated_at)), ...info);
  drawTimeline();
});

// Every second as well, while the task goes on.
const drawTook = () => {
  const { task } = detail;
  if (!task) return;
  const hasEnded = ENDED.has(task.state);
  const took = (hasEnded ? new Date(task.updated_at).getTime() : serverNow()) - new Date(task.created_at).getTime();
  setText($('detail-took'), hasEnded ? `after ${lasting(took)}` : `for ${roughly(took)} so far`);
};

const drawTimeline = () => {
  $('timeline-part').hidden = detail.steps === null;
  const steps = detail.steps?.steps ?? [];
  const starts = steps.map(step => new Date(step.at).getTime());
  const lengths = steps.map((step, index) => index + 1 < steps.length ? starts[index + 1] - starts[index]
    : ENDED.has(step.state) ? undefined : serverNow() - starts[index]);
  const longest = Math.max(1, ...lengths.filter(length => length !== undefined));
  $('timeline').replaceChildren(...steps.map((step, index) => {
    const line = make('li');
    const dot = make('span', 'dot');
    dot.dataset.state = step.state;
    dot.setAttribute('aria-hidden', 'true');
    const time = make('time', 'num', atTime(step.at));
    time.dateTime = step.at;
    const length = lengths[index];
    line.append(time, dot, make('span', 'name', step.state),
      make('span', 'num long', length === undefined ? '' : index + 1 < steps.length ? lasting(length) : 'now'));
    const words = [step.executor, step.model, step.cause].filter(Boolean).map(asText).join(' · ');
    if (words) line.append(make('span', 'cause', words));
    if (length !== undefined) {
      const bar = make('span', 'bar');
      bar.dataset.state = step.state;
      bar.style.width = `${Math.max(1, 100 * length / longest)}%`;
      line.append(bar);
    }
    return line;
  }));
  $('timeline-note').hidden = !detail.steps?.truncated;
  setText($('timeline-note'), 'Some steps in the middle are not kept.');
};

$('close-detail').addEventListener('click', () => look({ task: '' }, true));
document.addEventListener('keydown', event => {
  if (event.key === 'Escape' && view.task && !document.querySelector('dialog[open]')) {
    event.preventDefault();
    look({ task: '' }, true);
  }
});

// MARK: cancel

$('cancel').addEventListener('click', () => {
  if (!detail.task) return;
  $('confirm').dataset.task = detail.task.task_id;
  $('confirm-text').textContent = shortened(asText(detail.task.description), 200);
  $('confirm').showModal();
  $('confirm-no').focus();
});
$('confirm-no').addEventListener('click', () => $('confirm').close());
$('confirm-yes').addEventListener('click', async () => {
  $('confirm').close();
  try {
    note(await connection.call('cancel_task', { task_id: $('confirm').dataset.task }));
    say('The task is cancelled.');
  } catch (error) {
    say(`It is not cancelled: ${error.message}`);
  }
  refreshDetail();
  draw('rows');
});

// MARK: create

// The same key for the same text, so that sending it again after a lost answer makes no second task.
let creation = { key: '', text: '' };
const newKey = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
};

$('new-task').addEventListener('click', () => {
  $('create-error').textContent = '';
  $('create').showModal();
  $('description').focus();
});
$('create-no').addEventListener('click', () => $('create').close());
$('create-form').addEventListener('submit', async event => {
  event.preventDefault();
  const description = $('description').value;
  const type = $('type').value;
  if (!description.trim()) {
    $('create-error').textContent = 'Say what is to be done.';
    return $('description').focus();
  }
  const text = `${type}\n${description}`;
  if (creation.text !== text) creation = { key: newKey(), text };
  $('create-yes').disabled = true;
  $('create-error').textContent = '';
  try {
    const params = { description, type, wait: false, idempotency_key: creation.key };
    const answer = await connection.call('create_task', params);
    creation = { key: '', text: '' };
    $('description').value = '';
    $('create').close();
    say('The task is created.');
    look({ task: answer.task_id }, true);
  } catch (error) {
    $('create-error').textContent = error.isLost
      ? `${error.message} Sending it again is safe: it becomes one task.` : error.message;
  } finally {
    $('create-yes').disabled = false;
  }
});
$('description').addEventListener('keydown', event => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) $('create-form').requestSubmit();
});
