// A decision with its reasons: `{ explanation, advice, observed, source, revision }`, where `explanation`
// is what `portcullis why --format json` prints and `source` are excerpts of the policy.

import { code, element, named, prose } from "./dom.js";
import { excerpt } from "./excerpt.js";
import { facts, scroll, table } from "./table.js";

const KINDS = { access: "an access token", id: "an ID token", opaque: "an opaque token", refresh: "a refresh token", unknown: "a token of a kind that can't be told" };
const SIGNS = { true: "✓ true", false: "✗ false", missing: "? missing" };

export function verdict({ explanation, advice, observed, source, revision }) {
    const { status, reason, api, route, policy, hint, trace, token, headers } = explanation;
    const allowed = explanation.decision === "allow";
    const outcome = allowed ? "Allowed" : "Denied";
    const names = Object.entries(headers);
    return element("article", { class: "verdict" },
        element("h3", { class: allowed ? "outcome allowed" : "outcome denied" },
            element("span", { "aria-hidden": "true" }, allowed ? "✓ " : "✗ "),
            outcome, " ", element("span", { class: "status" }, status),
            reason && [" ", code(reason)]),
        observed && element("p", { class: "banner" }, "This denial is only observed: the request passes, and the denial is counted and logged."),
        hint && element("p", { class: "hint" }, prose(hint)),
        advice && element("p", { class: "advice" }, prose(advice)),
        facts(
            ["Rule", route ? [code(route), api && [" of ", code(api)]] : api ? ["no route of ", code(api)] : "no API of the policy"],
            policy && ["Decided at", code(policy)],
            ["Token", tokenText(token, reason)],
            ["Policy", ["revision ", code(revision)]]),
        source.length > 0 && element("section", { "aria-label": "The rule's source" },
            element("h4", {}, "The rule"), source.map((one) => excerpt(one, { notes: false }))),
        trace.length > 0 && element("div", {},
            element("h4", {}, "Conditions"),
            scroll("Conditions", table("Each condition of the rule with its value", ["Condition", "Value", "Because"],
                trace.map((step) => [named(step.condition), element("span", { class: `value-${step.value}` }, SIGNS[step.value]), prose(step.because)])))),
        names.length > 0 && element("div", {},
            element("h4", {}, allowed ? "Headers that the application gets" : "Headers that the client gets"),
            scroll("Headers", table("Headers with their values", ["Header", "Value"], names.map(([name, value]) => [code(name), code(value)])))));
}

function tokenText({ kind, issuer, subject, unverified }, reason) {
    if (kind === null) {
        return reason === "token.missing" ? "none was sent" : "none was looked at";
    }
    const said = unverified ?? { issuer, subject };
    return [
        KINDS[kind] ?? kind,
        said.issuer && [" of ", code(said.issuer)],
        said.subject && [" for ", code(said.subject)],
        unverified && " (not verified: anybody can have written this)",
    ];
}
