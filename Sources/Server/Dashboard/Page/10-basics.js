// What every part needs: elements, times, figures, and what is said aloud.

const $ = id => document.getElementById(id);
const STATES = ['idle', 'dispatching', 'executing', 'waiting', 'completed', 'failed', 'cancelled'];
const ENDED = new Set(['completed', 'failed', 'cancelled']);

// Data becomes text, never markup.
const make = (tag, className = '', text = '') => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== '') element.textContent = text;
  return element;
};
const svg = (tag, attributes, text) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
};
// Writes only what has changed: a screen reader is not told the same thing again.
const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};
const setAttribute = (element, name, value) => {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
};
const capital = text => text.charAt(0).toUpperCase() + text.slice(1);
const asText = value => typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
const shortened = (text, length) => text.length > length ? `${text.slice(0, length - 1)}…` : text;

// 842 ms, 3.2 s, 4 min 05 s, 2 h 10 min, 3 d 4 h.
const lasting = ms => {
  if (!Number.isFinite(ms)) return '–';
  const whole = Math.max(0, ms);
  if (whole < 1000) return `${Math.round(whole)} ms`;
  if (whole < 59_950) return `${(whole / 1000).toFixed(1)} s`;
  const seconds = Math.round(whole / 1000);
  const two = number => String(number).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor(minutes / 60) % 24} h`;
};
const roughly = ms => ms < 60_000 ? `${Math.max(0, Math.floor(ms / 1000))} s` : lasting(ms);

// The server's clock counts, for its times stand on the page: how far it is ahead of this browser's.
let clockAhead = 0;
const serverNow = () => Date.now() + clockAhead;

const hours = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
const clock = new Intl.DateTimeFormat(undefined, { ...hours, second: '2-digit' });
const clockShort = new Intl.DateTimeFormat(undefined, hours);
const day = new Intl.DateTimeFormat(undefined, { day: '2-digit', month: 'short' });
const atTime = text => {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return '–';
  const isToday = day.format(time) === day.format(new Date(serverNow()));
  return isToday ? clock.format(time) : `${day.format(time)} ${clock.format(time)}`;
};
const number = new Intl.NumberFormat('en').format;

// Told to people who look and to those who listen.
let toastTimer;
const say = (text, isShown = true) => {
  $('said').textContent = text;
  if (!isShown) return;
  $('toast').textContent = text;
  $('toast').hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $('toast').hidden = true; }, 5000);
};

// Everything that changes between two frames is drawn once.
const drawers = new Map();
const dirty = new Set();
let isFrameAsked = false;
const draw = name => {
  dirty.add(name);
  if (isFrameAsked) return;
  isFrameAsked = true;
  requestAnimationFrame(() => {
    isFrameAsked = false;
    const names = Array.from(dirty);
    dirty.clear();
    for (const each of names) drawers.get(each)();
  });
};

// A browser may refuse to keep anything; then this tab's memory has to do.
const kept = (storage => ({
  get(name) { try { return window[storage].getItem(name) ?? this[name]; } catch { return this[name]; } },
  set(name, value) {
    this[name] = value;
    try {
      if (value === undefined) window[storage].removeItem(name); else window[storage].setItem(name, value);
    } catch { /* it is in memory */ }
  },
}));
const tab = kept('sessionStorage');
const browser = kept('localStorage');
