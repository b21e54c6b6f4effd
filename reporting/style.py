"""How a page looks: light and dark, on a phone, on a desk and on paper."""

from reporting.colours import BLUE, GREEN, VERMILION

#: The same hues, lighter: what they become on black.
_ON_BLACK = {BLUE: "#56a9de", VERMILION: "#f0874a", GREEN: "#35c19a"}
_LIGHTER = "\n".join(
    f'svg [{kind}="{dark}"]{{{kind}:{light}}}'
    for dark, light in _ON_BLACK.items()
    for kind in ("fill", "stroke")
)

_LOOKS = """
:root{color-scheme:light dark;--ink:#1f2933;--paper:#fff;--soft:#5c6773;--line:#d8dee4;--card:#f5f7f9;
--warn:#7a2e00;--warn-paper:#fff1e6;--warn-line:#d55e00}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--paper:#14181c;--soft:#a3adb7;--line:#343c44;
--card:#1d2328;--warn:#ffd9bf;--warn-paper:#3a1d0b;--warn-line:#d55e00}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI","Liberation Sans",Arial,sans-serif}
main{max-width:968px;margin:0 auto;padding:24px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:40px 0 8px;padding-top:8px;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:0}
p{margin:8px 0;max-width:75ch;overflow-wrap:anywhere}
.subtitle,figcaption p,.caption,small{color:var(--soft)}
.warning{max-width:none;margin:12px 0;padding:10px 14px;background:var(--warn-paper);color:var(--warn);
border:1px solid var(--warn-line);border-left-width:6px;border-radius:4px}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(205px,1fr));gap:12px;margin:16px 0}
.figures div{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:10px 14px}
dt{font-size:.85rem;color:var(--soft)}
dd{margin:0;font-size:1.35rem;font-weight:600;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
dd small{display:block;font-size:.8rem;font-weight:400;line-height:1.35}
.table{overflow-x:auto;margin:8px 0 12px}
.caption{font-size:.92rem;margin-bottom:0}
table{border-collapse:collapse;font-size:.92rem}
th,td{padding:4px 14px 4px 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600}
tbody th{font-weight:400;min-width:9em}
th:first-child{position:sticky;left:0;background:var(--paper)}
td:not(.n){overflow-wrap:anywhere;max-width:24em}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
details{margin:12px 0}summary{cursor:pointer;color:var(--soft)}
figure{display:flex;flex-direction:column-reverse;margin:24px 0}
figcaption{margin-bottom:8px}
figure svg{display:block;width:100%;height:auto}
.narrow{display:none}
@media (max-width:640px){main{padding:16px}h1{font-size:1.4rem}.wide{display:none}.narrow{display:block}
.figures{grid-template-columns:1fr 1fr;gap:8px}.figures div{padding:8px 10px}dd{font-size:1.1rem}}
@media print{:root{color-scheme:light;--ink:#1f2933;--paper:#fff;--soft:#5c6773;--line:#d8dee4;--card:#fff;
--warn:#7a2e00;--warn-paper:#fff}main{max-width:none;padding:0}.wide{display:block}.narrow{display:none}
figure,.table,.figures,.warning,tr{break-inside:avoid}h2{break-after:avoid}.table{overflow:visible}}
"""

CSS = f"{_LOOKS}@media screen and (prefers-color-scheme:dark){{{_LIGHTER}}}\n"
