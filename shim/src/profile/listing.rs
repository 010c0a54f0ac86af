//! A predecessor's tool as its profile lists it, and its way to the tool of ours that does the same. What was answered is put
//! into its own words by `told`, from the same structured content as everywhere.

use rmcp::model::{self, JsonObject};
use serde_json::{Map, Value, json};
use sshmcp_proto::error::Fault;

use super::{Plan, Preset, Setting, plan, rename, set};
use crate::{
    arguments::{PARAMETERS, invalid},
    tools::{Catalog, Effect},
};

/// One tool of a profile.
pub(crate) struct Listing {
    /// Its name.
    pub(crate) name: &'static str,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) effect: Effect,
    pub(super) parameters: &'static [Parameter],
    /// The name whose way it goes, where that is not its own, and what its parameters are called there.
    pub(super) instead: Option<(&'static str, &'static [(&'static str, &'static str)])>,
    /// What it sets, in our names.
    pub(super) presets: &'static [(&'static str, Preset)],
    /// The answer in its words: from the arguments in our names, and the structured content.
    pub(crate) told: fn(&JsonObject, &JsonObject) -> String,
}

/// One of its parameters.
pub(super) struct Parameter {
    name: &'static str,
    kind: &'static str,
    description: &'static str,
    is_required: bool,
    default: Option<Setting>,
}

impl Parameter {
    /// One that may be left out.
    pub(super) const fn new(name: &'static str, kind: &'static str, description: &'static str) -> Self {
        Self {
            name,
            kind,
            description,
            is_required: false,
            default: None,
        }
    }

    /// One that must be given; all of them are text.
    pub(super) const fn required(name: &'static str, description: &'static str) -> Self {
        Self {
            is_required: true,
            ..Self::new(name, "string", description)
        }
    }

    /// With what it is where it is left out.
    pub(super) const fn or(self, default: Setting) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }

    fn schema(&self) -> Value {
        let mut schema = json!({"type": self.kind, "description": self.description});
        if let (Some(default), Value::Object(schema)) = (&self.default, &mut schema) {
            schema.insert("default".to_owned(), default.value());
        }
        schema
    }
}

/// Parameters of ours that say where: one of them may stand for another.
const WHERE: [&str; 3] = ["host", "session", "command_id"];

