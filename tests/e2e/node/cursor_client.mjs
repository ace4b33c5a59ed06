// A small program of a Cursor SDK user. Pointed elsewhere by CURSOR_BACKEND_URL and CURSOR_API_KEY only.
// Usage: node cursor_client.mjs SCENARIO [ARGUMENT…] ; prints one JSON line per thing that happened.
import { Agent, Cursor } from "@cursor/sdk";

const say = (what, value) => console.log(JSON.stringify({ what, value, at_ms: performance.timeOrigin + performance.now() }));
const apiKey = process.env.CURSOR_API_KEY;
const options = {
  apiKey,
  model: { id: "composer-2" },
  cloud: { repos: [{ url: "https://github.com/acme/widgets", startingRef: "main" }], autoCreatePR: true },
};

async function follow(run) {
  for await (const message of run.stream()) say(message.type, message);
  const result = await run.wait();
  say("result", { status: result.status, text: result.result, git: result.git, error: result.error });
}

const scenarios = {
  async catalogue() {
    say("me", await Cursor.me({ apiKey }));
    say("models", await Cursor.models.list({ apiKey }));
    say("repositories", await Cursor.repositories.list({ apiKey }));
  },
  async work() {
    const agent = await Agent.create(options);
    await follow(await agent.send("Add a README to the repository"));
    await follow(await agent.send("Now mention the licence"));
    say("agent", agent.agentId);
    say("runs", (await Agent.listRuns(agent.agentId, { runtime: "cloud", apiKey })).items.map((run) => run.status));
    say("artifacts", await agent.listArtifacts());
    say("billed", await agent.getUsage());
    say("got", await Agent.get(agent.agentId, { apiKey }));
    say("listed", (await Agent.list({ runtime: "cloud", apiKey })).items.map((item) => item.agentId));
    await Agent.archive(agent.agentId, { apiKey });
    await Agent.delete(agent.agentId, { apiKey });
    agent.close();
  },
  async cancel() {
    const agent = await Agent.create(options);
    const run = await agent.send("Think for a long time (slow)");
    for await (const message of run.stream()) {
      say(message.type, message);
      if (message.type === "status" && message.status === "RUNNING") await run.cancel();
    }
    say("result", { status: (await run.wait()).status });
    agent.close();
  },
  async confide() {
    const [, , , password, token] = process.argv;
    const agent = await Agent.create({
      ...options,
      cloud: { ...options.cloud, envVars: { DATABASE_PASSWORD: password } },
      mcpServers: { tickets: { type: "http", url: "https://tickets.example/mcp", headers: { Authorization: `Bearer ${token}` } } },
    });
    const run = await agent.send("Add a README to the repository");
    say("result", { status: (await run.wait()).status });
    agent.close();
  },
  async once() {
    const agentId = process.argv[3];
    const result = await Agent.prompt("Add a README to the repository", { ...options, ...(agentId && { agentId }) });
    say("result", { status: result.status, text: result.result });
  },
};

try {
  await scenarios[process.argv[2]]();
  say("end", "done");
} catch (error) {
  say("error", { name: error.name, message: error.message, code: error.code, status: error.status, retryable: error.isRetryable });
  process.exitCode = 1;
}
