// Node's `ws` as the client: node node_client.cjs PATH_OF_WS URL COMPRESS, with the messages as JSON on standard input.
// Prints what has come back, and how the connection ended.
const [, , library, url, compress] = process.argv;
const WebSocket = require(library);
const { texts, binaries, fragments } = JSON.parse(require("fs").readFileSync(0, "utf8"));

const client = new WebSocket(url, { perMessageDeflate: compress === "on" ? { threshold: 0 } : false });
const heard = [];
const expected = texts.length + binaries.length + 2;

client.on("open", () => {
    for (const text of texts) client.send(text);
    for (const data of binaries) client.send(Buffer.from(data, "base64"));
    fragments.forEach((part, i) => client.send(part, { fin: i === fragments.length - 1 }));
    client.ping("data");
});
client.on("message", (data, isBinary) => {
    heard.push(isBinary ? { binary: data.toString("base64") } : { text: data.toString() });
    finish();
});
client.on("pong", (data) => {
    heard.push({ pong: data.toString() });
    finish();
});
client.on("error", (error) => {
    throw error;
});
client.on("close", (code, reason) => {
    console.log(JSON.stringify({ heard, code, reason: reason.toString(), extensions: client.extensions }));
});

function finish() {
    if (heard.length === expected) client.close(4001, "bye");
}
