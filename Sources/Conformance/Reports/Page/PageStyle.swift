/// How the page looks. Colours are chosen for a contrast of 4.5 and more (WCAG 2.2, 1.4.3) on every
/// ground they stand on, dark and light.
enum PageStyle {
  static let text = base + summary + cases + details + tables + small

  private static let base = Markup(
    own: """

      :root { color-scheme: light dark; --ground: light-dark(#f6f8fa, #0d1117); --card: light-dark(#fff, #161b22);
        --ink: light-dark(#1f2328, #e6edf3); --soft: light-dark(#57606a, #9aa4ae);
        --line: light-dark(#d0d7de, #30363d); --link: light-dark(#0a58ca, #6cb0ff);
        --good: light-dark(#116329, #56d364); --good-ground: light-dark(#e3f5e7, #12261a);
        --bad: light-dark(#a40e26, #ff8f87); --bad-ground: light-dark(#fdecec, #311618);
        --warn: light-dark(#7a4b00, #e3b341); --warn-ground: light-dark(#fff4d8, #2b2210);
        --none: light-dark(#57606a, #9aa4ae); --none-ground: light-dark(#eef1f4, #21262d);
        --mono: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
      :root[data-theme=dark] { color-scheme: dark; }
      :root[data-theme=light] { color-scheme: light; }
      * { box-sizing: border-box; }
      [hidden], html:not(.script) .needs-script { display: none !important; }
      html { scroll-padding-top: 4.5rem; -webkit-text-size-adjust: 100%; }
      body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.5;
        font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 1rem; }
      main { max-width: 70rem; margin: 0 auto; padding: 1rem; }
      section { margin: 0 0 2.5rem; }
      h1 { font-size: clamp(1.5rem, 4vw + .5rem, 2.5rem); line-height: 1.15; margin: 0; letter-spacing: -.02em; }
      h2 { font-size: 1.35rem; margin: 0 0 .75rem; letter-spacing: -.01em; }
      h3 { font-size: .8rem; margin: 1.25rem 0 .4rem; color: var(--soft); text-transform: uppercase;
        letter-spacing: .05em; }
      p { margin: .25rem 0; } a { color: var(--link); }
      ul, ol { margin: 0; padding: 0; list-style: none; }
      code, pre, kbd { font-family: var(--mono); font-size: .85em; overflow-wrap: anywhere; }
      pre { white-space: pre-wrap; background: var(--ground); border: 1px solid var(--line);
        border-radius: .5rem; padding: .75rem; margin: .25rem 0; }
      kbd { border: 1px solid var(--line); border-radius: .25rem; padding: 0 .3em; background: var(--card); }
      :focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: .25rem; }
      .skip { position: absolute; left: -100vw; } .skip:focus { left: 1rem; top: .5rem; z-index: 9;
        background: var(--card); padding: .5rem 1rem; }
      .hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
        white-space: nowrap; }
      .top { position: sticky; top: 0; z-index: 5; display: flex; gap: 1rem; align-items: center;
        padding: .5rem max(1rem, calc(50vw - 34rem)); background: var(--card);
        border-bottom: 1px solid var(--line); }
      .brand { font-weight: 700; letter-spacing: -.01em; } .top nav { display: flex; gap: 1rem; margin-left: auto; }
      .top nav a { text-decoration: none; padding: .5rem 0; }
      .top nav a:hover { text-decoration: underline; }
      button, input, select { font: inherit; color: inherit; background: var(--card); min-height: 2.5rem;
        border: 1px solid var(--line); border-radius: .5rem; padding: .25rem .75rem; }
      button { cursor: pointer; } button:hover { border-color: var(--soft); }
      #theme { flex: none; width: 2.75rem; padding: 0; font-size: 1.1rem; }
      .note, .lead { color: var(--soft); font-size: .875rem; } .lead { margin-bottom: .75rem; }
      .mark { display: inline-block; min-width: 1.1em; margin-right: .3em; font-weight: 700; text-align: center; }
      .mark.good { color: var(--good); } .mark.bad { color: var(--bad); }
      .mark.warn { color: var(--warn); } .mark.none { color: var(--none); }
      .level { font-size: .7rem; font-weight: 700; letter-spacing: .04em; padding: .1rem .4rem;
        border-radius: .3rem; border: 1px solid var(--line); color: var(--soft); background: var(--none-ground);
        vertical-align: .1em; }
      .level.must { color: var(--ink); border-color: var(--soft); }
      footer { max-width: 70rem; margin: 0 auto; padding: 1rem; color: var(--soft); font-size: .875rem;
        border-top: 1px solid var(--line); }
      """)

