// Asks the daemon. The listener's token, if it wants one, is kept in this variable alone, so it is gone
// with the page.

// How long to wait for an answer, in seconds. A reload and a comparison may take a while.
const PATIENCE = { GET: 15, POST: 300 };

let token = null;
let whenAsked = () => {};

/** Calls `ask` when the listener wants a token. */
export function onToken(ask) {
    whenAsked = ask;
}

/** Whether a token can be sent in a header. */
export function isSendable(token) {
    return /^[!-~]*$/.test(token);
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
    const seconds = PATIENCE[options.method];
    let response;
    let text;
    try {
        response = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(seconds * 1000) });
        text = await response.text();
    } catch (error) {
        throw new Refused(0, error.name === "TimeoutError" ? `the daemon did not answer within ${seconds} s` : "the daemon does not answer");
    }
    if (response.status === 401) {
        whenAsked();
        throw new Refused(401, "this listener needs its token");
    }
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    const value = isJson ? JSON.parse(text) : null;
    // A reload that is refused answers with the state all the same.
    if (!response.ok && !(isJson && "result" in value)) {
        throw new Refused(response.status, value?.detail ?? text.trim());
    }
    return value;
}
