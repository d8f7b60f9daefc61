// The state of the daemon at a glance.

import { bars, history, number, shares } from "../components/chart.js";
import { code, element, named, replace } from "../components/dom.js";
import { problems } from "../components/problems.js";
import { facts, scroll, table } from "../components/table.js";
import { post } from "./daemon.js";
import { age } from "./time.js";

// How many points the chart has.
const POINTS = 90;
// How many reasons and routes are shown at first.
const REASONS = 8;
const ROUTES = 50;

const rates = { allow: [], deny: [], would_deny: [] };
let before = null;
let wanted = "";

const parts = {
    policy: part("Policy in force"),
    rate: part("Decisions per second"),
    reasons: part("Denials by reason"),
    error: part("Last error"),
    candidate: part("Candidate"),
    issuers: part("Issuers", true),
    routes: part("Routes", true),
};
const reloaded = element("span", { role: "status" });
const filter = element("input", { id: "routes-filter", autocomplete: "off", spellcheck: "false", placeholder: "/orders", input: () => { wanted = filter.value; showRoutes(); } });
let state = null;

function part(title, scrolls = false) {
    const body = scrolls
        ? scroll(title)
        : element("div", {});
    return { node: element("section", { class: "card" }, element("h2", {}, title), body), body, last: null };
}

export function page() {
    parts.policy.node.append(element("p", { class: "buttons" }, element("button", { type: "button", class: "quiet", click: reload }, "Reload now"), reloaded));
    parts.routes.body.before(element("div", { class: "field inline" }, element("label", { for: "routes-filter" }, "Filter"), filter));
    return {
        node: element("section", { hidden: true },
            element("h1", { tabindex: "-1" }, "Overview"),
            parts.error.node,
            element("div", { class: "grid-of-cards" }, parts.policy.node, parts.rate.node, parts.reasons.node),
            parts.candidate.node,
            parts.issuers.node, parts.routes.node),
    };
}

export function update(latest) {
    state = latest;
    const { totals } = state;
    measure(totals);
    fresh(parts.policy, state.policy, policy);
    fresh(parts.rate, rates, () => history("Decisions per second", [
        { name: "denied", kind: "deny", values: rates.deny },
        ...(rates.would_deny.some((rate) => rate > 0) ? [{ name: "would be denied", kind: "would", values: rates.would_deny }] : []),
        { name: "allowed", kind: "allow", values: rates.allow },
    ], "/s"));
    fresh(parts.reasons, [totals.deny ?? {}, totals.would_deny ?? {}], reasons);
    parts.error.node.hidden = state.policy.last_error === null;
    fresh(parts.error, state.policy.last_error, failure);
    parts.candidate.node.hidden = state.candidate === null;
    fresh(parts.candidate, state.candidate, candidate);
    fresh(parts.issuers, state.issuers, issuers);
    fresh(parts.routes, [state.routes, state.routes_declared], showRoutes);
}

// Draws a part only if its data has changed, so that nobody's place in it is lost.
function fresh(part, data, draw) {
    const text = JSON.stringify(data);
    if (data !== null && text !== part.last) {
        part.last = text;
        const drawn = draw(data);
        if (drawn !== undefined) {
            replace(part.body, drawn);
        }
    }
}

function measure(totals) {
    const at = performance.now();
    const now = Object.fromEntries(Object.keys(rates).map((name) => [name, sum(totals[name])]));
    if (before !== null) {
        const seconds = Math.max(0.5, (at - before.at) / 1000);
        for (const name of Object.keys(rates)) {
            rates[name] = [...rates[name], Math.max(0, now[name] - before[name]) / seconds].slice(-POINTS);
        }
    }
    before = { at, ...now };
}

function policy({ revision, loaded_at: loaded, files, files_count: count }) {
    return [
        facts(["Revision", code(revision)], ["Loaded", age(loaded)]),
        element("details", {},
            element("summary", {}, count === 1 ? "1 file" : `${number(count)} files`),
            element("ul", { class: "files" }, files.map(({ path, bytes }) => element("li", {}, code(path), ` ${number(bytes)} bytes`)))),
    ];
}

// Requests that would be denied have passed, so they are counted apart.
function reasons([denied, observed]) {
    return [
        Object.keys(denied).length === 0
            ? element("p", { class: "help" }, "Nothing was denied yet.")
            : byReason("Denials by reason", "deny", denied),
        Object.keys(observed).length > 0 && [
            element("p", { class: "help" }, "Passed, but would be denied if denials were enforced:"),
            byReason("Observed denials by reason", "would", observed),
        ],
    ];
}

function byReason(label, kind, counts) {
    const sorted = byCount(counts);
    const rest = sum(Object.fromEntries(sorted.slice(REASONS)));
    return bars(label, [
        ...sorted.slice(0, REASONS).map(([name, count]) => ({ name, kind, count })),
        ...(rest > 0 ? [{ name: "others", kind, count: rest }] : []),
    ]);
}

function byCount(counts) {
    return Object.entries(counts).sort(([, one], [, other]) => other - one);
}

function sum(counts) {
    return Object.values(counts ?? {}).reduce((sum, count) => sum + count, 0);
}

