"""The report page's style sheet: system fonts, one accent, light or dark by the browser's preference."""

from typing import Final

CSS: Final = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --raised: #f5f6f8; --line: #dde1e7; --ink: #1b2027; --soft: #5a6472;
  --good: #1a7f4b; --bad: #c0352b; --warn: #9a6700;
  --applied: #3a78c9; --conflated: #9db7d8; --dropped: #d9822b; --rejected: #c0352b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171c; --raised: #1d2128; --line: #323944; --ink: #e6e9ee; --soft: #9aa5b4;
    --good: #56c288; --bad: #f0776c; --warn: #e0b04c;
    --applied: #5b9bea; --conflated: #46618a; --dropped: #e39a4f; --rejected: #f0776c;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { margin: 0; font-size: 26px; }
h2 { margin: 40px 0 10px; font-size: 17px; }
p { margin: 6px 0; }
.soft, footer { color: var(--soft); }
.verdict { margin: 20px 0; padding: 12px 16px; border-left: 4px solid; background: var(--raised); border-radius: 4px; }
.verdict strong { display: block; font-size: 17px; }
.good { border-color: var(--good); } .good strong { color: var(--good); }
.bad { border-color: var(--bad); } .bad strong { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 0; }
.tiles div { padding: 10px 14px; background: var(--raised); border-radius: 4px; }
.tiles dt { color: var(--soft); font-size: 13px; }
.tiles dd { margin: 0; font-size: 20px; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child { text-align: left; }
thead th { color: var(--soft); font-weight: 500; font-size: 13px; }
tbody th { font-weight: 500; }
ul { margin: 6px 0; padding-left: 20px; overflow-wrap: anywhere; }
summary { color: var(--soft); cursor: pointer; }
pre { overflow-x: auto; font-size: 13px; }
svg { display: block; margin: 8px 0; }
svg text { fill: var(--soft); font-size: 12px; }
rect.applied { fill: var(--applied); } rect.conflated { fill: var(--conflated); }
rect.dropped { fill: var(--dropped); } rect.rejected { fill: var(--rejected); }
"""
