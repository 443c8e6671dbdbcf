// Colours, and off it goes.

const THEMES = { auto: ['Auto', 'as the system'], light: ['Light', 'light'], dark: ['Dark', 'dark'] };
let theme = browser.get('theme');
if (!(theme in THEMES)) theme = 'auto';
const showTheme = () => {
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  setText($('theme'), `◐ ${THEMES[theme][0]}`);
  setAttribute($('theme'), 'aria-label', `Colours: ${THEMES[theme][1]}`);
};
$('theme').addEventListener('click', () => {
  const names = Object.keys(THEMES);
  theme = names[(names.indexOf(theme) + 1) % names.length];
  browser.set('theme', theme);
  showTheme();
});

showTheme();
setText($('where'), location.host);
readHash();
for (const name of ['link', 'rows', 'plots', 'detail']) draw(name);
connection.open();
