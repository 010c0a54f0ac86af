//! A predecessor's tool as its profile lists it, and its way to the tool of ours that does the same. What was answered is put
//! into its own words by `told`, from the same structured content as everywhere.

use rmcp::model::{self, JsonObject};
use serde_json::{Map, Value, json};
use sshmcp_proto::error::Fault;

use super::{Plan, Preset, Setting, plan, rename, set};
use crate::{
    arguments::invalid,
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
    /// Ours, where it is not the one that has this name everywhere, with the names of its parameters there.
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

    /// A call of it in our names.
    pub(crate) fn plan(&self, given: JsonObject) -> Plan<'static> {
        let mut plan = match self.instead {
            Some((tool, own)) => Plan {
                tool,
                arguments: rename(given, own),
            },
            None => plan(self.name, given),
        };
        plan.arguments = plan.arguments.and_then(|mut arguments| {
            self.check_required(&arguments)?;
            set(&mut arguments, self.presets);
            Ok(arguments)
        });
        plan
    }

    fn required(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.is_required)
    }

    /// What is missing is told by the name that is listed.
    fn check_required(&self, arguments: &JsonObject) -> Result<(), Fault> {
        let is_given = |name: &str| arguments.get(name).is_some_and(|value| !value.is_null());
        for Parameter { name, .. } in self.required() {
            let ours = self.ours(name);
            let is_there = if WHERE.contains(&&*ours) {
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
        let plan = match self.instead {
            Some((_, own)) => rename(given, own),
            None => plan(self.name, given).arguments,
        };
        // Presets are no parameters of its own.
        let named = plan
            .unwrap_or_default()
            .into_iter()
            .find(|(_, value)| *value == json!(""));
        named.map_or_else(|| name.to_owned(), |(ours, _)| ours)
    }
}
