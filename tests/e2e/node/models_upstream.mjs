// An OpenAI- and Anthropic-shaped upstream: aimock, and the one route of the tests that it lacks.
// Usage: node models_upstream.mjs PORT FIXTURES ; keys in AIMOCK_API_KEYS.
import { LLMock } from "@copilotkit/aimock";

const [port, fixtures] = process.argv.slice(2);
const upstream = new LLMock({
  host: "127.0.0.1",
  port: Number(port),
  auth: { apiKeys: process.env.AIMOCK_API_KEYS.split(",") },
});
upstream.loadFixtureFile(fixtures);
upstream.mount("/v1/messages/count_tokens", {
  async handleRequest(request, response) {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString("utf8"));
    const words = JSON.stringify(body.messages).split(/\W+/).length;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ input_tokens: words }));
    return true;
  },
});
await upstream.start();
