// Paste a token and a request, and see what the policy in force decides, and why.

import { code, element, replace } from "../components/dom.js";
import { verdict } from "../components/verdict.js";
import { post } from "./daemon.js";

// Beyond this, no token is accepted anywhere (`token::MAX_TOKEN_BYTES`).
const MAX_TOKEN = 64 * 1024;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

const method = element("input", { id: "explain-method", value: "GET", list: "methods", autocomplete: "off", spellcheck: "false", required: true, size: 8 });
const url = element("input", { id: "explain-url", placeholder: "https://api.example.com/orders", autocomplete: "off", spellcheck: "false", required: true });
const token = element("textarea", { id: "explain-token", rows: 4, autocomplete: "off", spellcheck: "false", autocapitalize: "off", "aria-describedby": "explain-token-help" });
const headers = element("textarea", { id: "explain-headers", rows: 2, autocomplete: "off", spellcheck: "false", placeholder: "X-Tier: gold" });
const address = element("input", { id: "explain-address", placeholder: "192.0.2.1", autocomplete: "off", spellcheck: "false" });
const result = element("div", { id: "explain-result", tabindex: "-1", role: "region", "aria-label": "Verdict", "aria-live": "polite" });

// What a decision doesn't contain, shown beside a request that was taken over from one.
const incomplete = element("p", { class: "help", role: "status", hidden: true }, "Taken from a decision, which contains no query, headers or token. Add those that the request had; otherwise the verdict may differ.");

export function page() {
    const form = element("form", {
        submit: (event) => {
            event.preventDefault();
            ask();
        },
        keydown: (event) => {
            if (event.key === "Enter" && event.ctrlKey) {
                form.requestSubmit();
            }
        },
    },
        element("datalist", { id: "methods" }, METHODS.map((name) => element("option", { value: name }))),
        element("div", { class: "request" },
            field("explain-method", "Method", method),
            field("explain-url", "URL, or a path", url)),
        incomplete,
        field("explain-token", "Token", token),
        element("p", { class: "help", id: "explain-token-help" }, "As in ", code("Authorization: Bearer"), ". It is sent to this daemon in one request, and is neither logged nor stored. If it is opaque, the daemon introspects it at its issuer."),
        element("details", {},
            element("summary", {}, "Headers and address"),
            field("explain-headers", "Headers, one a line", headers),
            field("explain-address", "Address of the client", address)),
        element("p", { class: "buttons" },
            element("button", { type: "submit" }, "Explain"),
            element("button", { type: "button", class: "quiet", click: forget }, "Clear")));
    return { node: element("section", { hidden: true }, element("h1", { tabindex: "-1" }, "Explain a request"), element("div", { class: "columns" }, element("div", { class: "card" }, form), result)) };
}

/** Fills in the request of a decision, which has no query, headers or token. */
export function prefill(asked) {
    method.value = asked.method ?? "GET";
    url.value = asked.url;
    headers.value = "";
    incomplete.hidden = false;
    replace(result);
}

function field(id, label, input) {
    return element("div", { class: "field" }, element("label", { for: id }, label), input);
}

function forget() {
    token.value = "";
    headers.value = "";
    incomplete.hidden = true;
    replace(result);
    token.focus();
}

async function ask() {
    const given = token.value.replace(/\s+/g, " ").trim().replace(/^(authorization:\s*)?bearer /i, "").replaceAll(" ", "");
    if (given.length > MAX_TOKEN) {
        return fail(`the token has ${given.length.toLocaleString("en")} characters; no token of more than ${MAX_TOKEN.toLocaleString("en")} is accepted`);
    }
    const sent = {};
    for (const line of headers.value.split("\n").filter((line) => line.trim() !== "")) {
        const [, name, value] = /^\s*([^:\s]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
        if (name === undefined) {
            return fail(`\`${line}\` is not a header, such as \`X-Tier: gold\``);
        }
        (sent[name.toLowerCase()] ??= []).push(value);
    }
    if (given !== "") {
        (sent.authorization ??= []).push(`Bearer ${given}`);
    }
    try {
        const explained = await post("/console/explain", {
            method: method.value.trim().toUpperCase(),
            url: url.value.trim(),
            headers: sent,
            ...(address.value.trim() === "" ? {} : { address: address.value.trim() }),
        });
        replace(result, verdict(explained));
        result.focus();
    } catch (error) {
        fail(error.message);
    }
}

function fail(message) {
    replace(result, element("p", { class: "failure", role: "alert" }, message));
}