impl Listing {
    /// What `tools/list` answers of it; the structured content is that of our tool.
    pub(crate) fn listed(&self, catalog: &Catalog) -> model::Tool {
        let properties: Map<String, Value> = self
            .parameters
            .iter()
            .map(|parameter| (parameter.name.to_owned(), parameter.schema()))
            .collect();
        let required: Vec<&str> = self.required().map(|parameter| parameter.name).collect();
        let mut input = Map::new();
        input.insert("type".to_owned(), json!("object"));
        input.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            input.insert("required".to_owned(), json!(required));
        }
        input.insert("additionalProperties".to_owned(), json!(false));
        let listed = model::Tool::new(self.name, self.description, input)
            .with_title(self.title)
            .with_annotations(self.effect.annotations());
        match catalog.find(self.plan(JsonObject::new()).tool) {
            Some(ours) => listed.with_raw_output_schema((ours.tool.output)().into()),
            None => listed,
        }
    }

    /// Our names of its parameters, each with the one that is listed, where that is another.
    pub(super) fn renamed_parameters(&self) -> Vec<(String, &'static str)> {
        let all = self.parameters.iter().map(|parameter| parameter.name);
        let mut renamed: Vec<_> = all
            .map(|name| (self.ours(name), name))
            .filter(|(ours, name)| ours != name)
            .collect();
        // Text and keys are one there.
        if renamed.iter().any(|(ours, _)| ours == "typed") {
            renamed.push(("text".to_owned(), "keys"));
        }
        renamed
    }

    /// The hint that names them.
    pub(super) fn parameters_told(&self) -> String {
        let all: Vec<&str> = self.parameters.iter().map(|parameter| parameter.name).collect();
        if all.is_empty() {
            return "call again without parameters".to_owned();
        }
        format!("{PARAMETERS}{}", all.join(", "))
    }

    /// A call of it in our names.
    pub(crate) fn plan(&self, given: JsonObject) -> Plan<'static> {
        let mut plan = self.renamed(self.without_blanks(given));
        plan.arguments = plan.arguments.and_then(|mut arguments| {
            self.check_required(&arguments)?;
            set(&mut arguments, self.presets);
            Ok(arguments)
        });
        plan
    }

    /// In our names, with what these names set everywhere.
    fn renamed(&self, given: JsonObject) -> Plan<'static> {
        let Some((name, own)) = self.instead else {
            return plan(self.name, given);
        };
        match rename(given, own) {
            Ok(given) => plan(name, given),
            Err(fault) => Plan {
                arguments: Err(fault),
                ..plan(name, JsonObject::new())
            },
        }
    }

    /// What may be left out was left out by an empty text as well.
    fn without_blanks(&self, mut given: JsonObject) -> JsonObject {
        given.retain(|name, value| {
            let mut optional = self.parameters.iter().filter(|parameter| !parameter.is_required);
            *value != json!("") || !optional.any(|parameter| parameter.name == name)
        });
        given
    }

    fn required(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.is_required)
    }

    /// What is missing is told by the name that is listed.
    fn check_required(&self, arguments: &JsonObject) -> Result<(), Fault> {
        let is_given = |name: &str| arguments.get(name).is_some_and(|value| !value.is_null());
        let is_place = |name: &str| WHERE.contains(&&*self.ours(name));
        let has_one_place = self
            .required()
            .filter(|parameter| is_place(parameter.name))
            .count()
            == 1;
        for Parameter { name, .. } in self.required() {
            let ours = self.ours(name);
            let is_there = if has_one_place && is_place(name) {
                WHERE.iter().any(|place| is_given(place))
            } else {
                is_given(&ours)
            };
            if !is_there {
                return Err(invalid(format!("`{name}` is missing")).hint(format!("call again with `{name}`")));
            }
        }
        Ok(())
    }

    /// Our name of one of its parameters.
    fn ours(&self, name: &str) -> String {
        let given = JsonObject::from_iter([(name.to_owned(), json!(""))]);
        let plan = self.renamed(given).arguments;
        // Presets are no parameters of its own.
        let named = plan
            .unwrap_or_default()
            .into_iter()
            .find(|(_, value)| *value == json!(""));
        named.map_or_else(|| name.to_owned(), |(ours, _)| ours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn planned(profile: Profile, name: &str, given: &Value) -> Value {
        let mut listings = profile.listings().iter();
        let listing = listings.find(|listing| listing.name == name).expect("listed");
        let plan = listing.plan(given.as_object().cloned().unwrap_or_default());
        match plan.arguments {
            Ok(arguments) => json!([plan.tool, arguments]),
            Err(fault) => json!(fault.message),
        }
    }

    /// Calls as their clients make them, with what a model fills in that it need not.
    #[test]
    fn calls_become_ours() {
        use Profile::{Interactive, Session};
        for (profile, name, given, ours) in [
            (
                Interactive,
                "execute_command",
                json!({"session_name": "s", "command": "ls"}),
                json!(["send_input", {"session": "s", "text": "ls", "enter": true, "is_line": true, "timeout": 0}]),
            ),
            (
                Interactive,
                "open_connection",
                json!({"connection_name": "w", "session_name": "s"}),
                json!(["open_session", {"host": "w", "session": "s", "prefer_local_tmux": true}]),
            ),
            (
                Interactive,
                "open_connection",
                json!({"connection_config_name": "w"}),
                json!("`session_name` is missing"),
            ),
            (
                Interactive,
                "open_connection",
                json!({"session_name": "s"}),
                json!("`connection_config_name` is missing"),
            ),
            (
                Interactive,
                "get_terminal_output",
                json!({"session_name": "s", "num_lines": null}),
                json!(["get_terminal_output", {"session": "s", "lines": 200}]),
            ),
            (
                Session,
                "execute_command",
                json!({"host": "w", "command": "ls", "username": "", "password": "", "enable_command": "enable"}),
                json!(["execute_command", {"host": "w", "command": "ls", "output_limit": 40000}]),
            ),
            (
                Session,
                "execute_command",
                json!({"host": "w", "command": "", "enable_command": "elevate"}),
                json!(["execute_command", {"host": "w", "command": "", "enable_command": "elevate", "output_limit": 40000}]),
            ),
            (
                Session,
                "close_session",
                json!({"host": "w", "port": 22}),
                json!(["close_session", {"host": "w"}]),
            ),
            (
                Session,
                "interrupt_command",
                json!({"host": "w", "port": 2222}),
                json!(["interrupt_command", {"host": "w", "port": 2222}]),
            ),
            (
                Session,
                "send_input",
                json!({"command_id": "c1", "input_text": "q"}),
                json!(["send_input", {"command_id": "c1", "text": "q", "enter": false}]),
            ),
            (
                Session,
                "send_input",
                json!({"command_id": "c1", "input_text": "yes\\n"}),
                json!(["send_input", {"command_id": "c1", "text": "yes", "enter": true}]),
            ),
            (
                Session,
                "read_screen",
                json!({"host": "w"}),
                json!(["get_terminal_output", {"host": "w", "screen_rows": 24}]),
            ),
            (
                Session,
                "read_file",
                json!({"host": "w", "remote_path": "/x", "max_bytes": 0}),
                json!(["read_file", {"host": "w", "path": "/x", "encoding": "utf-8", "errors": "replace"}]),
            ),
            (
                Session,
                "execute_command",
                json!({"host": "w"}),
                json!("`command` is missing"),
            ),
            (
                Session,
                "send_keys",
                json!({"keys": "q"}),
                json!("`host` is missing"),
            ),
            (
                Interactive,
                "get_server_info",
                json!({}),
                json!("`connection_config_name` is missing"),
            ),
        ] {
            assert_eq!(planned(profile, name, &given), ours, "{name} {given}");
        }
    }
}
