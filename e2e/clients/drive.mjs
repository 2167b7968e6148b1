// Drives the gateway with the official SDKs for Node. The same words in and out as drive.py:
//
//   NODE_EXTRA_CA_CERTS=CA node drive.mjs BASE < scenarios.json > results.json

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { readFileSync } from 'node:fs';

const [base] = process.argv.slice(2);

async function run(scenario) {
  const result = { text: '', arguments: '', raw: [], ended: 'normally', message: '', status: null, finish: null };
  const { key: apiKey, retries: maxRetries } = scenario;
  const clients = {
    openai: new OpenAI({ baseURL: `${base}/v1`, apiKey, maxRetries }),
    anthropic: new Anthropic({ baseURL: base, apiKey, maxRetries }),
  };
  try {
    await apis[scenario.api](clients, scenario, result);
  } catch (error) {
    if (!(error instanceof OpenAI.APIError) && !(error instanceof Anthropic.APIError)) throw error;
    result.ended = error.constructor.name;
    result.bases = ancestors(error);
    result.message = `${error.message} ${JSON.stringify(error.error ?? null)}`;
    result.status = error.status ?? null;
  }
  return result;
}

function ancestors(error) {
  const names = [];
  for (let p = Object.getPrototypeOf(error); p; p = Object.getPrototypeOf(p)) names.push(p.constructor.name);
  return names;
}

const apis = {
  async chat({ openai }, scenario, result) {
    const answer = await openai.chat.completions.create({
      model: scenario.model,
      messages: [{ role: 'user', content: scenario.prompt }],
      tools: [{ type: 'function', function: { name: 'note', parameters: { type: 'object' } } }],
      stream: scenario.stream,
    });
    const take = (part) => {
      result.raw.push(JSON.stringify(part));
      for (const choice of part.choices) {
        const said = choice.delta ?? choice.message;
        result.text += said.content ?? '';
        for (const call of said.tool_calls ?? []) result.arguments += call.function?.arguments ?? '';
        result.finish = choice.finish_reason ?? result.finish;
      }
    };
    if (!scenario.stream) return take(answer);
    for await (const part of answer) take(part);
  },

  async responses({ openai }, scenario, result) {
    const answer = await openai.responses.create({
      model: scenario.model,
      input: scenario.prompt,
      tools: [{ type: 'function', name: 'note', parameters: { type: 'object' }, strict: false }],
      stream: scenario.stream,
    });
    if (!scenario.stream) {
      result.raw.push(JSON.stringify(answer));
      result.text = answer.output_text ?? '';
      for (const item of answer.output) if (item.type === 'function_call') result.arguments += item.arguments;
      result.finish = answer.status;
      return;
    }
    for await (const event of answer) {
      result.raw.push(JSON.stringify(event));
      if (event.type === 'response.output_text.delta') result.text += event.delta;
      if (event.type === 'response.function_call_arguments.delta') result.arguments += event.delta;
      if (/^response\.(completed|failed|incomplete)$/.test(event.type)) result.finish = event.response.status;
    }
  },

  async messages({ anthropic }, scenario, result) {
    const answer = await anthropic.messages.create({
      model: scenario.model,
      max_tokens: 256,
      messages: [{ role: 'user', content: scenario.prompt }],
      tools: [{ name: 'note', input_schema: { type: 'object' } }],
      stream: scenario.stream,
    });
    if (!scenario.stream) {
      result.raw.push(JSON.stringify(answer));
      for (const block of answer.content) {
        if (block.type === 'text') result.text += block.text;
        if (block.type === 'tool_use') result.arguments += JSON.stringify(block.input);
      }
      result.finish = answer.stop_reason;
      return;
    }
    for await (const event of answer) {
      result.raw.push(JSON.stringify(event));
      if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') result.text += event.delta.text;
      if (event.type === 'content_block_delta' && event.delta.type === 'input_json_delta') {
        result.arguments += event.delta.partial_json;
      }
      if (event.type === 'message_delta') result.finish = event.delta.stop_reason;
    }
  },
};

const results = [];
for (const scenario of JSON.parse(readFileSync(0, 'utf8'))) results.push(await run(scenario));
process.stdout.write(JSON.stringify(results));
