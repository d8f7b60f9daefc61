// Errors and warnings of a policy, with their lines: `[{ code, severity, message, help, source }]`.

import { element, prose } from "./dom.js";
import { excerpt } from "./excerpt.js";

export function problems(list) {
    return element("ul", { class: "problems" }, list.map(({ code, severity, message, help, source }) =>
        element("li", { class: `problem ${severity}` },
            element("p", {}, element("strong", {}, severity, element("span", { class: "code" }, ` ${code}`), ": "), prose(message)),
            source.map((one) => excerpt(one)),
            help && element("p", { class: "help" }, "Help: ", prose(help)))));
}
