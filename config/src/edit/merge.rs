//! The change itself: once on plain values, to know what is meant, and once on the tree that keeps
//! every comment.

use jsonc_parser::cst::{
    CstContainerNode, CstInputValue, CstNode, CstObject, CstObjectProp, CstRootNode, ObjectPropName,
};
use serde_json::{Map, Value};

use super::{Edit, EditError, KeyPath, Step};

/// The value of the file after the change.
pub(super) fn meant(mut whole: Value, edit: &Edit) -> Result<Value, EditError> {
    match edit {
        Edit::Set { path, value } => *place(&mut whole, path)? = value.value.clone(),
        Edit::Unset { path } => remove(&mut whole, path)?,
        Edit::Merge { payload, replace } => {
            let Value::Object(patch) = &payload.value else { return Err(EditError::NoPatch) };
            for path in replace {
                if find(&payload.value, path).is_none() {
                    return Err(EditError::MissingPath(path.clone()));
                }
            }
            if let Value::Object(whole) = &mut whole {
                merge(whole, patch, &KeyPath::root(), replace);
            }
        }
    }
    Ok(whole)
}

fn merge(
    whole: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    at: &KeyPath,
    replace: &[KeyPath],
) {
    for (key, value) in patch {
        let path = at.then(key);
        let exactly = replace.contains(&path);
        match (value, whole.get_mut(key)) {
            (Value::Null, _) if !exactly => drop(whole.remove(key)),
            (Value::Object(patch), Some(Value::Object(inner))) if !exactly => {
                merge(inner, patch, &path, replace);
            }
            (Value::Object(patch), _) if !exactly => {
                let mut made = Map::new();
                merge(&mut made, patch, &path, replace);
                whole.insert(key.clone(), made.into());
            }
            (value, _) => drop(whole.insert(key.clone(), value.clone())),
        }
    }
}

fn find<'v>(value: &'v Value, path: &KeyPath) -> Option<&'v Value> {
    path.steps().iter().try_fold(value, |here, step| match step {
        Step::Key(key) => here.get(key),
        Step::Index(index) => here.get(index),
    })
}

/// Where the value goes, with what is missing on the way.
fn place<'v>(whole: &'v mut Value, path: &KeyPath) -> Result<&'v mut Value, EditError> {
    let mut here = whole;
    for (depth, step) in path.steps().iter().enumerate() {
        let is = named(here);
        let not_in_there = || EditError::NotInThere {
            path: path.clone(),
            at: KeyPath::of(&path.steps()[..depth]),
            is,
        };
        here = match (step, here) {
            (Step::Key(key), Value::Object(map)) => {
                let last = depth + 1 == path.steps().len();
                // A list is not made up: its first element would be anybody's guess.
                if !last
                    && matches!(path.steps()[depth + 1], Step::Index(_))
                    && !map.contains_key(key)
                {
                    return Err(EditError::MissingPath(KeyPath::of(&path.steps()[..=depth])));
                }
                map.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()))
            }
            (Step::Index(index), Value::Array(items)) => {
                if *index == items.len() && depth + 1 == path.steps().len() {
                    items.push(Value::Null);
                }
                items.get_mut(*index).ok_or_else(|| EditError::MissingPath(path.clone()))?
            }
            _ => return Err(not_in_there()),
        };
    }
    Ok(here)
}

fn remove(whole: &mut Value, path: &KeyPath) -> Result<(), EditError> {
    let missing = || EditError::MissingPath(path.clone());
    let (last, way) = path.steps().split_last().ok_or_else(missing)?;
    let mut here = whole;
    for step in way {
        let next = match step {
            Step::Key(key) => here.get_mut(key),
            Step::Index(index) => here.get_mut(index),
        };
        here = next.ok_or_else(missing)?;
    }
    match (last, here) {
        (Step::Key(key), Value::Object(map)) => map.remove(key).map(drop).ok_or_else(missing),
        (Step::Index(index), Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
            Ok(())
        }
        _ => Err(missing()),
    }
}

const fn named(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Does the same to the tree; returns how many values were set or removed. That the change can be
/// made was found out by [`meant`].
pub(super) fn carry_out(root: &CstRootNode, edit: &Edit) -> Result<usize, EditError> {
    let whole = root.object_value_or_set();
    let mut style = Style::of(&whole);
    let operations = match edit {
        Edit::Set { path, value } => {
            set(&whole, path, &value.input, &mut style)?;
            1
        }
        Edit::Unset { path } => {
            unset(&whole, path);
            1
        }
        Edit::Merge { payload, replace } => {
            let CstInputValue::Object(patch) = &payload.input else {
                return Err(EditError::NoPatch);
            };
            merge_into(&whole, patch, &KeyPath::root(), replace, &mut style)
        }
    };
    style.finish();
    Ok(operations)
}

/// How a file writes the names of its keys, and what was put into it.
struct Style {
    bare: bool,
    new: Vec<CstNode>,
}

impl Style {
    fn of(whole: &CstObject) -> Self {
        let first = whole.properties().into_iter().next().and_then(|prop| prop.name());
        let bare = first.is_none_or(|name| matches!(name, ObjectPropName::Word(_)));
        Self { bare, new: Vec::new() }
    }

    fn append(&mut self, object: &CstObject, key: &str, value: CstInputValue) {
        let prop = object.append(key, value);
        self.new.push(CstNode::Container(CstContainerNode::ObjectProp(prop)));
    }

    /// The value of a property, which has just been set.
    fn was_set(&mut self, prop: &CstObjectProp) {
        self.new.extend(prop.value());
    }

    /// Takes the quotes off new names that need none, where the file has none. Comes last: the tree
    /// cannot find a name again afterwards.
    fn finish(self) {
        if self.bare {
            self.new.iter().for_each(unquote);
        }
    }
}

fn unquote(node: &CstNode) {
    if let Some(prop) = node.as_object_prop()
        && let Some(ObjectPropName::String(name)) = prop.name()
        && name.raw_value().starts_with('"')
        && let Ok(plain) = name.decoded_value()
        && is_bare(&plain)
    {
        name.set_raw_value(plain);
    }
    for child in node.children() {
        if matches!(child, CstNode::Container(_)) {
            unquote(&child);
        }
    }
}

/// Whether a name needs no quotes, in any reader of JSON5.
fn is_bare(name: &str) -> bool {
    !matches!(name, "null" | "true" | "false" | "Infinity" | "NaN")
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'$')
}

