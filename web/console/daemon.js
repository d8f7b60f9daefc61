// Asks the daemon. The listener's token, if it wants one, is kept in this variable alone, so it is gone
// with the page.

let token = null;
let whenAsked = () => {};

/** Calls `ask` when the listener wants a token. */
export function onToken(ask) {
    whenAsked = ask;
}

export function useToken(given) {
    token = given;
}

/** Why there is no answer. */
export class Refused extends Error {
    constructor(status, detail) {
        super(detail);
        this.status = status;
    }
}

export function get(path) {
    return call(path, { method: "GET" });
}

export function post(path, body) {
    return call(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
}

async function call(path, options) {
    const headers = { ...options.headers, ...(token === null ? {} : { Authorization: `Bearer ${token}` }) };
    let response;
    try {
        response = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" });
    } catch {
        throw new Refused(0, "the daemon does not answer");
    }
    if (response.status === 401) {
        whenAsked();
        throw new Refused(401, "this listener needs its token");
    }
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    const value = isJson ? JSON.parse(text) : null;
    // A reload that is refused answers with the state all the same.
    if (!response.ok && !(isJson && "result" in value)) {
        throw new Refused(response.status, value?.detail ?? text.trim());
    }
    return value;
}
