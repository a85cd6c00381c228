//! The schema as clients see it: what introspection tells, and queries made from it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

const INTROSPECTION: &str = "{ __schema { types { kind name description \
    fields { name description args { name description defaultValue type { ...Ref } } type { ...Ref } } \
    inputFields { name description defaultValue type { ...Ref } } enumValues { name description } } } } \
    fragment Ref on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// The standard introspection query of graphql-js, which follows types so deep; `options` are asked of everything that
/// may have them.
pub(crate) fn introspection(depth: usize, options: &str) -> String {
    let inner = (0..depth).fold(String::new(), |inner, _| format!("ofType {{ kind name {inner} }}"));
    let described = if options.is_empty() { "" } else { "description" };
    format!(
        "query IntrospectionQuery {{ __schema {{ {described} queryType {{ name kind }} mutationType {{ name kind }} \
         subscriptionType {{ name kind }} types {{ ...FullType }} \
         directives {{ name {described} isRepeatable locations args(includeDeprecated: true) {{ ...InputValue }} }} }} }} \
         fragment FullType on __Type {{ kind name {described} specifiedByURL isOneOf \
         fields(includeDeprecated: true) {{ name {options} args(includeDeprecated: true) {{ ...InputValue }} \
         type {{ ...TypeRef }} }} inputFields(includeDeprecated: true) {{ ...InputValue }} \
         interfaces {{ ...TypeRef }} enumValues(includeDeprecated: true) {{ name {options} }} \
         possibleTypes {{ ...TypeRef }} }} \
         fragment InputValue on __InputValue {{ name {described} type {{ ...TypeRef }} defaultValue }} \
         fragment TypeRef on __Type {{ kind name {inner} }}"
    )
}

/// Every type of the API, by name; those of introspection itself are left out.
pub(crate) struct Api {
    pub(crate) types: BTreeMap<String, Type>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Type {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) fields: Option<Vec<Field>>,
    pub(crate) input_fields: Option<Vec<Input>>,
    pub(crate) enum_values: Option<Vec<Word>>,
}

#[derive(Deserialize)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) args: Vec<Input>,
    #[serde(rename = "type")]
    pub(crate) of: TypeRef,
}

/// An argument, or a field of an input object.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Input {
    default_value: Option<String>,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    #[serde(rename = "type")]
    pub(crate) of: TypeRef,
}

#[derive(Deserialize)]
pub(crate) struct Word {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
}

/// A named type, perhaps in lists and non-nulls.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TypeRef {
    kind: String,
    name: Option<String>,
    of_type: Option<Box<TypeRef>>,
}

impl Input {
    /// Whether it must be given.
    pub(crate) fn is_needed(&self) -> bool {
        self.of.is_required() && self.default_value.is_none()
    }
}

impl TypeRef {
    /// As it is written.
    pub(crate) fn text(&self) -> String {
        match (self.kind.as_str(), &self.of_type) {
            ("NON_NULL", Some(inner)) => format!("{}!", inner.text()),
            ("LIST", Some(inner)) => format!("[{}]", inner.text()),
            _ => self.named().to_owned(),
        }
    }

    /// Whether it is a list, perhaps a required one.
    pub(crate) fn is_list(&self) -> bool {
        self.kind == "LIST" || self.kind == "NON_NULL" && self.of_type.as_ref().is_some_and(|inner| inner.is_list())
    }

    pub(crate) fn is_required(&self) -> bool {
        self.kind == "NON_NULL"
    }

    /// The type without lists and non-nulls.
    pub(crate) fn named(&self) -> &str {
        match &self.of_type {
            Some(inner) => inner.named(),
            None => self.name.as_deref().expect("a type has a name"),
        }
    }
}

impl Api {
    pub(crate) async fn read() -> Self {
        let response = billing_gateway::graphql::schema().execute(INTROSPECTION).await;
        assert!(response.errors.is_empty(), "{:?}", response.errors);
        let data: Value = serde_json::to_value(response.data).unwrap();
        let types: Vec<Type> = serde_json::from_value(data["__schema"]["types"].clone()).unwrap();
        let own = types.into_iter().filter(|one| !one.name.starts_with("__"));
        Self { types: own.map(|one| (one.name.clone(), one)).collect() }
    }

    /// The object types with their fields.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (&str, &[Field])> {
        let objects = self.types.values().filter(|one| one.kind == "OBJECT");
        objects.map(|one| (one.name.as_str(), one.fields.as_deref().unwrap_or_default()))
    }

    pub(crate) fn fields(&self, type_name: &str) -> &[Field] {
        self.types[type_name].fields.as_deref().unwrap_or_default()
    }

    pub(crate) fn field(&self, type_name: &str, name: &str) -> &Field {
        let found = self.fields(type_name).iter().find(|field| field.name == name);
        found.unwrap_or_else(|| panic!("{type_name} has no field {name}"))
    }

    pub(crate) fn is_leaf(&self, type_name: &str) -> bool {
        matches!(self.types[type_name].kind.as_str(), "SCALAR" | "ENUM")
    }

    /// Everything below an object of that type down to `depth` levels, as a selection with its braces; only fields
    /// that `wanted` lets pass, and none that has a required argument.
    pub(crate) fn selection(&self, type_name: &str, depth: usize, wanted: &impl Fn(&str, &str) -> bool) -> String {
        let mut selected = vec!["__typename".to_owned()];
        let askable = |field: &&Field| wanted(type_name, &field.name) && !field.args.iter().any(needs_value);
        for field in self.fields(type_name).iter().filter(askable) {
            if self.is_leaf(field.of.named()) {
                selected.push(field.name.clone());
            } else if depth > 0 {
                let below = self.selection(field.of.named(), depth - 1, wanted);
                selected.push(format!("{} {below}", field.name));
            }
        }
        format!("{{ {} }}", selected.join(" "))
    }

    /// One field with the least that can be selected below it.
    pub(crate) fn one(&self, type_name: &str, name: &str, arguments: &str) -> String {
        let below = if self.is_leaf(self.field(type_name, name).of.named()) { "" } else { " { __typename }" };
        format!("{name}{arguments}{below}")
    }
}

/// Arguments of ours that are required and have no default are those of the root alone.
fn needs_value(argument: &Input) -> bool {
    argument.of.is_required() && !["first"].contains(&argument.name.as_str())
}
