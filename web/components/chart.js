// Small charts. Each has a text that says the same, and colours that differ in brightness too.

import { drawing, element, heard } from "./dom.js";

const WIDTH = 600;
const HEIGHT = 120;

/**
 * Values over time, stacked: `series` is `[{ name, kind, values }]`, with lists of the same length, the
 * latest value last. `unit` follows a number.
 */
export function history(label, series, unit) {
    const length = Math.max(2, ...series.map(({ values }) => values.length));
    const sums = Array.from({ length }, (_, at) => series.reduce((sum, { values }) => sum + (values[at] ?? 0), 0));
    const top = nice(Math.max(...sums, 0));
    const x = (at) => (at / (length - 1)) * WIDTH;
    const y = (value) => HEIGHT - (value / top) * (HEIGHT - 8);
    let below = Array(length).fill(0);
    const areas = series.map(({ kind, values }) => {
        const above = below.map((value, at) => value + (values[at] ?? 0));
        const there = above.map((value, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
        const back = below.map((value, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).reverse();
        below = above;
        return drawing("polygon", { class: `area-${kind}`, points: [...there, ...back].join(" ") });
    });
    const latest = series.map(({ name, values }) => `${name} ${number(values.at(-1) ?? 0)}${unit}`).join(", ");
    return element("figure", { class: "chart" },
        drawing("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${label}: now ${latest}; at most ${number(Math.max(...sums, 0))}${unit}` },
            drawing("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(top), y2: y(top) }),
            drawing("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(top / 2), y2: y(top / 2) }),
            areas),
        element("span", { class: "top", "aria-hidden": "true" }, `${number(top)}${unit}`),
        element("figcaption", {}, series.map(({ name, kind, values }) =>
            element("span", { class: "key" }, element("span", { class: `swatch swatch-${kind}`, "aria-hidden": "true" }), `${name} ${number(values.at(-1) ?? 0)}${unit}`))));
}

/** The share of each part in one bar: `parts` is `[{ name, kind, count }]`. */
export function shares(parts) {
    const total = parts.reduce((sum, { count }) => sum + count, 0);
    let start = 0;
    const pieces = total === 0 ? [] : parts.map(({ kind, count }) => {
        const width = (count / total) * 100;
        const piece = drawing("rect", { class: `bar-${kind}`, x: start.toFixed(2), width: width.toFixed(2), y: 0, height: 10 });
        start += width;
        return piece;
    });
    const text = parts.filter(({ count }) => count > 0).map(({ name, count }) => `${name} ${number(count)}`).join(", ");
    return element("span", { class: "shares" },
        drawing("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, pieces),
        heard(text === "" ? "none" : text));
}

/** Counts as bars of one scale: `bars` is `[{ name, kind, count }]`. */
export function bars(label, list) {
    const most = Math.max(1, ...list.map(({ count }) => count));
    return element("ul", { class: "bars", "aria-label": label }, list.map(({ name, kind, count }) =>
        element("li", {},
            element("span", { class: "bar-name" }, name),
            drawing("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
                drawing("rect", { class: `bar-${kind}`, x: 0, y: 0, height: 10, width: ((count / most) * 100).toFixed(2) })),
            element("span", { class: "bar-count" }, number(count)))));
}

/** A number as people read it. */
export function number(value) {
    return value >= 10 || Number.isInteger(value) ? Math.round(value).toLocaleString("en") : value.toFixed(1);
}

// The next number that begins with 1, 2 or 5.
function nice(value) {
    if (value <= 1) {
        return 1;
    }
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].map((factor) => factor * power).find((bound) => bound >= value);
}
