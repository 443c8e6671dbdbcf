// How many tasks end, and how long they took: from what is told while the page is open, and from the tasks
// it loaded at its beginning.

const SPANS = {
  '5m': { step: 5000, words: '5 min', each: 'a bar is 5 s' },
  '1h': { step: 60_000, words: '1 hour', each: 'a bar is a minute' },
};
const BARS = 60;
const MAX_TIMES = 256;
let span = '5m';
// By span, then by number of the interval since 1970: what ended in it.
const ends = { '5m': new Map(), '1h': new Map() };
let plotted = '';
let endsCounted = 0;

const countEnd = (state, at, took) => {
  endsCounted += 1;
  for (const [name, { step }] of Object.entries(SPANS)) {
    const place = Math.floor(at / step);
    const now = Math.floor(serverNow() / step);
    if (place <= now - BARS || place > now + 1) continue;
    let bar = ends[name].get(place);
    if (!bar) ends[name].set(place, bar = { completed: 0, failed: 0, cancelled: 0, times: [], seen: 0 });
    bar[state] += 1;
    if (state === 'cancelled') continue;
    // A fair sample of bounded size.
    bar.seen += 1;
    if (bar.times.length < MAX_TIMES) bar.times.push(took);
    else {
      const place = Math.floor(Math.random() * bar.seen);
      if (place < MAX_TIMES) bar.times[place] = took;
    }
  }
  draw('plots');
};

const share = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
const none = { completed: 0, failed: 0, cancelled: 0, times: [] };
const barsNow = () => {
  const { step } = SPANS[span];
  const last = Math.floor(serverNow() / step);
  for (const place of ends[span].keys()) if (place <= last - BARS) ends[span].delete(place);
  return Array.from({ length: BARS }, (_, index) => {
    const place = last - BARS + 1 + index;
    const bar = ends[span].get(place) ?? none;
    const sorted = bar.times.slice().sort((a, b) => a - b);
    return {
      ...bar, at: place * step, all: bar.completed + bar.failed + bar.cancelled,
      p50: sorted.length ? share(sorted, 0.5) : undefined, p95: sorted.length ? share(sorted, 0.95) : undefined,
    };
  });
};

const LEFT = 54;
const BOTTOM = 18;
const TOP = 6;
const frame = (target, bars) => {
  const width = Math.max(240, target.clientWidth);
  const height = target.clientHeight || 150;
  setAttribute(target, 'viewBox', `0 0 ${width} ${height}`);
  const slot = (width - LEFT) / BARS;
  const floor = height - BOTTOM;
  const parts = [];
  const line = (y, label) => parts.push(
    svg('line', { x1: LEFT, x2: width, y1: y, y2: y, class: 'grid' }),
    svg('text', { x: LEFT - 6, y: y + 4, class: 'label end' }, label));
  const half = new Date(bars[BARS / 2].at);
  parts.push(
    svg('text', { x: LEFT, y: height - 3, class: 'label' }, clockShort.format(bars[0].at)),
    svg('text', { x: LEFT + (width - LEFT) / 2, y: height - 3, class: 'label middle' }, clockShort.format(half)),
    svg('text', { x: width, y: height - 3, class: 'label end' }, 'now'));
  if (bars.every(bar => bar.all === 0)) {
    const middle = { x: LEFT + (width - LEFT) / 2, y: height / 2, class: 'label middle nothing' };
    const text = areTasksKnown ? `No task has ended in the last ${SPANS[span].words}.` : 'Waiting for the tasks…';
    parts.push(
      svg('line', { x1: LEFT, x2: width, y1: floor, y2: floor, class: 'grid' }), svg('text', middle, text));
    target.replaceChildren(...parts);
    return undefined;
  }
  return { parts, line, slot, floor };
};
const ceiling = value => {
  const unit = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  // Even, for half of it is a line as well.
  return [1, 2, 4, 5, 10].map(factor => factor * unit).find(each => each >= value && each % 2 === 0) ?? value;
};

const drawThroughput = bars => {
  const made = frame($('throughput'), bars);
  if (!made) return;
  const { parts, line, slot, floor } = made;
  const top = Math.max(2, ceiling(Math.max(...bars.map(bar => bar.all))));
  const y = value => floor - (floor - TOP) * value / top;
  for (const value of [0, top / 2, top]) line(y(value), number(value));
  bars.forEach((bar, index) => {
    let base = 0;
    for (const state of ['completed', 'failed', 'cancelled']) {
      if (!bar[state]) continue;
      const height = y(base) - y(base + bar[state]);
      parts.push(svg('rect', {
        x: LEFT + index * slot + slot * 0.12, width: slot * 0.76, y: y(base + bar[state]),
        height: Math.max(1, height), class: state,
      }));
      base += bar[state];
    }
  });
  $('throughput').replaceChildren(...parts);
};

