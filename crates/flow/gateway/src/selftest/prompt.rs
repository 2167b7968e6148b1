//! Requests of every format with the canary in a channel of choice.

use bytes::BytesMut;
use countersign_core::{Channel, Format, content::escape_json};

pub(super) const CHANNELS: [Channel; 6] =
    [Channel::System, Channel::User, Channel::Assistant, Channel::ToolResult, Channel::ToolArguments, Channel::Other];

/// Whether a format's requests have such a channel.
pub(super) const fn has(format: Format, channel: Channel) -> bool {
    match format {
        Format::Chat | Format::Responses | Format::Messages | Format::CountTokens => true,
        Format::Completions | Format::Embeddings => matches!(channel, Channel::User),
        Format::Models => false,
    }
}

/// A request's body. Every channel says something; the planted one says the canary as well.
pub(super) fn write(format: Format, model: &str, stream: bool, plant: Option<(Channel, &str)>) -> String {
    let say = |channel: Channel| match plant {
        Some((c, canary)) if c == channel => format!("all is {canary} well"),
        _ => "all is well".to_owned(),
    };
    let [system, user, assistant, result, arguments, other] = CHANNELS.map(say);
    let mut name = BytesMut::new();
    escape_json(model, &mut name);
    let model = String::from_utf8_lossy(&name);
    let head = format!(r#""model":"{model}","stream":{stream}"#);
    match format {
        Format::Chat => format!(
            r#"{{{head},"messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"{user}"}},{{"role":"assistant","content":"{assistant}","tool_calls":[{{"id":"t","type":"function","function":{{"name":"f","arguments":"{{\"a\":\"{arguments}\"}}"}}}}]}},{{"role":"tool","tool_call_id":"t","content":"{result}"}}],"tools":[{{"type":"function","function":{{"name":"f","description":"{other}","parameters":{{"type":"object"}}}}}}]}}"#
        ),
        Format::Responses => format!(
            r#"{{{head},"instructions":"{system}","input":[{{"role":"user","content":[{{"type":"input_text","text":"{user}"}}]}},{{"role":"assistant","content":[{{"type":"output_text","text":"{assistant}"}}]}},{{"type":"function_call","call_id":"t","name":"f","arguments":"{{\"a\":\"{arguments}\"}}"}},{{"type":"function_call_output","call_id":"t","output":"{result}"}}],"tools":[{{"type":"function","name":"f","description":"{other}","parameters":{{"type":"object"}}}}]}}"#
        ),
        Format::Completions => format!(r#"{{{head},"prompt":"{user}"}}"#),
        Format::Embeddings => format!(r#"{{"model":"{model}","input":"{user}"}}"#),
        Format::Messages | Format::CountTokens => {
            let head = if matches!(format, Format::Messages) {
                format!(r#"{head},"max_tokens":64"#)
            } else {
                format!(r#""model":"{model}""#)
            };
            format!(
                r#"{{{head},"system":"{system}","messages":[{{"role":"user","content":"{user}"}},{{"role":"assistant","content":[{{"type":"text","text":"{assistant}"}},{{"type":"tool_use","id":"t","name":"f","input":{{"a":"{arguments}"}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t","content":"{result}"}}]}}],"tools":[{{"name":"f","description":"{other}","input_schema":{{"type":"object"}}}}]}}"#
            )
        }
        Format::Models => String::new(),
    }
}
