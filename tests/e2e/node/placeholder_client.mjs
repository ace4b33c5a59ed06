// What a user of the npm SDKs does. Usage: node placeholder_client.mjs SCENARIO BASE_URL KEY MODEL PROMPT
// Prints one JSON object: { text, arguments, pieces }.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const [scenario, baseURL, apiKey, model, prompt] = process.argv.slice(2);
const messages = [{ role: "user", content: prompt }];

async function chat() {
  const runner = new OpenAI({ apiKey, baseURL }).chat.completions.stream({ model, messages });
  let pieces = 0;
  runner.on("content", () => pieces++);
  const { message } = (await runner.finalChatCompletion()).choices[0];
  return { text: message.content, arguments: JSON.parse(message.tool_calls[0].function.arguments), pieces };
}

async function responses() {
  const stream = new OpenAI({ apiKey, baseURL }).responses.stream({ model, input: prompt });
  let text = "";
  let source = "";
  let pieces = 0;
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") { text += event.delta; pieces++; }
    if (event.type === "response.function_call_arguments.delta") source += event.delta;
  }
  const final = await stream.finalResponse();
  if (final.output_text !== text) throw new Error("the deltas do not make the whole text");
  if (final.output[1].arguments !== source) throw new Error("the deltas do not make the whole arguments");
  return { text, arguments: JSON.parse(source), pieces };
}

async function message() {
  const stream = new Anthropic({ apiKey, baseURL }).messages.stream({ model, max_tokens: 200, messages });
  let pieces = 0;
  stream.on("text", () => pieces++);
  const [text, tool] = (await stream.finalMessage()).content;
  return { text: text.text, arguments: tool.input, pieces };
}

console.log(JSON.stringify(await { chat, responses, message }[scenario]()));