  private static let summary = Markup(
    own: """

      .verdict { background: var(--card); border: 1px solid var(--line); border-radius: 1rem;
        padding: clamp(1rem, 3vw, 2rem); border-top: .5rem solid var(--none); }
      .verdict.good { border-top-color: var(--good); } .verdict.bad { border-top-color: var(--bad); }
      .verdict.warn { border-top-color: var(--warn); }
      .outcome { font-weight: 700; text-transform: uppercase; letter-spacing: .06em; font-size: .85rem; }
      .verdict.good .outcome { color: var(--good); } .verdict.bad .outcome { color: var(--bad); }
      .verdict.warn .outcome { color: var(--warn); }
      .sentence { font-size: 1.1rem; max-width: 60ch; margin: .75rem 0 1.25rem; overflow-wrap: anywhere; }
      .bar { display: flex; gap: 2px; height: .75rem; border-radius: .4rem; overflow: hidden; }
      .bar span { min-width: .4rem; } .bar .good { background: var(--good); } .bar .bad { background: var(--bad); }
      .bar .warn { background: var(--warn); } .bar .none { background: var(--line); }
      .counts { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .6rem 0 1.25rem; }
      .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 9rem), 1fr));
        gap: .75rem 1.5rem; margin: 0; padding-top: 1rem; border-top: 1px solid var(--line); }
      .facts dt { color: var(--soft); font-size: .8rem; } .facts dd { margin: 0; overflow-wrap: anywhere; }
      .scores { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); gap: 1rem; }
      .scores li { background: var(--card); border: 1px solid var(--line); border-left: .35rem solid var(--none);
        border-radius: .75rem; padding: .75rem 1rem; display: grid; }
      .scores .good { border-left-color: var(--good); } .scores .bad { border-left-color: var(--bad); }
      .scores b { font-size: 2rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
      .scores small { color: var(--soft); font-size: 1rem; font-weight: 400; }
      .causes, .changes { display: grid; gap: 1rem; }
      .causes > li, .change { background: var(--card); border: 1px solid var(--line); border-radius: .75rem;
        padding: 1rem; border-left: .35rem solid var(--bad); min-width: 0; }
      .causes .count { font-weight: 700; color: var(--bad); margin: 0; }
      .change.good { border-left-color: var(--good); } .change.warn { border-left-color: var(--warn); }
      .change.none { border-left-color: var(--none); } .change h3 { margin-top: 0; }
      .asked { font-size: 1.05rem; } .why { font-weight: 600; overflow-wrap: anywhere; }
      .links { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin-top: .5rem; }
      .links li { min-width: 0; overflow-wrap: anywhere; } .links .note { display: block; padding-left: 1.6em; }
      .case-name { display: inline-block; padding: .25rem 0; overflow-wrap: anywhere; }
      """)