// From a millisecond to days on one axis: a task that waited for the end of an outage does not hide the others.
const STEPS = [1, 10, 100, 1000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000, 360_000_000];
const LABELS = ['1 ms', '10 ms', '100 ms', '1 s', '10 s', '1 min', '10 min', '1 h', '10 h', '4 d'];
const drawLatency = bars => {
  const made = frame($('latency'), bars);
  if (!made) return;
  const { parts, line, slot, floor } = made;
  const values = bars.flatMap(bar => bar.p50 === undefined ? [] : [bar.p50, bar.p95]).map(each => Math.max(1, each));
  const low = Math.max(0, STEPS.findLastIndex(step => step <= Math.min(1000, ...values)));
  const found = STEPS.findIndex(step => step >= Math.max(STEPS[low] * 10, ...values));
  const high = found < 0 ? STEPS.length - 1 : Math.max(found, low + 1);
  const [bottom, top] = [Math.log10(STEPS[low]), Math.log10(STEPS[high])];
  const y = value => {
    const part = (Math.log10(Math.max(1, value)) - bottom) / (top - bottom);
    return floor - (floor - TOP) * Math.min(1, Math.max(0, part));
  };
  for (let step = low; step <= high; step += 1) line(y(STEPS[step]), LABELS[step]);
  for (const name of ['p95', 'p50']) {
    let path = '';
    let isDown = false;
    bars.forEach((bar, index) => {
      if (bar[name] === undefined) {
        isDown = false;
        return;
      }
      const [x, at] = [LEFT + (index + 0.5) * slot, y(bar[name])];
      path += `${isDown ? 'L' : 'M'}${x.toFixed(1)} ${at.toFixed(1)}`;
      isDown = true;
      parts.push(svg('circle', { cx: x, cy: at, r: 2, class: name }));
    });
    if (path) parts.push(svg('path', { d: path, class: name }));
  }
  $('latency').replaceChildren(...parts);
};

// MARK: what the figures say, of all or of the interval under the pointer

let pointed;
const count = (figure, word) => figure ? `${number(figure)} ${word}` : '';
const words = bar => ['completed', 'failed', 'cancelled']
  .map(state => count(bar[state], state)).filter(Boolean).join(' · ') || 'none ended';
const within = (p50, p95) => p50 === undefined
  ? 'none ended' : `half within ${lasting(p50)} · 95 % within ${lasting(p95)}`;

drawers.set('plots', () => {
  const bars = barsNow();
  const widths = [$('throughput').clientWidth, $('latency').clientWidth];
  const key = [span, areTasksKnown, bars[0].at, endsCounted, ...widths].join();
  if (key !== plotted) {
    plotted = key;
    drawThroughput(bars);
    drawLatency(bars);
  }
  const sum = name => bars.reduce((all, bar) => all + bar[name], 0);
  const whole = { completed: sum('completed'), failed: sum('failed'), cancelled: sum('cancelled') };
  const sorted = bars.flatMap(bar => bar.times).sort((a, b) => a - b);
  const spread = sorted.length ? within(share(sorted, 0.5), share(sorted, 0.95)) : within();
  const { words: length, each } = SPANS[span];
  setAttribute($('throughput'), 'aria-label', `Tasks that ended in the last ${length}: ${words(whole)}`);
  setAttribute($('latency'), 'aria-label', `From created to ended, tasks of the last ${length}: ${spread}`);
  if (!areTasksKnown) return;
  const bar = pointed === undefined ? undefined : bars[pointed];
  const time = bar && clock.format(bar.at);
  setText($('throughput-figure'), bar ? `${time}: ${words(bar)}` : `${words(whole)} in ${length}; ${each}`);
  setText($('latency-figure'), bar ? `${time}: ${within(bar.p50, bar.p95)}` : spread);
});

for (const id of ['throughput', 'latency']) {
  $(id).addEventListener('pointermove', event => {
    const { left, width } = $(id).getBoundingClientRect();
    const place = Math.floor((event.clientX - left - LEFT) / ((width - LEFT) / BARS));
    pointed = place >= 0 && place < BARS ? place : undefined;
    draw('plots');
  });
  $(id).addEventListener('pointerleave', () => {
    pointed = undefined;
    draw('plots');
  });
}
for (const button of document.querySelectorAll('[data-span]')) {
  button.addEventListener('click', () => {
    span = button.dataset.span;
    for (const each of document.querySelectorAll('[data-span]')) {
      setAttribute(each, 'aria-pressed', String(each === button));
    }
    draw('plots');
  });
}
new ResizeObserver(() => draw('plots')).observe($('throughput'));
