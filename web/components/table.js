// A table with a caption. The caption is heard, and seen if `shown`.

import { element } from "./dom.js";

/** `columns`: texts, or `{ text, number: true }` for one of numbers. A row is a list of cells. */
export function table(caption, columns, rows, { shown = false } = {}) {
    const isNumber = columns.map((column) => column.number === true);
    const head = columns.map((column) =>
        element("th", { scope: "col", class: column.number ? "number" : null }, column.text ?? column));
    const body = rows.map((cells) =>
        element("tr", {}, cells.map((cell, at) =>
            at === 0
                ? element("th", { scope: "row" }, cell)
                : element("td", { class: isNumber[at] ? "number" : null }, cell))));
    return element("table", {},
        element("caption", { class: shown ? null : "heard" }, caption),
        element("thead", {}, element("tr", {}, head)),
        element("tbody", {}, body));
}

/** A region that scrolls sideways, also with the keyboard, so that a wide table doesn't widen the page. */
export function scroll(label, ...children) {
    return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, children);
}

/** Names and values. */
export function facts(...pairs) {
    return element("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, value]) =>
        element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}