  private static let cases = Markup(
    own: """

      .toolbar { background: var(--ground); padding: .5rem 0; margin: 0 0 .5rem; }
      .filters { display: flex; flex-wrap: wrap; gap: .5rem; }
      .filter { border-radius: 2rem; } .filter b { font-variant-numeric: tabular-nums; margin-left: .25em; }
      .filter[aria-pressed=true] { background: var(--ink); color: var(--card); border-color: var(--ink); }
      .filter[aria-pressed=true] .mark { color: inherit; }
      .fields { display: grid; grid-template-columns: 1fr auto auto; gap: .5rem; margin-top: .5rem; }
      .fields > * { min-width: 0; width: 100%; } .shown { color: var(--soft); font-size: .875rem; margin: .5rem 0 0; }
      ::placeholder { color: var(--soft); opacity: 1; }
      .case-list { border: 1px solid var(--line); border-radius: .75rem; overflow: clip; background: var(--card); }
      .case + .case { border-top: 1px solid var(--line); }
      .case > summary { display: grid; grid-template-columns: 8.5rem minmax(0, 1fr) auto 4.5rem; gap: .25rem 1rem;
        align-items: center; padding: .6rem 1rem; cursor: pointer; list-style: none; }
      .case > summary::-webkit-details-marker { display: none; }
      .case > summary:hover { background: var(--none-ground); }
      .case > summary:focus-visible { outline-offset: -3px; }
      .chip { justify-self: start; font-size: .8rem; font-weight: 600; border-radius: 2rem; padding: .1rem .6rem;
        white-space: nowrap; }
      .chip.good { color: var(--good); background: var(--good-ground); }
      .chip.bad { color: var(--bad); background: var(--bad-ground); }
      .chip.warn { color: var(--warn); background: var(--warn-ground); }
      .chip.none { color: var(--none); background: var(--none-ground); }
      .name { display: grid; overflow-wrap: anywhere; } .name span { color: var(--soft); font-size: .9rem; }
      .took { text-align: right; color: var(--soft); font-size: .85rem; font-variant-numeric: tabular-nums; }
      .case .body { padding: 0 1rem 1.25rem; border-left: .35rem solid var(--none); overflow-wrap: anywhere; }
      .case.good .body { border-left-color: var(--good); } .case.bad .body { border-left-color: var(--bad); }
      .case.warn .body { border-left-color: var(--warn); } .body h3:first-child { margin-top: .25rem; padding-top: .5rem; }
      .case:target > summary { box-shadow: inset .35rem 0 0 var(--link); }
      .must li { margin: .25rem 0; } .req { font-family: var(--mono); font-size: .8em; }
      .reason { white-space: pre-wrap; } .message { color: var(--soft); } .where { color: var(--soft); }
      .empty { padding: 1rem 0; }
      """)

  private static let details = Markup(
    own: """

      .diff { margin: .5rem 0; border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
      .diff > div { display: grid; grid-template-columns: 5.5rem minmax(0, 1fr); gap: .5rem; padding: .35rem .75rem; }
      .diff .minus { background: var(--bad-ground); } .diff .plus { background: var(--good-ground); }
      .diff .minus::before, .diff .plus::before { content: none; }
      .diff .tag { font-size: .8rem; font-weight: 600; } .diff code { white-space: pre-wrap; }
      .minus .tag { color: var(--bad); } .minus .tag::before { content: "− "; }
      .plus .tag { color: var(--good); } .plus .tag::before { content: "+ "; }
      .ladder { max-width: 60rem; } .sides { display: flex; justify-content: space-between; font-size: .8rem;
        font-weight: 700; color: var(--soft); }
      .ladder ol { border-left: 2px solid var(--line); border-right: 2px solid var(--line); padding: .5rem 0; }
      .ladder li { position: relative; padding: .15rem 1rem .6rem; margin-bottom: .35rem; }
      .ladder li.client { padding-right: 12%; }
      .ladder li.server { padding-left: 12%; }
      .ladder li.client::after, .ladder li.server::after { content: ""; position: absolute; left: 0; right: 0;
        bottom: 0; border-top: 2px solid var(--link); }
      .ladder li.server::after { border-top-color: var(--good); border-top-style: dashed; }
      .ladder li.client::before, .ladder li.server::before { content: ""; position: absolute; bottom: -5px;
        border: 5px solid transparent; border-top-width: 6px; border-bottom-width: 6px; }
      .ladder li.client::before { right: -1px; border-left: 9px solid var(--link); border-right-width: 0; }
      .ladder li.server::before { left: -1px; border-right: 9px solid var(--good); border-left-width: 0; }
      .ladder li.aside, .ladder .gap { text-align: center; color: var(--soft); font-size: .85rem; padding: .25rem 1rem; }
      .ladder li.aside { background: var(--none-ground); } .ladder .gap { font-style: italic; }
      .ladder time { font-family: var(--mono); font-size: .75rem; color: var(--soft); margin-right: .6rem;
        font-variant-numeric: tabular-nums; }
      .connection { font-size: .75rem; border: 1px solid var(--line); border-radius: .3rem; padding: 0 .35rem;
        margin-right: .5rem; }
      .ladder code { white-space: pre-wrap; } .long { display: inline-block; max-width: 100%; vertical-align: top; }
      .long > summary { cursor: pointer; } .long[open] > summary code { display: none; }
      .steps li { display: grid; grid-template-columns: 4.5rem minmax(0, 1fr) 8rem 8rem; gap: .25rem .75rem;
        align-items: center; padding: .15rem 0; font-size: .9rem; }
      .steps .line, .spent { color: var(--soft); font-size: .85rem; font-variant-numeric: tabular-nums; }
      .spent { text-align: right; } .time { display: block; height: .5rem; border-radius: .25rem; background: var(--none-ground);
        overflow: hidden; } .time span { display: block; height: 100%; min-width: 2px; background: var(--good); }
      .time.warn span { background: var(--warn); } .time.bad span { background: var(--bad); }
      .rerun { display: flex; gap: .5rem; align-items: stretch; } .rerun code { flex: 1; min-width: 0;
        background: var(--ground); border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .75rem; }
      .copy { min-width: 5.5rem; }
      """)

