//! `send_input`: types into a session and shows what came of it.

use schemars::JsonSchema;
use serde::Deserialize;
use sshmcp_proto::{
    error::Fault,
    v1::{SendInputRequest, SendInputResponse, send_input_request::Which},
};

use super::{
    Effect, Tool, get_terminal_output,
    target::{self, Apart},
};
use crate::{
    arguments::{self, invalid},
    call::Call,
    keys,
    render::{self, Reply},
    schema,
};

/// Between the runs of one `send_keys` nothing is waited for; 0 would mean the daemon's own time.
const NO_WAIT_MS: u64 = 1;

pub(super) const TOOL: Tool = Tool {
    name: "send_input",
    title: "Type into terminal",
    description: "Types into a session: answers a command that is awaiting_input, or drives an interactive program. Sends `text`, then \
                  `keys`, then Enter; waits until the screen settles or `pattern` matches; returns screen and command. \
                  Never type passwords; `secret` types a stored one unseen.",
    effect: Effect::Acts,
    input: schema::input::<Arguments>,
    output: || {
        let mut fields = get_terminal_output::fields();
        fields.extend([
            (
                "settled",
                schema::field("boolean", "it reads again, ended, or the pattern matched"),
            ),
            (
                "why",
                schema::maybe("prompt, awaiting_input, ended, pattern, quiet or timeout"),
            ),
        ]);
        schema::output(&fields)
    },
    run: |call, given| Box::pin(async move { run(call, arguments::decode(given)?).await }),
};

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    session: Option<String>,
    /// Instead of session
    command_id: Option<String>,
    #[schemars(extend("x-hidden" = true))]
    host: Option<String>,
    #[serde(flatten)]
    apart: Apart,
    text: Option<String>,
    /// Default true, but for keys alone
    enter: Option<bool>,
    /// ctrl-c, up, f5, escape, …
    keys: Option<Vec<String>>,
    /// Text and keys in the notation of `send_keys`: `:wq<enter>`.
    #[schemars(extend("x-hidden" = true))]
    typed: Option<String>,
    /// A command's line, which must not meet a half-typed one.
    #[schemars(extend("x-hidden" = true))]
    is_line: Option<bool>,
    /// Regular expression
    pattern: Option<String>,
    /// Seconds to wait (5)
    timeout: Option<f64>,
    /// Instead of text: a stored secret's name
    secret: Option<String>,
}

async fn run(call: &Call<'_>, arguments: Arguments) -> Result<Reply, Fault> {
    let Arguments {
        session,
        command_id,
        host,
        apart,
        text,
        enter,
        keys,
        typed,
        is_line,
        pattern,
        timeout,
        secret,
    } = arguments;
    let which = match (session, command_id, host) {
        (Some(session), None, None) => Which::Session(session),
        (None, Some(command_id), None) => Which::CommandId(command_id),
        (None, None, Some(host)) => Which::Session(target::default_session(call, &apart.host(host)).await?),
        _ => {
            return Err(
                invalid("exactly one of `session` and `command_id` says where to type")
                    .hint("call again with one of them; list_sessions shows the sessions"),
            );
        }
    };
    let keys_alone = keys.as_ref().is_some_and(|keys| !keys.is_empty())
        && text.as_ref().is_none_or(String::is_empty)
        && secret.is_none();
    let last = SendInputRequest {
        which: Some(which),
        text,
        enter: enter.unwrap_or(!keys_alone),
        keys: keys.unwrap_or_default(),
        data: Vec::new(),
        pattern,
        timeout_ms: timeout.map_or(Ok(0), |seconds| {
            arguments::millis("timeout", seconds).map(|ms| ms.max(NO_WAIT_MS))
        })?,
        secret: false,
        stored_secret: secret,
        is_line: is_line.unwrap_or(false),
        later_keys: Vec::new(),
    };
    let mut requests = spelled(last, typed.as_deref()).into_iter();
    let Some(mut request) = requests.next() else {
        return Err(invalid("there is nothing to type").hint("call again with `text` or `keys`"));
    };
    for next in requests {
        type_in(call, &request).await?;
        request = next;
    }
    let response = call
        .patiently("waiting for the screen to settle", type_in(call, &request))
        .await?;
    Ok(render::terminal::typed(&response))
}

/// One request, or one for each run of text and keys, of which only the last waits.
fn spelled(last: SendInputRequest, typed: Option<&str>) -> Vec<SendInputRequest> {
    let Some(typed) = typed else { return vec![last] };
    let mut requests: Vec<_> = keys::runs(typed)
        .into_iter()
        .map(|run| SendInputRequest {
            which: last.which.clone(),
            text: Some(run.text),
            keys: run.keys,
            timeout_ms: NO_WAIT_MS,
            ..SendInputRequest::default()
        })
        .collect();
    if let Some(end) = requests.last_mut() {
        end.enter = last.enter;
        end.pattern = last.pattern;
        end.timeout_ms = last.timeout_ms;
    }
    // An unknown key behind the first run is seen before that is typed.
    let later = requests.iter().skip(1).flat_map(|run| run.keys.clone()).collect();
    if let Some(first) = requests.first_mut() {
        first.later_keys = later;
    }
    requests
}

async fn type_in(call: &Call<'_>, request: &SendInputRequest) -> Result<SendInputResponse, Fault> {
    call.rpc(|daemon| {
        let request = request.clone();
        async move { daemon.terminals().send_input(request).await }
    })
    .await
}