fn merge_into(
    object: &CstObject,
    patch: &[(String, CstInputValue)],
    at: &KeyPath,
    replace: &[KeyPath],
    style: &mut Style,
) -> usize {
    let mut operations = 0;
    for (key, value) in patch {
        let path = at.then(key);
        let exactly = replace.contains(&path);
        let prop = object.get(key);
        match (value, prop) {
            (CstInputValue::Null, Some(prop)) if !exactly => {
                prop.remove();
                operations += 1;
            }
            (CstInputValue::Null, None) if !exactly => {}
            (CstInputValue::Object(patch), Some(prop)) if !exactly => match prop.object_value() {
                Some(inner) => operations += merge_into(&inner, patch, &path, replace, style),
                None => {
                    prop.set_value(without_nulls(value, &path, replace));
                    style.was_set(&prop);
                    operations += 1;
                }
            },
            (value, Some(prop)) => {
                prop.set_value(value.clone());
                style.was_set(&prop);
                operations += 1;
            }
            (value, None) => {
                let value =
                    if exactly { value.clone() } else { without_nulls(value, &path, replace) };
                style.append(object, key, value);
                operations += 1;
            }
        }
    }
    operations
}

/// What removes nothing is not put in either; in lists `null` is a value.
fn without_nulls(value: &CstInputValue, at: &KeyPath, replace: &[KeyPath]) -> CstInputValue {
    let CstInputValue::Object(properties) = value else { return value.clone() };
    let kept = properties.iter().filter_map(|(key, value)| {
        let path = at.then(key);
        if replace.contains(&path) {
            return Some((key.clone(), value.clone()));
        }
        match value {
            CstInputValue::Null => None,
            value => Some((key.clone(), without_nulls(value, &path, replace))),
        }
    });
    CstInputValue::Object(kept.collect())
}

fn set(
    whole: &CstObject,
    path: &KeyPath,
    value: &CstInputValue,
    style: &mut Style,
) -> Result<(), EditError> {
    let (last, way) = path.steps().split_last().ok_or(EditError::Unfaithful)?;
    let mut here: CstNode = CstNode::Container(CstContainerNode::Object(whole.clone()));
    for (depth, step) in way.iter().enumerate() {
        match enter(&here, step) {
            Some(next) => here = next,
            None => {
                let Step::Key(key) = step else { return Err(EditError::Unfaithful) };
                // Everything below is new: one nested value.
                let below = path.steps()[depth + 1..].iter().rev();
                let nested = below.fold(value.clone(), |inner, step| match step {
                    Step::Key(key) => CstInputValue::Object(vec![(key.clone(), inner)]),
                    Step::Index(_) => CstInputValue::Array(vec![inner]),
                });
                let object = here.as_object().ok_or(EditError::Unfaithful)?;
                style.append(&object, key, nested);
                return Ok(());
            }
        }
    }
    match last {
        Step::Key(key) => {
            let object = here.as_object().ok_or(EditError::Unfaithful)?;
            match object.get(key) {
                Some(prop) => {
                    prop.set_value(value.clone());
                    style.was_set(&prop);
                }
                None => style.append(&object, key, value.clone()),
            }
        }
        Step::Index(index) => {
            let array = here.as_array().ok_or(EditError::Unfaithful)?;
            let node = match array.elements().into_iter().nth(*index) {
                Some(element) => replaced(element, value.clone()),
                None => Some(array.append(value.clone())),
            };
            style.new.extend(node);
        }
    }
    Ok(())
}

fn replaced(node: CstNode, value: CstInputValue) -> Option<CstNode> {
    use jsonc_parser::cst::CstLeafNode as Leaf;
    match node {
        CstNode::Container(CstContainerNode::Object(node)) => node.replace_with(value),
        CstNode::Container(CstContainerNode::Array(node)) => node.replace_with(value),
        CstNode::Leaf(Leaf::StringLit(node)) => node.replace_with(value),
        CstNode::Leaf(Leaf::NumberLit(node)) => node.replace_with(value),
        CstNode::Leaf(Leaf::BooleanLit(node)) => node.replace_with(value),
        CstNode::Leaf(Leaf::NullKeyword(node)) => node.replace_with(value),
        _ => None,
    }
}

fn unset(whole: &CstObject, path: &KeyPath) {
    let Some((last, way)) = path.steps().split_last() else { return };
    let start: CstNode = CstNode::Container(CstContainerNode::Object(whole.clone()));
    let Some(here) = way.iter().try_fold(start, |here, step| enter(&here, step)) else { return };
    match last {
        Step::Key(key) => {
            if let Some(prop) = here.as_object().and_then(|object| object.get(key)) {
                prop.remove();
            }
        }
        Step::Index(_) => {
            if let Some(element) = enter(&here, last) {
                element.remove();
            }
        }
    }
}

fn enter(node: &CstNode, step: &Step) -> Option<CstNode> {
    match step {
        Step::Key(key) => node.as_object()?.get(key)?.value(),
        Step::Index(index) => node.as_array()?.elements().into_iter().nth(*index),
    }
}
