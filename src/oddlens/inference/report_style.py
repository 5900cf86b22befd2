"""The style of a run's report: light and dark, wide and narrow, on paper."""

STYLE = """
:root { --ng: #c62828; --review: #a65f00; --ok: #1d7a4f; --none: #5f6b7a; }
@media (prefers-color-scheme: dark) { :root { --ng: #ff7b72; --review: #eaa94b; --ok: #5cc994; --none: #a5afbd; } }
body { max-width: 84rem; }
a { color: inherit; }
a:focus-visible, summary:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; background: Canvas; padding: .3rem .8rem; z-index: 1; }
.counts { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; }
.counts a { border: 1px solid var(--line); border-left: .4rem solid var(--mine); border-radius: .4rem;
  padding: .3rem 1rem .3rem .8rem; text-decoration: none; }
.counts a:hover { background: var(--soft); }
.counts b { font-size: 1.5rem; margin-right: .4rem; }
.ng { --mine: var(--ng); }
.review { --mine: var(--review); }
.ok { --mine: var(--ok); }
.none, .failed { --mine: var(--none); }
.quiet { opacity: .75; font-size: .9rem; }
.promise { max-width: 56rem; }
.know { border: 1px solid var(--line); border-left: .4rem solid var(--review); border-radius: .4rem;
  padding: .2rem 1rem; margin: 1.2rem 0; }
.know h3 { margin: .7rem 0 .1rem; font-size: 1rem; }
.know p { margin: .1rem 0 .6rem; }
.classes { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; padding: 0; list-style: none; }
.classes i { display: inline-block; width: 1rem; height: 1rem; margin-right: .4rem; border-radius: .2rem; vertical-align: -.15rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)); gap: 1.2rem; }
.card { border: 1px solid var(--line); border-top: .3rem solid var(--mine); border-radius: .4rem; overflow: hidden; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 2px; background: #16181d; }
.pair > * { position: relative; display: block; }
.pair img, .pair svg { display: block; width: 100%; height: 100%; object-fit: contain; }
.pair img { max-height: 24rem; }
.pair svg { position: absolute; inset: 0; }
.pair rect { fill: none; stroke: #fff; stroke-width: 1.5; vector-effect: non-scaling-stroke; paint-order: stroke; }
.pair rect.edge { stroke: #000; stroke-width: 3.5; }
.pair text { fill: #fff; stroke: #000; paint-order: stroke; font-weight: 700; }
.pair polygon.edge { stroke: #000; stroke-dasharray: none; stroke-width: 2.5; }
.pair polygon:not(.edge) { stroke: #fff; stroke-dasharray: 6 4; stroke-width: 1.5; }
.pair polygon { fill: none; vector-effect: non-scaling-stroke; }
.text { padding: .6rem .9rem .8rem; }
.text h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; font-weight: 400; }
.text p { margin: .3rem 0; }
.badge { background: var(--mine); color: Canvas; border-radius: .9rem; padding: 0 .6rem; font-weight: 600;
  font-size: .85rem; }
.concern { border-left: .25rem solid var(--review); padding-left: .6rem; }
.text table { margin: .4rem 0; font-size: .85rem; font-variant-numeric: tabular-nums; }
.text td, .text th { padding: .1rem .6rem .1rem 0; white-space: nowrap; }
.wide { overflow-x: auto; }
.links a { margin-right: .9rem; font-size: .85rem; }
details { margin: 1rem 0; }
summary { cursor: pointer; font-weight: 600; }
.rest { columns: 22rem; font-size: .85rem; padding-left: 0; list-style: none; font-variant-numeric: tabular-nums; }
.rest li { break-inside: avoid; overflow-wrap: anywhere; }
@media (max-width: 40rem) { body { margin: 1rem auto; } .counts b { font-size: 1.2rem; } }
@media print {
:root { font-size: 10px; }
body { max-width: none; font-size: 1rem; margin: 0; }
.cards { grid-template-columns: 1fr 1fr; }
.card, .know, svg { break-inside: avoid; } .links, .skip, details { display: none; }
h2 { break-after: avoid; }
* { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
