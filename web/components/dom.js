// Makes elements and texts. This is the only place that does, and it makes no markup of a text: whatever
// a client, a token, a policy or a file name contains is shown as text, with invisible characters visible.

const SVG = "http://www.w3.org/2000/svg";

// Control characters, those that change the direction or the order of what follows, and those that show
// nothing: fillers, variation selectors and tags.
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\uffff\u{e0000}-\u{e0fff}]/gu;

// A fragment, or a path of the listener. `//` and `/\` would begin another host.
const OWN = /^(?:#|\/(?:\w|$))/;

/** A text in which nothing is hidden. */
export function visible(text) {
    return String(text).replace(INVISIBLE, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

/**
 * An element with attributes and children: elements, texts, or nothing (null, undefined, false).
 * An attribute with a function is a listener (`click`), one that is null or false is left out.
 */
export function element(name, attributes, ...children) {
    return fill(document.createElement(name), attributes, children);
}

/** The same for a part of a drawing. */
export function drawing(name, attributes, ...children) {
    return fill(document.createElementNS(SVG, name), attributes, children);
}

/** Replaces the children of an element. */
export function replace(parent, ...children) {
    parent.replaceChildren(...nodes(children));
}

/** A text for people who hear the page. */
export function heard(text) {
    return element("span", { class: "heard" }, text);
}

/** A text as it would be written in a policy or a request. */
export function code(text) {
    return element("code", {}, text);
}

/** The same for a name, which isn't broken to make a column narrower. */
export function named(text) {
    return element("code", { class: "name" }, text);
}

/** A sentence of portcullis, in which names and values are between backticks. */
export function prose(text) {
    return text.split("`").map((part, at, all) =>
        at % 2 === 0 ? part : at === all.length - 1 ? `\`${part}` : code(part));
}

function fill(made, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
        if (value === null || value === undefined || value === false) {
            continue;
        }
        if (typeof value === "function") {
            made.addEventListener(name, value);
        } else if (name.startsWith("on") || name === "style" || name === "srcdoc") {
            throw new Error(`the attribute ${name} would be code`);
        } else if (name === "href" && !OWN.test(value)) {
            throw new Error("a link leads to another place");
        } else {
            made.setAttribute(name, value === true ? "" : visible(value));
        }
    }
    made.append(...nodes(children));
    return made;
}

function nodes(children) {
    return children
        .flat(Infinity)
        .filter((child) => child !== null && child !== undefined && child !== false && child !== "")
        .map((child) => (child instanceof Node ? child : document.createTextNode(visible(child))));
}
