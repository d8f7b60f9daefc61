// Times that say how long ago something was, and stay right.

import { element } from "../components/dom.js";

// How far the daemon's clock is ahead of the browser's, in milliseconds.
let ahead = 0;

const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

/** A time of the daemon, as its age. */
export function age(at) {
    const node = element("time", { datetime: at, title: at });
    node.textContent = text(at);
    return node;
}

/** Takes over the daemon's clock. */
export function now(at) {
    ahead = Date.parse(at) - Date.now();
}

/** Corrects all ages of the page. */
export function tick() {
    for (const node of document.querySelectorAll("time[datetime]")) {
        const now = text(node.dateTime);
        if (node.textContent !== now) {
            node.textContent = now;
        }
    }
}

function text(at) {
    const seconds = Math.max(0, Math.round((Date.now() + ahead - Date.parse(at)) / 1000));
    if (Number.isNaN(seconds)) {
        return "";
    }
    const [unit, length] = UNITS.find(([, length]) => seconds >= length) ?? ["s", 1];
    return `${Math.floor(seconds / length)} ${unit} ago`;
}
