// Lines of a policy, with marked parts underlined and, unless `notes` is false, explained below their line.
// Without notes, long lines are wrapped.
//
// An excerpt is `{ file, lines: [{ number, text }], marks: [{ line, start, end, kind, text }] }`; `start`
// and `end` count characters from 1. The kinds are those of conditions (`true`, `false`, `missing`) and of
// errors (`primary`, `secondary`).

import { element, heard } from "./dom.js";

const SIGNS = { true: "✓", false: "✗", missing: "?", primary: "▲", secondary: "△" };
const VALUES = ["true", "false", "missing"];
const SAID = { true: "true", false: "false", missing: "missing", primary: "here", secondary: "see also" };

export function excerpt({ file, lines, marks }, { notes = true } = {}) {
    const rows = [];
    let before = null;
    // What all lines are indented by is left out.
    const indent = Math.min(...lines.filter(({ text }) => text.trim() !== "").map(({ text }) => text.search(/\S/)));
    const dedent = Number.isFinite(indent) ? indent : 0;
    for (const line of lines) {
        if (before !== null && line.number !== before + 1) {
            rows.push(element("div", { class: "gap", "aria-hidden": "true" }, "⋯"));
        }
        before = line.number;
        const here = marks
            .filter((mark) => mark.line === line.number)
            .map((mark) => ({ ...mark, start: Math.max(1, mark.start - dedent), end: Math.max(1, mark.end - dedent) }));
        rows.push(element("div", { class: "line" },
            element("span", { class: "line-number" }, heard("line "), line.number),
            element("code", { class: "line-text" }, marked(line.text.slice(dedent), here))));
        for (const mark of here.filter((mark) => notes && mark.text !== "")) {
            rows.push(element("div", { class: `note note-${mark.kind}` },
                element("span", { class: "line-number", "aria-hidden": "true" }),
                element("span", { "aria-hidden": "true" }, " ".repeat(Math.max(0, mark.start - 1)), SIGNS[mark.kind], " "),
                element("span", {}, heard(`${SAID[mark.kind]}: `), mark.text)));
        }
    }
    return element("figure", { class: "excerpt" },
        element("figcaption", {}, file),
        element("div", { class: notes ? "lines" : "lines wrapped", tabindex: "0", role: "group", "aria-label": `lines of ${file}` }, rows));
}

// The text in pieces, each in the shortest mark that covers it.
function marked(text, marks) {
    const characters = Array.from(text);
    const ends = new Set([0, characters.length]);
    for (const mark of marks) {
        ends.add(Math.min(mark.start - 1, characters.length));
        ends.add(Math.min(mark.end - 1, characters.length));
    }
    const sorted = [...ends].sort((one, other) => one - other);
    return sorted.slice(1).map((end, at) => {
        const start = sorted[at];
        const piece = characters.slice(start, end).join("");
        const covering = marks
            .filter((mark) => mark.start - 1 <= start && mark.end - 1 >= end)
            .sort((one, other) => (one.end - one.start) - (other.end - other.start));
        if (covering.length === 0) {
            return piece;
        }
        const kind = covering[0].kind;
        const begins = covering[0].start - 1 === start;
        return element("mark", { class: `mark-${kind}` },
            begins && heard(`${SAID[kind]}: `),
            begins && VALUES.includes(kind) && element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[kind]),
            piece);
    });
}
