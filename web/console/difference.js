// The difference in meaning between the policy in force and the one in the files, or the candidate.

import { changes } from "../components/changes.js";
import { code, element, replace } from "../components/dom.js";
import { problems } from "../components/problems.js";
import { post } from "./daemon.js";

const result = element("div", { id: "difference-result", tabindex: "-1", role: "region", "aria-label": "Difference", "aria-live": "polite" });
const candidate = element("button", { type: "button", hidden: true, click: () => compare("candidate", "the candidate") }, "Compare with the candidate");

export function page() {
    return {
        node: element("section", { hidden: true },
            element("h1", { tabindex: "-1" }, "Difference"),
            element("p", {}, "What another policy would decide differently from the one in force, with a request that shows each change, as ", code("portcullis diff"), " does."),
            element("p", { class: "buttons" },
                element("button", { type: "button", click: () => compare("files", "the files") }, "Compare with the files"),
                candidate),
            result),
    };
}

export function update(state) {
    candidate.hidden = state.candidate === null;
}

async function compare(other, name) {
    replace(result, element("p", {}, "Comparing …"));
    try {
        const compared = await post("/console/difference", { with: other });
        replace(result, compared.error !== undefined
            ? failed(compared, name)
            : [element("p", {}, "In force: ", code(compared.old), `; in ${name}: `, code(compared.new)), changes(compared.difference)]);
        result.focus();
    } catch (error) {
        replace(result, element("p", { class: "failure", role: "alert" }, error.message));
    }
}

function failed({ error, problems: list }, name) {
    return list.length > 0
        ? [element("p", { class: "failure" }, `The policy in ${name} has errors, so it can't be compared.`), problems(list)]
        : element("p", { class: "failure", role: "alert" }, error);
}
