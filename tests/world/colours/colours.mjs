// Colours a policy by the TextMate grammar, as VS Code does, and prints each piece with its scopes.
//
//     node colours.mjs MODULES GRAMMAR FILE

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [, , modules, grammarPath, file] = process.argv;
const require = createRequire(join(modules, "index.js"));
const { INITIAL, Registry, parseRawGrammar } = require("vscode-textmate");
const oniguruma = require("vscode-oniguruma");

const SCOPE = "source.portcullis";

const onigLib = oniguruma
    .loadWASM(readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")).buffer)
    .then(() => ({
        createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
        createOnigString: (text) => new oniguruma.OnigString(text),
    }));
const registry = new Registry({
    onigLib,
    loadGrammar: async (scope) =>
        scope === SCOPE ? parseRawGrammar(readFileSync(grammarPath, "utf8"), grammarPath) : null,
});

const grammar = await registry.loadGrammar(SCOPE);
let state = INITIAL;
for (const line of readFileSync(file, "utf8").split("\n")) {
    const { tokens, ruleStack } = grammar.tokenizeLine(line, state);
    state = ruleStack;
    console.log(`# ${line}`.trimEnd());
    for (const { startIndex, endIndex, scopes } of tokens) {
        const text = line.slice(startIndex, endIndex).trim();
        if (text !== "") {
            const own = scopes.slice(1).map((scope) => scope.replace(".portcullis", ""));
            console.log(`    ${text}  ${own.join(" ") || "-"}`);
        }
    }
}
