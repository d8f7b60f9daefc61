// Starts `portcullis lsp` when the first policy is opened. All that the editor shows comes from it.

"use strict";

const vscode = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

/** @type {LanguageClient | undefined} */
let client;

function start() {
    const settings = vscode.workspace.getConfiguration("portcullis");
    const server = {
        command: settings.get("path", "portcullis"),
        args: ["lsp", ...settings.get("arguments", [])],
        transport: TransportKind.stdio,
    };
    client = new LanguageClient("portcullis", "portcullis", server, {
        documentSelector: [
            { scheme: "file", language: "portcullis" },
            { scheme: "untitled", language: "portcullis" },
        ],
        initializationOptions: { params: settings.get("params", {}) },
    });
    return client.start();
}

async function restart() {
    const running = client;
    client = undefined;
    // One that could not start cannot stop either, and is no reason not to try again.
    await running?.stop().catch(() => {});
    await start();
}

async function activate(context) {
    context.subscriptions.push(
        vscode.commands.registerCommand("portcullis.restart", restart),
        vscode.workspace.onDidChangeConfiguration((event) => {
            const matters = ["path", "arguments", "params"];
            if (matters.some((name) => event.affectsConfiguration(`portcullis.${name}`))) {
                return restart();
            }
        }),
    );
    await start();
}

function deactivate() {
    return client?.stop();
}

module.exports = { activate, deactivate };
