/// What the page can do beyond being read. It only looks at the page itself: nothing that came over
/// a wire ever becomes a script or markup.
enum PageScript {
  /// Runs before anything is shown, so that nothing jumps.
  static let early = Markup(
    own: """

      document.documentElement.classList.add('script');
      try {
        const theme = localStorage.getItem('omni-report-theme');
        if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
      } catch (error) { /* a page of a file may have no storage */ }

      """)

  static let text = "(() => {\n'use strict';" + helpers + filtering + walking + buttons + "})();\n" as Markup

  private static let helpers = Markup(
    own: """

      const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
      const id = name => document.getElementById(name);
      const cases = all('.case');
      const counted = count => count + (count === 1 ? ' case' : ' cases');

      """)

  private static let filtering = Markup(
    own: """

      const search = id('search'), suite = id('suite'), level = id('level');
      const pressed = (group, key) =>
        all(group + ' .filter[aria-pressed=true]').map(button => button.dataset[key]);
      function apply() {
        const verdicts = pressed('#cases', 'verdict');
        const words = search.value.toLowerCase().split(' ').filter(Boolean);
        let shown = 0;
        for (const one of cases) {
          const data = one.dataset;
          const fits = (verdicts.length === 0 || verdicts.includes(data.verdict))
            && (suite.value === '' || suite.value === data.suite)
            && (level.value === '' || level.value === data.level)
            && words.every(word => data.text.includes(word));
          one.hidden = !fits;
          if (fits) shown += 1;
        }
        id('shown').textContent = shown === cases.length
          ? counted(shown) : counted(shown) + ' of ' + cases.length;
        id('no-cases').hidden = shown > 0;
      }
      function clear() {
        search.value = ''; suite.value = ''; level.value = '';
        all('#cases .filter').forEach(button => button.setAttribute('aria-pressed', 'false'));
        apply();
      }
      function applyStatus() {
        const statuses = pressed('#requirements', 'status');
        all('.matrix tbody tr').forEach(row => {
          row.hidden = statuses.length > 0 && !statuses.includes(row.dataset.status);
        });
      }
      all('.filter').forEach(button => button.addEventListener('click', () => {
        button.setAttribute('aria-pressed', String(button.getAttribute('aria-pressed') !== 'true'));
        if (button.dataset.verdict) apply(); else applyStatus();
      }));
      search.addEventListener('input', apply);
      suite.addEventListener('change', apply);
      level.addEventListener('change', apply);
      id('clear').addEventListener('click', () => { clear(); search.focus(); });
      document.querySelector('.toolbar').addEventListener('submit', event => event.preventDefault());
      apply();
      applyStatus();

      """)

  private static let walking = Markup(
    own: """

      function follow() {
        const name = decodeURIComponent(location.hash.slice(1));
        const target = name && id(name);
        if (!target) return;
        if (target.classList.contains('case')) {
          if (target.hidden) clear();
          target.open = true;
          target.scrollIntoView({ block: 'start' });
          target.querySelector('summary').focus({ preventScroll: true });
        } else if (target.tagName === 'TR' && target.hidden) {
          all('#requirements .filter').forEach(button => button.setAttribute('aria-pressed', 'false'));
          applyStatus();
          target.scrollIntoView({ block: 'center' });
        }
      }
      addEventListener('hashchange', follow);
      // The same link a second time changes no address.
      document.addEventListener('click', event => {
        const link = event.target.closest('a[href^="#"]');
        if (link && link.getAttribute('href') === location.hash) follow();
      });
      follow();
      // The browser goes to the address once more when all is there, and would take the focus away.
      addEventListener('load', () => requestAnimationFrame(follow));
      function step(by) {
        const visible = cases.filter(one => !one.hidden);
        const here = visible.findIndex(one => one.contains(document.activeElement));
        const next = visible[here < 0 ? (by > 0 ? 0 : visible.length - 1) : here + by];
        if (!next) return;
        const summary = next.querySelector('summary');
        summary.focus({ preventScroll: true });
        summary.scrollIntoView({ block: 'nearest' });
      }
      document.addEventListener('keydown', event => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const isTyping = event.target.matches('input, select, textarea');
        if (event.key === 'Escape' && event.target === search) { clear(); search.blur(); }
        if (isTyping) return;
        if (event.key === '/') { event.preventDefault(); search.focus(); search.select(); }
        if (event.key === 'j') step(1);
        if (event.key === 'k') step(-1);
      });

      """)

  private static let buttons = Markup(
    own: """

      id('theme').addEventListener('click', () => {
        const root = document.documentElement;
        const now = root.dataset.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
        root.dataset.theme = now === 'dark' ? 'light' : 'dark';
        try { localStorage.setItem('omni-report-theme', root.dataset.theme); } catch (error) { /* as above */ }
      });
      all('.copy').forEach(button => button.addEventListener('click', async () => {
        const code = button.parentElement.querySelector('code');
        try {
          await navigator.clipboard.writeText(code.textContent);
          button.textContent = 'Copied';
        } catch (error) {
          // Without the right to the clipboard the reader copies what is selected.
          getSelection().selectAllChildren(code);
          button.textContent = 'Selected';
        }
        setTimeout(() => { button.textContent = 'Copy'; }, 2000);
      }));
      let opened = [];
      addEventListener('beforeprint', () => {
        opened = all('.case.bad:not([open])');
        opened.forEach(one => { one.open = true; });
      });
      addEventListener('afterprint', () => opened.forEach(one => { one.open = false; }));

      """)
}
