// The latest decisions, as they come, with filters.

import { code, element, named, prose, replace } from "../components/dom.js";
import { scroll, table } from "../components/table.js";
import { get } from "./daemon.js";
import { prefill } from "./explain.js";

// How many decisions this page keeps, and how many it shows.
const KEPT = 1000;
const SHOWN = 200;
const OUTCOMES = { allow: "✓ allow", deny: "✗ deny", would_deny: "◇ would deny" };

let kept = [];
let latest = 0;
let missed = 0;
let missedBefore = null;
let paused = false;

const filters = {
    outcome: element("select", { id: "filter-outcome" }, element("option", { value: "" }, "all"), Object.entries(OUTCOMES).map(([value, text]) => element("option", { value }, text))),
    reason: element("input", { id: "filter-reason", list: "reasons", autocomplete: "off", spellcheck: "false", placeholder: "scope.missing" }),
    route: element("input", { id: "filter-route", autocomplete: "off", spellcheck: "false", placeholder: "/orders" }),
    client: element("input", { id: "filter-client", autocomplete: "off", spellcheck: "false", placeholder: "spa" }),
};
const reasons = element("datalist", { id: "reasons" });
// What is on the page now, so that it is replaced only by something else.
const drawn = { reasons: "", rows: "" };
const count = element("p", { role: "status", class: "help" });
const rows = scroll("Decisions");
const pause = element("button", {
    type: "button", class: "quiet", "aria-pressed": "false",
    click: () => {
        paused = !paused;
        pause.setAttribute("aria-pressed", String(paused));
        show();
    },
}, "Pause");

export function page() {
    const names = { outcome: "Outcome", reason: "Reason", route: "Route or path", client: "Client" };
    const fields = Object.entries(filters).map(([name, input]) => {
        input.addEventListener("input", show);
        return element("div", { class: "field" }, element("label", { for: input.id }, names[name]), input);
    });
    const node = element("section", { hidden: true },
        element("h1", { tabindex: "-1" }, "Decisions"),
        element("form", { class: "filters card", role: "search", "aria-label": "Filters", submit: (event) => event.preventDefault() }, reasons, fields, pause),
        count, rows);
    show();
    return { node };
}

/** Asks for what is new. The daemon keeps decisions only while a page asks. */
export async function refresh() {
    const seen = await get(`/console/decisions?after=${latest}`);
    if (seen.latest < latest) {
        // Another process: begin anew.
        kept = [];
    }
    latest = seen.latest;
    missedBefore ??= seen.missed;
    missed = seen.missed - missedBefore;
    kept = [...seen.decisions.reverse(), ...kept].slice(0, KEPT);
    if (!paused) {
        show();
    }
}

function show() {
    const contains = (text, part) => (text ?? "").toLowerCase().includes(part.trim().toLowerCase());
    const found = kept.filter((one) =>
        (filters.outcome.value === "" || one.outcome === filters.outcome.value) &&
        contains(one.reason, filters.reason.value) &&
        (contains(one.route, filters.route.value) || contains(one.path, filters.route.value)) &&
        contains(one.client, filters.client.value));
    const codes = [...new Set(kept.map(({ reason }) => reason).filter(Boolean))].sort();
    if (codes.join() !== drawn.reasons) {
        drawn.reasons = codes.join();
        replace(reasons, codes.map((value) => element("option", { value })));
    }
    const text = kept.length === 0
        ? "No decision has come yet. Those before this page was opened are in the decision log."
        : `${found.length.toLocaleString("en")} of the latest ${kept.length.toLocaleString("en")} decisions` +
            (found.length > SHOWN ? `, the latest ${SHOWN} below` : "") +
            (missed > 0 ? `; ${missed.toLocaleString("en")} came too fast to be shown` : "") +
            (paused ? "; paused" : "");
    if (count.textContent !== text) {
        replace(count, text);
    }
    const below = found.slice(0, SHOWN);
    const ids = below.map(({ id }) => id).join();
    if (ids !== drawn.rows) {
        drawn.rows = ids;
        keepFocus(() => replace(rows, below.length > 0 && table("The latest decisions, newest first",
            ["Time", "Outcome", "Request", "Route", "Reason", "Client", { text: "µs", number: true }, "Explain"],
            below.map(row))));
    }
}

// The link of the same decision keeps the focus; if it is gone, the table around it gets it.
function keepFocus(draw) {
    const { activeElement: focused } = document;
    const within = focused !== rows && rows.contains(focused);
    draw();
    if (within) {
        const same = [...rows.querySelectorAll("a")].find((link) => link.dataset.decision === focused.dataset.decision);
        (same ?? rows).focus({ preventScroll: true });
    }
}

function row(one) {
    const url = one.host && one.path ? `https://${one.host}${one.path}` : one.path;
    return [
        element("span", { title: one.time }, one.time.slice(11, 19)),
        element("span", { class: `outcome-${one.outcome}` }, OUTCOMES[one.outcome]),
        one.path === null ? "unreadable" : [code(`${one.method} ${one.path}`), one.host && element("span", { class: "below" }, one.host)],
        one.route === "" ? "none" : [named(one.route), element("span", { class: "below" }, one.api)],
        one.reason && [named(one.reason), one.hint && element("span", { class: "below" }, prose(one.hint))],
        one.client && code(one.client),
        one.latency_us.toLocaleString("en"),
        url && element("a", { href: "#explain", "data-decision": one.id, "aria-label": `explain ${one.method} ${one.path}`, click: () => prefill({ method: one.method, url }) }, "why?"),
    ];
}
