//! The names and words the formats are made of.
//!
//! A member's name or a structural value (`"role": "user"`) that is one of these fixed, public words can hide nothing,
//! so it is no leaf. Everything else is.

macro_rules! words {
    ($($word:ident = $text:literal,)* ; $($plain:literal)*) => {
        /// A word that decides how what stands with it is read, or [`Word::Plain`] for one that only is known.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Word { $($word,)* Plain }

        const WORDS: &[(&str, Word)] = &[$(($text, Word::$word),)* $(($plain, Word::Plain),)*];
    };
}

words! {
    Action = "action", Annotations = "annotations", Arguments = "arguments", Audio = "audio",
    CallId = "call_id", Choices = "choices", Citation = "citation", Citations = "citations", Code = "code", Content = "content", ContentBlock = "content_block",
    Context = "context", Created = "created", CreatedAt = "created_at", CompletedAt = "completed_at", Custom = "custom",
    Data = "data", Delta = "delta", Document = "document", Embedding = "embedding", Error = "error", File = "file", FileData = "file_data",
    FinishReason = "finish_reason", Function = "function", FunctionCall = "function_call", Functions = "functions",
    Id = "id", ImageUrl = "image_url", Index = "index", Input = "input", InputAudio = "input_audio",
    InputFile = "input_file", InputImage = "input_image", Image = "image", InputText = "input_text", Instructions = "instructions", Item = "item", ItemId = "item_id",
    Logprobs = "logprobs", McpServers = "mcp_servers", Message = "message", Messages = "messages", Model = "model", Name = "name",
    Object = "object", Obfuscation = "obfuscation", Output = "output", Outputs = "outputs", OutputText = "output_text",
    Part = "part", PartialJson = "partial_json", Prompt = "prompt", PreviousResponseId = "previous_response_id", Conversation = "conversation", Reasoning = "reasoning",
    ReasoningContent = "reasoning_content", ReasoningText = "reasoning_text", Refusal = "refusal", Response = "response",
    Result = "result", Results = "results", Role = "role", SearchResult = "search_result", SequenceNumber = "sequence_number", Signature = "signature",
    Source = "source", Status = "status", StopReason = "stop_reason", Suffix = "suffix", Summary = "summary", SummaryText = "summary_text",
    System = "system", Text = "text", Thinking = "thinking", RedactedThinking = "redacted_thinking", Title = "title", Token = "token", TopLogprobs = "top_logprobs",
    ToolCalls = "tool_calls", ToolCallId = "tool_call_id", Tools = "tools", ToolUseId = "tool_use_id", ToolUse = "tool_use", ServerToolUse = "server_tool_use", McpToolUse = "mcp_tool_use",
    Stream = "stream", Include = "include", MaxTokens = "max_tokens", MaxCompletionTokens = "max_completion_tokens",
    MaxOutputTokens = "max_output_tokens", PromptLogprobs = "prompt_logprobs", Transcript = "transcript", Type = "type", Url = "url",
    // Roles and words that values take.
    User = "user", Assistant = "assistant", Developer = "developer", Tool = "tool", Base64 = "base64",
    // How many answers.
    N = "n", BestOf = "best_of",;
    "stop" "length" "content_filter" "end_turn" "stop_sequence" "pause_turn" "refused" "none" "auto" "required" "any"
    "chat.completion" "chat.completion.chunk" "text_completion" "list" "model_context_window_exceeded" "completed" "in_progress" "incomplete" "failed"
    "cancelled" "queued" "searching" "generating" "function_call_output" "custom_tool_call" "custom_tool_call_output" "tool_result" "json_object" "json_schema"
    "text_delta" "thinking_delta" "input_json_delta" "signature_delta" "citations_delta" "compaction" "compaction_delta" "connector_text"
    "message_start" "message_delta" "message_stop" "content_block_start" "content_block_delta" "content_block_stop" "ping"
    "response.created" "response.in_progress" "response.completed" "response.incomplete" "response.failed" "response.queued"
    "response.output_item.added" "response.output_item.done" "response.content_part.added" "response.content_part.done"
    "response.output_text.delta" "response.output_text.done" "response.refusal.delta" "response.refusal.done"
    "response.function_call_arguments.delta" "response.function_call_arguments.done" "response.output_text.annotation.added"
    "response.reasoning_text.delta" "response.reasoning_text.done" "response.reasoning_summary_text.delta"
    "response.reasoning_summary_text.done" "response.reasoning_summary_part.added" "response.reasoning_summary_part.done"
    "response.custom_tool_call_input.delta" "response.custom_tool_call_input.done" "response.mcp_call_arguments.delta"
    "response.mcp_call_arguments.done" "response.code_interpreter_call_code.delta" "response.code_interpreter_call_code.done"
    "web_search_call" "file_search_call" "computer_call" "computer_call_output" "code_interpreter_call" "mcp_call"
    "local_shell_call" "local_shell_call_output" "image_generation_call" "item_reference" "web_search_tool_result"
    "ephemeral" "standard" "default" "priority" "flex" "batch" "disabled" "enabled" "low" "medium" "high" "minimal" "original"
    "string" "number" "integer" "boolean" "array" "null" "properties" "items" "enum" "description" "additionalProperties"
    "strict" "parameters" "input_schema" "format" "schema" "anyOf" "oneOf" "allOf" "minimum" "maximum" "const" "$ref" "$defs" "$schema"
    "stream_options" "include_usage" "include_obfuscation" "max_tool_calls" "temperature" "top_p" "top_k"
    "seed" "frequency_penalty" "presence_penalty" "logit_bias" "response_format" "tool_choice" "parallel_tool_calls"
    "reasoning_effort" "effort" "generate_summary" "verbosity" "store" "metadata" "service_tier" "modalities" "prediction" "stop_sequences" "budget_tokens"
    "cache_control" "ttl" "detail" "output_index" "content_index"
    "summary_index" "annotation_index" "usage" "prompt_tokens" "completion_tokens" "total_tokens" "input_tokens" "output_tokens"
    "prompt_tokens_details" "completion_tokens_details" "input_tokens_details" "output_tokens_details" "cached_tokens"
    "reasoning_tokens" "audio_tokens" "text_tokens" "image_tokens" "accepted_prediction_tokens" "rejected_prediction_tokens" "cache_creation_input_tokens"
    "cache_read_input_tokens" "cache_creation" "ephemeral_5m_input_tokens" "ephemeral_1h_input_tokens" "server_tool_use_tokens" "inference_geo"
    "system_fingerprint" "bytes" "logprob" "tokens" "token_logprobs" "text_offset" "incomplete_details" "reason" "max_tool_calls_reached" "truncation"
    "background" "safety_identifier" "prompt_cache_key" "prompt_cache_retention" "param" "code_interpreter"
    "encrypted_content" "file_id" "file_url" "file_search" "filename" "media_type" "content_filter_results" "prompt_filter_results"     "filtered" "severity" "hate" "self_harm" "sexual" "violence" "jailbreak" "detected" "safe" "echo" "dimensions"
    "encoding_format" "float" "container" "context_management" "betas" "is_error" "caller" "direct" "web_search" "web_search_preview"
    "start_index" "end_index" "url_citation" "file_citation" "invalid_request_error" "api_error" "overloaded_error" "rate_limit_error" "server_error"
}