  private static let tables = Markup(
    own: """

      .matrix { width: 100%; border-collapse: collapse; background: var(--card); border: 1px solid var(--line);
        font-size: .925rem; } .matrix th { text-align: left; color: var(--soft); font-size: .8rem; }
      .matrix th, .matrix td { padding: .5rem .75rem; border-bottom: 1px solid var(--line); vertical-align: top; }
      .matrix .status { white-space: nowrap; } .matrix .text { overflow-wrap: anywhere; }
      .matrix tr:target { box-shadow: inset .35rem 0 0 var(--link); }
      .covering { min-width: 7rem; max-width: 18rem; } .covering summary { cursor: pointer; }
      .covering .links { display: grid; }
      .scroll { position: relative; overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; background: var(--card);
        max-width: 100%; }
      .heat { border-collapse: separate; border-spacing: 2px; font-size: .8rem; margin: .5rem; }
      .heat th { font-weight: 500; text-align: left; white-space: nowrap; padding: .1rem .4rem; }
      .heat thead th { vertical-align: bottom; } .heat thead span { writing-mode: vertical-rl; rotate: 180deg; }
      .heat tbody td { min-width: 2rem; height: 1.75rem; text-align: center; border-radius: .25rem; }
      .heat .good { background: var(--good-ground); color: var(--good); }
      .heat .bad { background: var(--bad-ground); color: var(--bad); font-weight: 700; }
      .heat .none { background: var(--none-ground); color: var(--none); }
      .heat .missing { outline: 2px dashed var(--bad); outline-offset: -2px; }
      .heat .excluded { background: repeating-linear-gradient(45deg, var(--none-ground) 0 4px, transparent 4px 8px); }
      """)

  private static let small = Markup(
    own: """

      @media (max-width: 44rem) {
        .top { gap: .5rem; } .brand, .top nav [href="#summary"] { display: none; }
        .top nav { gap: .75rem; margin-left: 0; flex: 1; font-size: .85rem; min-width: 0; overflow-x: auto; }
        .facts { grid-template-columns: 1fr 1fr; }
        .case > summary { grid-template-columns: 1fr auto auto; gap: .25rem .75rem; }
        .case > summary .chip { order: -3; } .case > summary .level { order: -2; } .case > summary .took { order: -1; }
        .case > summary .name { grid-column: 1 / -1; }
        .fields { grid-template-columns: 1fr 1fr; } .fields input { grid-column: 1 / -1; }
        .diff > div { grid-template-columns: 1fr; gap: 0; }
        .steps li { grid-template-columns: 1fr auto; } .steps .line { grid-column: 1; }
        .steps li > span:nth-child(2) { grid-column: 1 / -1; grid-row: 2; } .spent { grid-column: 2; grid-row: 1; }
        .gauge { grid-column: 1 / -1; } .rerun { flex-direction: column; }
        .ladder li { padding-left: .6rem; padding-right: .6rem; } .ladder time { display: block; }
        .matrix thead { display: none; } .matrix, .matrix tbody { display: block; }
        .matrix tr { display: grid; grid-template-columns: auto auto 1fr; gap: .25rem .75rem; padding: .6rem .75rem;
          border-bottom: 1px solid var(--line); } .matrix td { padding: 0; border: 0; }
        .matrix .text, .matrix .covering { grid-column: 1 / -1; max-width: none; } .matrix .text { order: 1; }
        .matrix .covering { order: 2; } }
      @media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
      @media print { :root { color-scheme: light; } .top, .toolbar, .copy, .skip { display: none; }
        .case, .causes > li, .change { break-inside: avoid; } body { background: none; } }
      """)
}