function failure({ at, message, problems: list }) {
    return [
        element("p", {}, age(at), ": the policy in the files was not taken."),
        list.length > 0 ? problems(list) : element("pre", { class: "failure" }, message),
    ];
}

function candidate({ revision, loaded_at: loaded, last_error: error, same, different, skipped, differences, differences_count: count }) {
    return [
        facts(
            ["Revision", revision === null ? "none without errors yet" : code(revision)],
            loaded !== null && ["Loaded", age(loaded)],
            ["Requests", [shares([{ name: "same", kind: "allow", count: same }, { name: "different", kind: "deny", count: different }, { name: "skipped", kind: "none", count: skipped }]),
                ` ${number(same)} alike, ${number(different)} different, ${number(skipped)} skipped`]]),
        error !== null && failure(error),
        differences.length > 0 && scroll("Candidate's differences", table("Requests that the candidate decides differently", ["Route", "In force", "Candidate", { text: "Requests", number: true }],
            differences.map(({ api, route, old, new: now, count }) => [routeCell(api, route), code(old), code(now), number(count)]))),
        count > differences.length && element("p", { class: "help" }, `and ${number(count - differences.length)} more`),
    ];
}

function issuers(list) {
    if (list.length === 0) {
        return element("p", { class: "help" }, "The policy has no issuer.");
    }
    return table("Issuers with the age of their keys", ["Issuer", "Keys from", { text: "Keys", number: true }, "Age", "Last error"], list.flatMap(({ name, url, keys_in_files: read, places, places_count: count }) => {
        const issuer = [code(name), element("span", { class: "below" }, url)];
        if (read !== null) {
            return [[issuer, "files of the policy", number(read), "with the policy", "none"]];
        }
        const known = places.map(({ place, keys, fetched_at: at, usable, last_failure: failed }) => [
            issuer, code(place), number(keys),
            at === null ? element("span", { class: "denied" }, "never fetched") : [age(at), !usable && element("span", { class: "denied" }, " too old")],
            failed === null ? "none" : [element("span", { class: at !== null && at > failed.at ? null : "denied" }, age(failed.at)), element("span", { class: "below" }, failed.message)],
        ]);
        if (known.length === 0) {
            return [[issuer, "one place for each tenant; none was named yet", "0", "", "none"]];
        }
        return count > places.length ? [...known, [issuer, `and ${number(count - places.length)} more places`, "", "", ""]] : known;
    }));
}

function showRoutes() {
    const { routes, routes_declared: declared, routes_used: used } = state;
    const found = routes.filter(({ api, route }) => `${route} ${api}`.toLowerCase().includes(wanted.trim().toLowerCase()));
    const rows = found.slice(0, ROUTES).map(({ api, route, total, outcomes, p99_us: p99 }) => {
        const [allow, deny, would] = ["allow", "deny", "would_deny"].map((name) => sum(outcomes[name]));
        const reasons = byCount(outcomes.deny ?? outcomes.would_deny ?? {});
        return [
            routeCell(api, route), number(total),
            shares([{ name: "allowed", kind: "allow", count: allow }, { name: "denied", kind: "deny", count: deny }, { name: "would be denied", kind: "would", count: would }]),
            number(allow), [number(deny), would > 0 && element("span", { class: "below" }, `${number(would)} observed`)],
            reasons.length > 0 && [named(reasons[0][0]), reasons.length > 1 && element("span", { class: "below" }, `and ${reasons.length - 1} more`)],
            p99 === null ? "–" : duration(p99),
        ];
    });
    replace(parts.routes.body,
        element("p", { class: "help" }, `${number(declared)} routes are declared. Counts are since the start; the p99 is since this policy came into force, up to a quarter above the exact value.`),
        rows.length > 0
            ? table("Routes with their decisions", ["Route", { text: "Decisions", number: true }, "Share", { text: "Allowed", number: true }, { text: "Denied", number: true }, "Most frequent reason", { text: "p99", number: true }], rows)
            : element("p", {}, used === 0 ? "No request has come yet." : "No route matches the filter."),
        found.length > rows.length && element("p", { class: "help" }, `and ${number(found.length - rows.length)} more; filter to find one`));
}

function routeCell(api, route) {
    return route === "" ? [api === "" ? "no API" : "no route", api !== "" && element("span", { class: "below" }, api)] : [named(route), element("span", { class: "below" }, api)];
}

function duration(microseconds) {
    if (microseconds >= 1e6) {
        return `${(microseconds / 1e6).toFixed(1)} s`;
    }
    return microseconds < 1000 ? `${microseconds < 10 ? microseconds.toFixed(1) : Math.round(microseconds)} µs` : `${(microseconds / 1000).toFixed(1)} ms`;
}

async function reload() {
    replace(reloaded, "reading the files …");
    const said = { changed: "another policy is in force", unchanged: "nothing has changed", failed: "the policy has errors; see above", held: "held back; see above" };
    try {
        const { result } = await post("/reload", {});
        replace(reloaded, said[result] ?? result);
    } catch (error) {
        replace(reloaded, error.message);
    }
}
