// The difference in meaning between two policies: `{ equal, summary, changes, left_out }`.

import { code, element, prose } from "./dom.js";
import { facts } from "./table.js";

const SIGNS = { loosened: "▲", tightened: "▼", changed: "◆" };

export function changes({ equal, summary, changes: list, left_out: leftOut }) {
    if (equal) {
        return element("p", { class: "equal" }, "Equal in meaning: every request is decided the same way.");
    }
    return element("div", {},
        element("h3", {}, summary),
        element("ol", { class: "changes" }, list.map(one)),
        leftOut > 0 && element("p", {}, `${leftOut} more changes, which `, code("portcullis diff"), " lists."));
}

function one({ change, sentence, may_loosen: mayLoosen, old, new: now }) {
    const { api, route, effect, witness } = change;
    return element("li", { class: `change ${effect}` },
        element("h4", {},
            element("span", { class: "effect" }, element("span", { "aria-hidden": "true" }, `${SIGNS[effect]} `), effect),
            " ", route ? [code(route), " of ", code(api)] : code(api)),
        element("p", {}, prose(sentence)),
        mayLoosen && effect !== "loosened" && element("p", { class: "advice" }, "It may allow something that wasn't allowed before."),
        old && side("Before", old),
        now && side("After", now),
        witness && element("details", {},
            element("summary", {}, "A request that shows it"),
            facts(
                ["Request", code(witness.request)],
                ...Object.entries(witness.headers).map(([name, value]) => ["Header", code(`${name}: ${value}`)]),
                ["Token", witness.claims === null ? "none" : element("pre", {}, JSON.stringify(witness.claims, null, 2))],
                witness.address !== null && ["Address", code(witness.address)],
                ["At", code(witness.at)])));
}

function side(name, { verdict, place }) {
    const allowed = verdict === "allowed";
    return element("div", { class: "side" },
        element("span", { class: "side-name" }, name),
        element("span", { class: allowed ? "allowed" : "denied" }, verdict),
        place && element("span", { class: "place" }, place[0]),
        place && element("pre", {}, element("code", {}, place[1])));
}
