// The pages of the console: shows one of them, and asks the daemon again while somebody looks.

import { element, replace } from "../components/dom.js";
import { get, isSendable, onToken, useToken } from "./daemon.js";
import * as decisions from "./decisions.js";
import * as difference from "./difference.js";
import * as explain from "./explain.js";
import * as overview from "./overview.js";
import { now, tick } from "./time.js";

const EVERY = 2000;
const pages = { overview: overview.page(), explain: explain.page(), decisions: decisions.page(), difference: difference.page() };
const main = document.getElementById("main");
const connection = document.getElementById("connection");
const banners = document.getElementById("banners");
let shown = null;
let said = null;
let asking = false;
let again = false;

replace(main, tokenForm(), Object.values(pages).map(({ node }) => node));

function tokenForm() {
    const input = element("input", {
        id: "token-of-listener", type: "password", autocomplete: "off", required: true,
        input: () => input.setCustomValidity(isSendable(input.value.trim()) ? "" : "A token has only printable ASCII characters, without spaces."),
    });
    const form = element("form", {
        id: "ask-token", class: "card", hidden: true,
        submit: (event) => {
            event.preventDefault();
            useToken(input.value.trim());
            input.value = "";
            form.hidden = true;
            refresh();
        },
    },
        element("h1", {}, "This listener needs a token"),
        element("p", {}, "It is the content of the file that ", element("code", {}, "listeners.admin.token_file"), " names. The page forgets it when it is closed."),
        element("label", { for: "token-of-listener" }, "Token"), input,
        element("button", { type: "submit" }, "Open the console"));
    onToken(() => {
        if (form.hidden) {
            form.hidden = false;
            for (const { node } of Object.values(pages)) {
                node.hidden = true;
            }
            shown = null;
            input.focus();
        }
    });
    return form;
}

function show(focus) {
    const name = location.hash.slice(1).split("?")[0];
    if (name === "main") {
        return;
    }
    const next = Object.hasOwn(pages, name) ? name : "overview";
    if (document.getElementById("ask-token").hidden === false || next === shown) {
        return;
    }
    shown = next;
    for (const [name, { node }] of Object.entries(pages)) {
        node.hidden = name !== next;
    }
    for (const link of document.querySelectorAll("nav a")) {
        if (link.getAttribute("href") === `#${next}`) {
            link.setAttribute("aria-current", "page");
        } else {
            link.removeAttribute("aria-current");
        }
    }
    const heading = pages[next].node.querySelector("h1");
    document.title = `${heading.textContent} – portcullis console`;
    if (focus) {
        heading.focus();
    }
    refresh();
}

function say(text, fine) {
    if (text !== said) {
        said = text;
        connection.className = fine ? "fine" : "broken";
        replace(connection, text);
    }
}

async function refresh() {
    if (document.hidden) {
        return;
    }
    // The answers to an earlier question may be for another page.
    again = asking;
    if (asking) {
        return;
    }
    asking = true;
    try {
        const state = await get("/console/overview");
        now(state.now);
        show(false);
        say(state.ready ? "ready" : "not ready", state.ready);
        warn(state);
        overview.update(state);
        difference.update(state);
        if (shown === "decisions") {
            await decisions.refresh();
        }
    } catch (error) {
        say(error.message, false);
    } finally {
        asking = false;
    }
    tick();
    if (again) {
        refresh();
    }
}

let warned = null;
function warn({ observed, policy }) {
    const warnings = [
        observed && `Denials are not enforced, only observed, for ${observed}.`,
        policy.last_error && "The files contain a policy that was not taken. The last good one stays in force.",
    ].filter(Boolean);
    if (warnings.join() !== warned) {
        warned = warnings.join();
        replace(banners, warnings.map((text) => element("p", { class: "banner" }, text)));
    }
}

addEventListener("hashchange", () => show(true));
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, EVERY);
refresh();