/// Looks a word up.
pub(crate) fn word(text: &str) -> Option<Word> {
    let mut at = place(text.as_bytes());
    loop {
        let entry = WORDS.get(usize::from(*TABLE.get(at)?))?;
        if entry.0 == text {
            return Some(entry.1);
        }
        at = (at + 1) % SIZE;
    }
}

const SIZE: usize = 1024;
const EMPTY: u16 = u16::MAX;

/// Open addressing, filled when compiled; a quarter full, so that a look takes about one comparison.
static TABLE: [u16; SIZE] = {
    let mut table = [EMPTY; SIZE];
    let mut i = 0;
    while i < WORDS.len() {
        let mut at = place(WORDS[i].0.as_bytes());
        while table[at] != EMPTY {
            at = (at + 1) % SIZE;
        }
        table[at] = i as u16;
        i += 1;
    }
    table
};

const fn place(text: &[u8]) -> usize {
    let n = text.len();
    if n == 0 {
        return 0;
    }
    let sample = text[0] as usize
        | (text[n - 1] as usize) << 8
        | (text[n / 2] as usize) << 16
        | (text[n / 4 * 3] as usize) << 24;
    (sample ^ n << 3).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_and_stands_once() {
        for (i, (text, known)) in WORDS.iter().enumerate() {
            assert_eq!(word(text), Some(*known), "{text}");
            assert!(WORDS.iter().skip(i + 1).all(|(other, _)| other != text), "{text} stands twice");
        }
        for unknown in ["", "x", "Model", "rolE", "sk-live-0123456789"] {
            assert_eq!(word(unknown), None);
        }
        let longest = (0..SIZE).map(|i| (i..).take_while(|at| TABLE[at % SIZE] != EMPTY).count()).max();
        assert!(longest < Some(40), "{longest:?}");
    }
}
