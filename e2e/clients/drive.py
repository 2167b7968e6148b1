"""Drives the gateway with the official Python SDKs.

Usage: drive.py BASE CA < scenarios.json > results.json

A scenario is {"api": chat | responses | messages, "key", "model", "prompt", "stream": bool, "retries"}; a result is what a program using the
SDK would have seen: {"text", "arguments", "raw": [each event or the answer as JSON], "ended": "normally" or the exception's
class, "bases": the names of that class's own bases, "message", "status", "finish"}.
"""

import json
import ssl
import sys

import anthropic
import openai


def main():
    base, ca = sys.argv[1:3]
    trust = ssl.create_default_context(cafile=ca)
    clients = {
        "openai": openai.OpenAI(
            base_url=f"{base}/v1", api_key="set for each scenario", http_client=openai.DefaultHttpxClient(verify=trust)
        ),
        "anthropic": anthropic.Anthropic(
            base_url=base, api_key="set for each scenario", http_client=anthropic.DefaultHttpxClient(verify=trust)
        ),
    }
    json.dump([run(clients, scenario) for scenario in json.load(sys.stdin)], sys.stdout)


def run(clients, scenario):
    result = {"text": "", "arguments": "", "raw": [], "ended": "normally", "message": "", "status": None, "finish": None}
    options = {"api_key": scenario["key"], "max_retries": scenario["retries"]}
    clients = {name: client.with_options(**options) for name, client in clients.items()}
    try:
        APIS[scenario["api"]](clients, scenario, result)
    except (openai.APIError, anthropic.APIError) as error:
        result["ended"] = type(error).__name__
        result["bases"] = [base.__name__ for base in type(error).__mro__]
        result["message"] = f"{error.message} {json.dumps(error.body, default=str)}"
        result["status"] = getattr(error, "status_code", None)
    return result


def chat(clients, scenario, result):
    answer = clients["openai"].chat.completions.create(
        model=scenario["model"],
        messages=[{"role": "user", "content": scenario["prompt"]}],
        tools=[{"type": "function", "function": {"name": "note", "parameters": {"type": "object"}}}],
        stream=scenario["stream"],
    )
    for part in answer if scenario["stream"] else [answer]:
        result["raw"].append(part.model_dump_json())
        for choice in part.choices:
            said = choice.delta if scenario["stream"] else choice.message
            result["text"] += said.content or ""
            for call in said.tool_calls or []:
                result["arguments"] += call.function.arguments or ""
            result["finish"] = choice.finish_reason or result["finish"]


def responses(clients, scenario, result):
    answer = clients["openai"].responses.create(
        model=scenario["model"],
        input=scenario["prompt"],
        tools=[{"type": "function", "name": "note", "parameters": {"type": "object"}, "strict": False}],
        stream=scenario["stream"],
    )
    if not scenario["stream"]:
        result["raw"].append(answer.model_dump_json())
        result["text"] = answer.output_text
        result["arguments"] = "".join(i.arguments for i in answer.output if i.type == "function_call")
        result["finish"] = answer.status
        return
    for event in answer:
        result["raw"].append(event.model_dump_json())
        if event.type == "response.output_text.delta":
            result["text"] += event.delta
        elif event.type == "response.function_call_arguments.delta":
            result["arguments"] += event.delta
        elif event.type in ("response.completed", "response.failed", "response.incomplete"):
            result["finish"] = event.response.status


def messages(clients, scenario, result):
    answer = clients["anthropic"].messages.create(
        model=scenario["model"],
        max_tokens=256,
        messages=[{"role": "user", "content": scenario["prompt"]}],
        tools=[{"name": "note", "input_schema": {"type": "object"}}],
        stream=scenario["stream"],
    )
    if not scenario["stream"]:
        result["raw"].append(answer.model_dump_json())
        for block in answer.content:
            result["text"] += block.text if block.type == "text" else ""
            result["arguments"] += json.dumps(block.input) if block.type == "tool_use" else ""
        result["finish"] = answer.stop_reason
        return
    for event in answer:
        result["raw"].append(event.model_dump_json())
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            result["text"] += event.delta.text
        elif event.type == "content_block_delta" and event.delta.type == "input_json_delta":
            result["arguments"] += event.delta.partial_json
        elif event.type == "message_delta":
            result["finish"] = event.delta.stop_reason


APIS = {"chat": chat, "responses": responses, "messages": messages}

main()
